"""A worker whose patience is short, and which hangs where it is told: for tests of how a worker ends.

HURRIED_NO_PROGRESS_S, HURRIED_LOOP_STUCK_S   the bounds of the watchdog
HURRIED_HANG          at a callback with the key `hang`: `awaits` for ever, `blocks` or `raises`; or `fetches` nothing
HURRIED_FILE_BYTES    no file may grow beyond: what a full disk does to the store, without a disk to fill
"""

from __future__ import annotations

import asyncio
import os
import resource
import time
from typing import Any

from streams.worker import ops, watchdog
from streams.worker.calls_agent import CallsAgent
from streams.worker.main import run
from streams.worker.transport import RunConsumer

HANG_KEY = b"hang"


def hurry() -> None:
    watchdog.CHECK_INTERVAL_S = 1.0  # type: ignore[misc]
    watchdog.NO_PROGRESS_S = float(os.environ.pop("HURRIED_NO_PROGRESS_S", "180"))  # type: ignore[misc]
    ops.LOOP_STUCK_S = float(os.environ.pop("HURRIED_LOOP_STUCK_S", "30"))  # type: ignore[misc]
    if most := int(os.environ.pop("HURRIED_FILE_BYTES", "0")):
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    how = os.environ.pop("HURRIED_HANG", "")
    process_run = CallsAgent.process_run

    async def hanging(self: CallsAgent, run: Any, unit: Any) -> None:
        if how and any(record.key == HANG_KEY for record in run.value):
            if how == "blocks":
                time.sleep(3600)  # noqa: ASYNC251  # the fault itself
            if how == "raises":
                raise ZeroDivisionError
            await asyncio.Event().wait()
        await process_run(self, run, unit)

    CallsAgent.process_run = hanging  # type: ignore[method-assign]
    if how == "fetches":
        RunConsumer._getmany = fetching_nothing  # type: ignore[method-assign]


async def fetching_nothing(self: Any, active_partitions: Any, timeout: float) -> Any:  # noqa: ASYNC109
    await asyncio.sleep(0.1)
    return {}


if __name__ == "__main__":
    hurry()
    run(os.environ)
