"""A worker that starts on what a broker's housekeeping left of its changelogs, with its disk and without."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from schemas.topics import (
    CALLS,
    LATE_CALLS,
    SIP_LINE_OUTCOMES,
    SIP_LINE_WINDOWS_TABLE,
    TABLES,
    WORKFLOW_OUTCOMES,
    WORKFLOW_WINDOWS_TABLE,
)
from tests.conftest import StartKafka
from tests.support.changelogs import Changelogs
from tests.support.deliveries import delivery, detail
from tests.support.processes.worker import WorkerSystem
from tests.support.times import now_ms
from tests.support.waiting import wait_until

CALLS_SENT = 60
CLOSED_S = 90
OTHERS = "other-"
DISKS = pytest.mark.parametrize("disk", ["w1", "an empty one"])


def calls(first: int, last: int, **fields: Any) -> list[dict[str, Any]]:
    return [delivery(detail(f"c{i}", **fields), line=f"LINE_{i % 7}") for i in range(first, last)]


@pytest.fixture
async def system(start_kafka: StartKafka, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        yield system


@pytest.fixture
async def changelogs(system: WorkerSystem) -> AsyncIterator[Changelogs]:
    async with Changelogs(system.bootstrap, system.partitions) as changelogs:
        yield changelogs


async def process_all(system: WorkerSystem, first: int, last: int, **fields: Any) -> None:
    """Write calls and wait until they and all before are counted."""
    await system.writer.write(calls(first, last, **fields), now_ms())
    await assert_exact(system, last)


async def assert_exact(system: WorkerSystem, count: int) -> None:
    """Each call is counted once, in both windows, and stays so when all is processed."""
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        await system.wait_for_calls(topic, count)
    await system.wait_until_processed()
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        await system.wait_for_calls(topic, count)


async def correct(system: WorkerSystem, first: int, last: int, count: int) -> None:
    """Tell calls again with another outcome, and wait until every window counts it."""
    await system.writer.write(calls(first, last, duration=0, talk_round=0, ring_type="busy"), now_ms())

    async def is_moved() -> bool:
        windows = await system.windows(WORKFLOW_OUTCOMES)
        return sum(window.dispositions.get("user_busy", 0) for window in windows.values()) == last - first

    await wait_until(is_moved, 60, "every correction is counted")
    await assert_exact(system, count)


async def stop(system: WorkerSystem) -> None:
    assert system.workers[-1].terminate() == 0


@DISKS
async def test_changelogs_that_lost_their_beginning_give_all_that_was_written_after(
    system: WorkerSystem, changelogs: Changelogs, disk: str
) -> None:
    await system.start_worker()
    await process_all(system, 0, CALLS_SENT)
    cut = await changelogs.ends()
    await correct(system, 0, CALLS_SENT, CALLS_SENT)  # writes every row anew, behind the cut
    await stop(system)
    await changelogs.cut({tp: offset for tp, offset in cut.items() if offset})

    await system.start_worker(disk)
    await system.writer.write(calls(0, CALLS_SENT, duration=0, talk_round=0, ring_type="busy"), now_ms())  # repeats

    await process_all(system, CALLS_SENT, CALLS_SENT + 20)
    revisions = [call.value.revision for call in await system.read(CALLS, 1, "wf-1")]
    assert (revisions.count(1), revisions.count(2), len(revisions)) == (
        CALLS_SENT + 20,
        CALLS_SENT,
        2 * CALLS_SENT + 20,
    )


async def test_a_worker_with_its_disk_counts_exactly_though_its_changelogs_are_empty(
    system: WorkerSystem, changelogs: Changelogs
) -> None:
    await system.start_worker()
    await process_all(system, 0, CALLS_SENT)
    await stop(system)
    await changelogs.empty()

    await system.start_worker()
    await system.writer.write(calls(0, CALLS_SENT), now_ms())  # repeats

    await process_all(system, CALLS_SENT, CALLS_SENT + 20)
    assert len(await system.read(CALLS, 1, "wf-1")) == CALLS_SENT + 20


async def test_a_worker_without_anything_left_starts_from_nothing_and_loses_no_call(
    system: WorkerSystem, changelogs: Changelogs
) -> None:
    await system.start_worker()
    await process_all(system, 0, CALLS_SENT)
    await stop(system)
    await changelogs.empty()

    await system.start_worker("an empty disk")
    await system.writer.write(calls(CALLS_SENT, CALLS_SENT + 20), now_ms())
    await system.wait_until_processed()

    assert len(await system.read(CALLS, 1, "wf-1")) == CALLS_SENT + 20


@DISKS
async def test_compacted_changelogs_give_each_row_as_it_was_last(
    system: WorkerSystem, changelogs: Changelogs, disk: str
) -> None:
    await changelogs.let_compact()
    await system.start_worker()
    for last in range(10, CALLS_SENT + 1, 10):
        await process_all(system, last - 10, last)
    await correct(system, 0, CALLS_SENT, CALLS_SENT)
    await stop(system)
    await changelogs.wait_for_compaction(*TABLES)

    await system.start_worker(disk)
    await system.writer.write(calls(0, CALLS_SENT, duration=0, talk_round=0, ring_type="busy"), now_ms())  # repeats

    await process_all(system, CALLS_SENT, CALLS_SENT + 20)
    assert len(await system.read(CALLS, 1, "wf-1")) == 2 * CALLS_SENT + 20


@DISKS
@pytest.mark.parametrize("compacted", [False, True], ids=["tombstones", "tombstones compacted away"])
async def test_closed_windows_stay_closed_though_nothing_of_them_is_left_but_tombstones(
    system: WorkerSystem, changelogs: Changelogs, disk: str, compacted: bool
) -> None:
    system.settings = {"STREAMS_WINDOW_S": "1", "STREAMS_GRACE_S": "1"}
    if compacted:
        await changelogs.let_compact()
    worker = await system.start_worker()
    at = now_ms()
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at / 1000))
    await system.writer.write(calls(0, CALLS_SENT, call_end_time=end), at)

    async def is_cleared() -> bool:
        records = [record for tp in changelogs.partitions for record in await changelogs.read(tp)]
        rows = {(record.topic, record.partition, record.key): record.value for record in records}
        panes = [value for (topic, _, key), value in rows.items() if "windows" in topic and key.startswith(b"p")]
        return await all_are_final(system, CALLS_SENT) and not any(panes)

    await wait_until(is_cleared, CLOSED_S, "every call is counted, every window is final and its row is cleared")
    before = await published(system)
    assert worker.terminate() == 0
    if compacted:
        await changelogs.wait_for_compaction(WORKFLOW_WINDOWS_TABLE, SIP_LINE_WINDOWS_TABLE)

    await system.start_worker(disk)
    await system.writer.write(calls(0, CALLS_SENT, call_end_time=end), now_ms())  # repeats
    await system.writer.write(calls(CALLS_SENT, CALLS_SENT + 5, call_end_time=end), now_ms())
    late = await system.read(LATE_CALLS, 5)
    await system.wait_until_processed()

    assert sorted(read.key for read in late) == sorted(f"c{i}" for i in range(CALLS_SENT, CALLS_SENT + 5))
    await close_others(system)
    assert await published(system) == before, "a closed window was published again"


async def all_are_final(system: WorkerSystem, count: int) -> bool:
    """Whether so many calls are counted, all of them in final windows."""
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        windows = (await system.windows(topic)).values()
        if sum(window.calls for window in windows if window.is_final) != count:
            return False
    return True


async def published(system: WorkerSystem) -> list[tuple[str, str, int, bool]]:
    """Every result of the windows, but for those of `close_others`."""
    results = [read for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES) for read in await system.read(topic)]
    return sorted(
        (read.topic, read.key, read.value.revision, read.value.is_final)
        for read in results
        if not read.value.value.startswith(OTHERS)
    )


async def close_others(system: WorkerSystem) -> None:
    """Wait until windows that opened just now, in every partition, are final: older ones would have closed before."""
    at = now_ms()
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at / 1000))
    names = [f"{OTHERS}{number}" for number in range(4 * system.partitions)]
    others = [delivery(detail(name, call_end_time=end), workflow=name, line=name) for name in names]
    await system.writer.write(others, at)

    async def are_final() -> bool:
        for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
            windows = await system.windows(topic, *names)
            if len(windows) < len(names) or not all(window.is_final for window in windows.values()):
                return False
        return True

    await wait_until(are_final, CLOSED_S, "the windows of others are final")
