"""What keeps a part of the monitor from its work at present: one log line per change, not per attempt."""

from structlog.typing import FilteringBoundLogger


class FaultNote:
    """The present fault in words, None without one. `broken` and `mended` are the log events of its changes."""

    def __init__(self, log: FilteringBoundLogger, broken: str, mended: str, text: str | None = None) -> None:
        self._log, self._broken, self._mended = log, broken, mended
        self.text = text

    def set(self, text: str, error: Exception | None = None) -> None:
        """This is in the way now. `error` is logged with its traceback. Repeat: safe, and silent."""
        if text != self.text:
            self._log.warning(self._broken, reason=text, exc_info=error)
        self.text = text

    def clear(self) -> None:
        """Nothing is in the way now. Repeat: safe, and silent."""
        if self.text is not None:
            self._log.info(self._mended)
        self.text = None
