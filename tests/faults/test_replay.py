"""The same deliveries again: in a fresh installation, and as a week-old backlog instead of live."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.faults.comparison import Outputs
from tests.faults.load import DAY, MINUTE, Broken, Json, Load
from tests.faults.system import FaultySystem, faulty_system
from tests.oracle import Cells, flattened
from tests.waiting import wait_until

HOURS, CHUNK = 30, 25
CLOSE_CALLS_MS = 55 * MINUTE
"""With a grace of an hour, calls that end so long before their receipt are never late."""

Batch = tuple[int, list[Json | Broken]]


def week_old() -> list[Batch]:
    """Received at a steady pace over more than a day, a week ago."""
    load = Load(7, oldest_ms=CLOSE_CALLS_MS, is_ordered=True)
    start = time.time_ns() // 1_000_000 - 7 * DAY
    times = range(start, start + HOURS * 60 * MINUTE, 30 * MINUTE)
    return [(at, load.batch(CHUNK, at)) for at in times]


@pytest.mark.timeout(600)
async def test_live_and_as_a_backlog_in_a_fresh_installation_the_same_input_gives_equal_bytes_and_equal_windows(
    tmp_path: Path,
) -> None:
    batches = week_old()
    live = await _worked_off_live(tmp_path / "live", batches)
    backlog = await _worked_off_later(tmp_path / "backlog", batches)

    for topic in (CALLS, ANSWERS, CALL_ATTEMPTS):
        assert _records(live, topic.name) == _records(backlog, topic.name)
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        assert _windows(live, topic.name) == _windows(backlog, topic.name)


async def _worked_off_live(directory: Path, batches: Sequence[Batch]) -> Outputs:
    """One worker, which is through with a batch before the next comes."""
    async with faulty_system(directory, {}) as faulty:
        await faulty.system.start_worker()
        for at, batch in batches:
            await faulty.write(batch, at)
            await wait_until(lambda: _is_through(faulty), 60, "the batch is worked off")
        return await _checked(faulty)


async def _is_through(faulty: FaultySystem) -> bool:
    return all(committed == end for committed, end in (await faulty.lags()).values())


async def _worked_off_later(directory: Path, batches: Sequence[Batch]) -> Outputs:
    """Everything is there before two workers start, one after the other: their partitions advance unevenly."""
    async with faulty_system(directory, {}) as faulty:
        for at, batch in batches:
            await faulty.write(batch, at)
        await faulty.system.start_worker("w1")
        await faulty.system.start_worker("w2")
        return await _checked(faulty)


async def _checked(faulty: FaultySystem) -> Outputs:
    await faulty.wait_until_worked_off()
    report = await faulty.compare()
    assert report.differences == []
    return await faulty.outputs()


def _records(outputs: Outputs, topic: str) -> set[tuple[str, str, bytes | None]]:
    return {(read.key, read.ce_id, read.raw) for read in outputs[topic]}


def _windows(outputs: Outputs, topic: str) -> dict[str, Cells]:
    return {read.key: flattened(read.value.to_datum()) for read in outputs[topic] if read.value is not None}
