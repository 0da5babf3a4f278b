"""The same deliveries again: in a fresh installation, and as an old backlog instead of live."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, LATE_CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.faults.chaos import LONG_GRACE
from tests.support.comparison import Outputs
from tests.support.oracle import Cells, flattened
from tests.support.processes.system import FaultySystem, faulty_system
from tests.support.traffic import DAY, MINUTE, Broken, ContractTraffic, Json
from tests.support.waiting import wait_until

CHUNK = 50
LIVE_S = 45
SHORT_WINDOWS = {"STREAMS_WINDOW_S": "5", "STREAMS_GRACE_S": "15"}
CLOSED_S = 180

Batch = tuple[int, list[Json | Broken]]


@pytest.mark.timeout(600)
async def test_a_fresh_installation_makes_equal_records_and_windows_of_a_week_old_input(tmp_path: Path) -> None:
    load, start = ContractTraffic(7, is_ordered=True), time.time_ns() // 1_000_000 - 7 * DAY
    batches = [(at, load.batch(CHUNK, at)) for at in range(start, start + 30 * MINUTE, MINUTE)]

    async with faulty_system(tmp_path / "first", LONG_GRACE) as faulty:
        await faulty.system.start_worker()
        for at, batch in batches:
            await faulty.write(batch, at)
        first = await _checked(faulty, 300_000)
    second = await _as_backlog(tmp_path / "second", LONG_GRACE, batches, 300_000)

    for topic in (CALLS, ANSWERS, CALL_ATTEMPTS):
        assert _records(first, topic.name) == _records(second, topic.name)
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        assert _windows(first, topic.name) == _windows(second, topic.name)


@pytest.mark.timeout(600)
async def test_a_backlog_many_times_older_than_the_grace_gives_the_final_windows_that_it_gave_live(
    tmp_path: Path,
) -> None:
    batches: list[Batch] = []
    load = ContractTraffic(8, oldest_ms=8_000, is_plain=True)
    async with faulty_system(tmp_path / "live", SHORT_WINDOWS) as faulty:
        await faulty.system.start_worker()
        until = time.monotonic() + LIVE_S
        while time.monotonic() < until:
            at = time.time_ns() // 1_000_000
            batches.append((at, load.batch(CHUNK, at)))
            await faulty.write(batches[-1][1], at)
            await asyncio.sleep(0.5)  # live: this many a second
        live = await _closed(faulty)
    backlog = await _as_backlog(tmp_path / "backlog", SHORT_WINDOWS, batches, 5_000)

    assert live[LATE_CALLS.name] == backlog[LATE_CALLS.name] == []
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        assert _windows(live, topic.name) == _windows(backlog, topic.name)


async def _as_backlog(directory: Path, settings: dict[str, str], batches: Sequence[Batch], window_ms: int) -> Outputs:
    """Everything is there before two workers start, one after the other: their partitions advance unevenly."""
    async with faulty_system(directory, settings) as faulty:
        for at, batch in batches:
            await faulty.write(batch, at)
        await faulty.system.start_worker("w1")
        await faulty.system.start_worker("w2")
        return await (_closed(faulty) if settings is SHORT_WINDOWS else _checked(faulty, window_ms))


async def _closed(faulty: FaultySystem) -> Outputs:
    """The outputs once every window is final."""

    async def all_are_final() -> bool:
        topics = [await faulty.system.subscriber.read(topic) for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)]
        final = {(read.topic, read.key): read.value.is_final for reads in topics for read in reads if read.value}
        return all(final.values())

    await faulty.wait_until_processed()
    await wait_until(all_are_final, CLOSED_S, "every window is final")
    return await _checked(faulty, 5_000)


async def _checked(faulty: FaultySystem, window_ms: int) -> Outputs:
    await faulty.wait_until_processed()
    report = await faulty.compare(window_ms=window_ms)
    assert report.differences == []
    return await faulty.outputs()


def _records(outputs: Outputs, topic: str) -> set[tuple[str, str, bytes | None]]:
    return {(read.key, read.ce_id, read.raw) for read in outputs[topic]}


def _windows(outputs: Outputs, topic: str) -> dict[str, Cells]:
    return {read.key: flattened(read.value.to_datum()) for read in outputs[topic] if read.value is not None}
