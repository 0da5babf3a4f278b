"""How the whole download is shown on standard error: one bar on a terminal, a line per tenth anywhere else."""

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

MIB = 1024 * 1024
TENTH = 10  # percent


class DownloadProgress(Protocol):
    def say(self, text: str) -> None:
        """Show one line."""

    def whole(self, total_bytes: int, done_bytes: int) -> AbstractContextManager[None]:
        """Show one download of many files; `done_bytes` are there from an earlier, interrupted try."""

    def advance(self, count_bytes: int) -> None:
        """So many bytes have arrived."""


class LineProgress:
    """Lines for a log file."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr
        self._total_bytes = 0
        self._done_bytes = 0
        self._shown_percent = 0

    def say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    @contextmanager
    def whole(self, total_bytes: int, done_bytes: int) -> Iterator[None]:
        self._total_bytes, self._done_bytes = total_bytes, done_bytes
        self._shown_percent = self._reached()
        yield
        self._total_bytes = 0

    def advance(self, count_bytes: int) -> None:
        self._done_bytes += count_bytes
        if self._total_bytes and (reached := self._reached()) > self._shown_percent:
            self._shown_percent = reached
            self.say(f"downloading: {reached} % of {self._total_bytes / MIB:.0f} MiB")

    def _reached(self) -> int:
        """The last full tenth, in percent; 100 at most, as a file that arrives damaged is fetched again."""
        return min(100 * self._done_bytes // max(self._total_bytes, 1) // TENTH * TENTH, 100)


class BarProgress:
    """One bar with size, speed and time left."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (
            TextColumn("downloading"),
            BarColumn(),
            DownloadColumn(binary_units=True),
            TransferSpeedColumn(),
            TimeRemainingColumn(),
        )
        self._console = console if console is not None else Console(stderr=True)
        self._bar = Progress(*columns, console=self._console, transient=True)
        self._task = self._bar.add_task("download", total=None)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False, markup=False)

    @contextmanager
    def whole(self, total_bytes: int, done_bytes: int) -> Iterator[None]:
        self._bar.update(self._task, total=total_bytes, completed=done_bytes)
        with self._bar:
            yield

    def advance(self, count_bytes: int) -> None:
        self._bar.advance(self._task, count_bytes)


def progress_for(stream: TextIO) -> DownloadProgress:
    """A bar when `stream` is a terminal, else lines that a log file can hold."""
    return BarProgress() if stream.isatty() else LineProgress(stream)
