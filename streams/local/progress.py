"""How a download is shown on standard error: bars on a terminal, plain lines anywhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

Advance = Callable[[int], None]
"""Called with the number of bytes that just arrived."""

MIB = 1024 * 1024
SMALL_BYTES = 1 * MIB
LARGE_BYTES = 20 * MIB
"""Where there is no bar, small files are passed over in silence and large ones get a line per quarter."""


class DownloadProgress(Protocol):
    def say(self, text: str) -> None:
        """Show one line."""

    def file(self, name: str, total_bytes: int, done_bytes: int) -> AbstractContextManager[Advance]:
        """Show one file on its way; `done_bytes` are there from an earlier, interrupted try."""


class LineProgress:
    """Lines for a log file: the files that take time, and how far the large ones are."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream if stream is not None else sys.stderr

    def say(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    @contextmanager
    def file(self, name: str, total_bytes: int, done_bytes: int) -> Iterator[Advance]:
        if total_bytes >= SMALL_BYTES:
            self.say(f"downloading {name} ({total_bytes / MIB:.0f} MiB)" + (", resumed" if done_bytes else ""))
        done, quarter = done_bytes, 4 * done_bytes // max(total_bytes, 1)

        def advance(count_bytes: int) -> None:
            nonlocal done, quarter
            done += count_bytes
            reached = 4 * done // max(total_bytes, 1)
            if total_bytes >= LARGE_BYTES and reached > quarter:
                quarter = reached
                self.say(f"downloading {name}: {25 * reached} %")

        yield advance


class BarProgress:
    """A bar that moves per file; small files vanish when done."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    def say(self, text: str) -> None:
        self._console.print(text, highlight=False)

    @contextmanager
    def file(self, name: str, total_bytes: int, done_bytes: int) -> Iterator[Advance]:
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
        with Progress(*columns, console=self._console, transient=True) as bars:
            task = bars.add_task(name, total=total_bytes or None, completed=done_bytes)
            yield lambda count_bytes: bars.advance(task, count_bytes)


def progress_for(stream: TextIO) -> DownloadProgress:
    """Bars when `stream` is a terminal, else lines that a log file can hold."""
    return BarProgress() if stream.isatty() else LineProgress(stream)
