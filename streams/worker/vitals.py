"""Signs of life of the event loop: they show the watchdog that it runs, and find a process that stood still."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from streams.errors import WorkerPausedError
from streams.worker.faust_app import SESSION_TIMEOUT_S

BEAT_S: Final = 0.5
PAUSE_LIMIT_S: Final = SESSION_TIMEOUT_S * 2 / 3


async def beat(turn: Callable[[], None]) -> None:
    """Call `turn` twice a second, for as long as the loop turns."""
    while True:
        turn()
        await asyncio.sleep(BEAT_S)


async def fail_after_pause(fail: Callable[[BaseException], None]) -> None:
    """End the process when it was stopped for so long that others may have its partitions.

    It cannot know yet, and would send the outputs of decisions that are no longer its own.
    """
    beat_at = _clock()
    while True:
        await asyncio.sleep(BEAT_S)
        paused_s, beat_at = _clock() - beat_at, _clock()
        if paused_s > PAUSE_LIMIT_S:
            fail(WorkerPausedError(f"stopped for {paused_s:.0f} s"))


def _clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system has such a clock."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
