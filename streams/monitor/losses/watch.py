"""Looks at every counter of a loss again and again, and remembers when it grew, over restarts too."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from streams.monitor.conservation.exposition import Scraped
from streams.monitor.history.history import History
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.losses.growth import Growth
from streams.monitor.losses.report import counters

LOOK_EVERY_S: Final = 5.0
KEPT: Final = "loss_growth_by_instance"

log = structlog.get_logger("monitor.losses")


class LossWatch:
    """Owns the growth. `run` until cancelled; `growth` any time."""

    def __init__(
        self, history: History, snapshot: Callable[[], LagSnapshot | None], said: Callable[[], Scraped]
    ) -> None:
        self.growth = Growth()
        self._history = history
        self._snapshot = snapshot
        self._said = said
        self._saved = self.growth.saved()

    async def run(self) -> None:
        """Look every LOOK_EVERY_S until cancelled."""
        if saved := await asyncio.to_thread(self._history.kept, KEPT):
            self.growth.restore(saved)
        while True:
            try:
                self.look()
            except Exception as error:  # an unforeseen answer must not end the looking
                log.exception("losses.not_looked_at", reason=type(error).__name__)
            await asyncio.sleep(LOOK_EVERY_S)

    def look(self) -> None:
        """Once. What did not change, or could not be read, changes nothing."""
        snapshot, said = self._snapshot(), self._said()
        at_ms = max((s.as_of_ms for s in (snapshot, said) if s is not None and s.as_of_ms is not None), default=None)
        if at_ms is None:
            return
        self.growth.update(counters(snapshot, said), at_ms)
        if (saved := self.growth.saved()) != self._saved:
            self._saved = saved
            self._history.keep(KEPT, saved)
