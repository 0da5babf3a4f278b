"""What a history that is not on its disk means for health. Pure."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from schemas.runtime.instants import text
from streams.monitor.health import Problem
from streams.monitor.history.history import History

LINK: Final = "/api/series"
# One write that fails is tried again five seconds later.
LASTING_S: Final = 10.0


def history_problems(history: History) -> Iterator[Problem]:
    """A problem where the disk does not take what it should."""
    if history.directory is not None and history.fault:
        yield Problem("degraded", "history is in memory only", history.fault, LINK, lasting_s=LASTING_S)


def windows_problems(trimmed_to_ms: int | None, kept: int) -> Iterator[Problem]:
    """A problem where windows had to go before MONITOR_HISTORY_DAYS was over; trimmed_to_ms: nothing is left before."""
    if trimmed_to_ms is not None:
        evidence = f"{kept} panes are the most that are kept in memory: none is left from before {text(trimmed_to_ms)}"
        yield Problem("degraded", "windows are kept for less than MONITOR_HISTORY_DAYS", evidence, LINK)


def history_notes(directory: Path | None) -> list[str]:
    """For operators: that a restart forgets everything, where no directory is set."""
    if directory is not None:
        return []
    return ["the history is in memory only, and ends with this process: MONITOR_DATA_DIR is not set"]
