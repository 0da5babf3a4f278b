"""Many deadlines of one length on one timer: each expires when it is due, whatever the others do."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.deadlines import Deadlines

SECONDS = 0.05
OVERSTAYED_S = 30.0
"""What nobody interrupts lasts so long: how late a timer fires is a matter of the machine."""


async def overstay(deadlines: Deadlines) -> float:
    """Seconds after which it was interrupted."""
    started = time.monotonic()
    with pytest.raises(TimeoutError), deadlines.one():
        await asyncio.sleep(OVERSTAYED_S)
    return time.monotonic() - started


async def test_an_overdue_task_is_interrupted_when_due_and_not_before() -> None:
    assert SECONDS <= await overstay(Deadlines(SECONDS)) < OVERSTAYED_S


async def test_each_of_several_is_due_in_its_own_time() -> None:
    deadlines = Deadlines(SECONDS)

    async def later() -> float:
        await asyncio.sleep(SECONDS / 2)
        return await overstay(deadlines)

    for took_s in await asyncio.gather(overstay(deadlines), later(), later()):
        assert SECONDS <= took_s < OVERSTAYED_S


async def test_the_end_of_the_first_leaves_the_others_theirs() -> None:
    deadlines = Deadlines(SECONDS)
    with deadlines.one():
        other = asyncio.create_task(overstay(deadlines))
        await asyncio.sleep(0)

    assert SECONDS <= await other < OVERSTAYED_S


async def test_a_task_in_time_goes_on_undisturbed() -> None:
    deadlines = Deadlines(SECONDS)
    for _ in range(3):
        with deadlines.one():
            await asyncio.sleep(0)
    await asyncio.sleep(SECONDS * 2)


async def test_a_cancellation_by_others_and_errors_go_through() -> None:
    deadlines = Deadlines(SECONDS)
    task = asyncio.create_task(overstay(deadlines))
    await asyncio.sleep(0)
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(KeyError), deadlines.one():
        raise KeyError


def test_a_loop_that_is_gone_takes_no_deadline_of_the_next_with_it() -> None:
    deadlines = Deadlines(SECONDS)

    async def in_time() -> None:
        with deadlines.one():
            await asyncio.sleep(0)

    asyncio.run(in_time())

    assert asyncio.run(overstay(deadlines)) >= SECONDS
