"""How a worker ends: hung in recovery, in an agent, in its loop, or told to stop meanwhile. An idle one goes on."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.reader import TopicReader
from schemas.topics import CALLBACKS, CALLS, WORKFLOW_OUTCOMES
from streams.settings import DEFAULT_APP_ID, KafkaSettings
from streams.worker.app import STOP_TIMEOUT_S
from tests.conftest import StartKafka
from tests.integration.hurried_worker import HANG_KEY
from tests.support.deliveries import delivery, detail
from tests.support.processes.service import KafkaProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem
from tests.support.times import now_ms
from tests.support.topics import callback_of
from tests.support.waiting import wait_until

HURRIED = ("-m", "tests.integration.hurried_worker")
NO_PROGRESS_S = 15
STOPPED_S = STOP_TIMEOUT_S + 15
"""From SIGTERM to the end of the process, on a busy machine."""
EXIT_S = 30
"""From the bound to the end of the process: the watchdog's next look, the dump, the exit, on a busy machine."""


@pytest.fixture
def kafka(start_kafka: StartKafka) -> KafkaProcess:
    return start_kafka()


@pytest.fixture
async def system(kafka: KafkaProcess, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    """Its workers take 15 s without progress for a hang."""
    settings = {"HURRIED_NO_PROGRESS_S": str(NO_PROGRESS_S)}
    async with WorkerSystem(
        kafka.bootstrap_servers, registry_url, tmp_path, settings=settings, command=HURRIED
    ) as system:
        yield system


async def end_of(worker: WorkerProcess, within_s: float) -> int:
    """The exit code."""
    return await asyncio.to_thread(worker.process.wait, within_s)


async def write(system: WorkerSystem, first: int, last: int) -> None:
    await system.writer.write([delivery(detail(f"c{i}")) for i in range(first, last)], now_ms())


async def write_hang(system: WorkerSystem) -> None:
    """A callback at which the worker hangs: a good one, for whoever does not."""
    callback = callback_of(delivery(detail("hung"), workflow="__probe__"), now_ms())
    await system.writer.write_raw(system.registry.encode(CALLBACKS, callback), HANG_KEY)


async def assert_all_is_there(system: WorkerSystem, count: int) -> None:
    """With a worker that does not hang: every call once, every window exact."""
    await system.start_worker(HURRIED_HANG="")
    await system.wait_for_calls(WORKFLOW_OUTCOMES, count)
    await system.wait_until_processed()
    await system.wait_for_calls(WORKFLOW_OUTCOMES, count)
    assert {call.key for call in await system.read(CALLS, count, "wf-1")} == {f"c{i}" for i in range(count)}


async def test_a_recovery_that_hangs_ends_the_worker_within_its_bound_and_names_the_reason(
    system: WorkerSystem, kafka: KafkaProcess
) -> None:
    first = await system.start_worker("w1")
    await write(system, 0, 300)
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 300)
    assert first.terminate() == 0
    began_s = time.monotonic()
    worker = system.launch_worker("w2")
    await wait_until(lambda: is_recovering(worker), 60, "the worker has seen its topics")

    kafka.freeze()
    try:
        code = await end_of(worker, NO_PROGRESS_S + EXIT_S)
    finally:
        kafka.thaw()

    assert code == 70
    assert time.monotonic() - began_s > NO_PROGRESS_S
    log = worker.log.read_text()
    assert f"nothing got done for {NO_PROGRESS_S} s (" in log, log[-2000:]
    assert "Thread 0x" in log
    await assert_all_is_there(system, 300)


async def test_a_hung_agent_ends_the_worker_and_the_next_one_does_all_that_was_left(system: WorkerSystem) -> None:
    worker = await system.start_worker(HURRIED_HANG="awaits")
    await write(system, 0, 50)
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 50)
    await write_hang(system)
    await write(system, 50, 100)

    assert await end_of(worker, NO_PROGRESS_S + EXIT_S) == 70
    log = worker.log.read_text()
    assert f"nothing got done for {NO_PROGRESS_S} s (ready)" in log
    assert "Thread 0x" in log
    await assert_all_is_there(system, 100)


async def test_a_fetcher_that_hangs_ends_the_worker_though_nothing_is_in_hand(system: WorkerSystem) -> None:
    worker = await system.start_worker(HURRIED_HANG="fetches")
    await write(system, 0, 50)

    assert await end_of(worker, NO_PROGRESS_S + EXIT_S) == 70
    assert f"nothing got done for {NO_PROGRESS_S} s (ready)" in worker.log.read_text()
    await assert_all_is_there(system, 50)


async def test_an_agent_that_raises_ends_the_worker_and_its_record_is_not_committed(system: WorkerSystem) -> None:
    worker = await system.start_worker(HURRIED_HANG="raises")
    await write_hang(system)
    await write(system, 0, 50)

    assert await end_of(worker, EXIT_S) == 70
    [raised] = [read for read in await system.read(CALLBACKS) if read.key == HANG_KEY.decode()]
    assert (await ends_and_commits(system))[raised.topic, raised.partition][1] <= raised.offset
    await assert_all_is_there(system, 50)


async def test_a_loop_that_does_not_turn_ends_the_worker(system: WorkerSystem) -> None:
    worker = await system.start_worker(HURRIED_HANG="blocks", HURRIED_LOOP_STUCK_S="5")
    await write_hang(system)

    async def is_told() -> bool:
        return worker.process.poll() is not None or "stuck" in await worker.health("livez")

    await wait_until(is_told, 5 + EXIT_S, "livez says that the loop is stuck, or the worker has ended")
    assert await end_of(worker, EXIT_S) == 70
    log = worker.log.read_text()
    assert "the event loop is stuck" in log
    assert "hurried_worker.py" in log.split("Thread 0x", 1)[1], "the stacks say where it hangs"


async def test_an_idle_worker_raises_no_alarm(system: WorkerSystem) -> None:
    worker = await system.start_worker()
    await write(system, 0, 20)
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 20)
    idle_until = time.monotonic() + 2 * NO_PROGRESS_S

    async def was_idle() -> bool:
        assert await worker.is_ready()
        return time.monotonic() > idle_until

    await wait_until(was_idle, 4 * NO_PROGRESS_S, "twice the bound without work")
    assert worker.terminate() == 0


async def test_told_to_stop_with_a_hung_agent_it_ends_in_time_and_commits_nothing_past_the_hang(
    system: WorkerSystem,
) -> None:
    system.settings = {"HURRIED_HANG": "awaits"}
    worker = await system.start_worker()
    await write(system, 0, 50)
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 50)
    await system.wait_until_processed()
    before = await ends_and_commits(system)
    await write_hang(system)
    await write(system, 50, 100)
    await wait_until(lambda: is_held(system, worker), 30, "the agent has taken the record and hangs")

    assert await asyncio.to_thread(worker.terminate, STOPPED_S) == 0
    after = await ends_and_commits(system)
    assert all(after[tp][1] >= end for tp, (end, _) in before.items()), "what was done before is committed"
    [hung] = [read for read in await system.read(CALLBACKS) if read.key == HANG_KEY.decode()]
    assert after[hung.topic, hung.partition][1] <= hung.offset, "the record in hand is not committed"
    await assert_all_is_there(system, 100)


async def test_told_to_stop_while_the_broker_is_away_it_ends_in_time(system: WorkerSystem, kafka: KafkaProcess) -> None:
    worker = await system.start_worker()
    kafka.freeze()
    try:
        code = await asyncio.to_thread(worker.terminate, STOPPED_S)
    finally:
        kafka.thaw()

    assert code in (0, 70)
    if code == 70:
        assert "not stopped within" in worker.log.read_text()


async def test_told_to_stop_while_it_starts_it_ends_in_time(system: WorkerSystem, kafka: KafkaProcess) -> None:
    worker = system.launch_worker()
    await wait_until(lambda: is_recovering(worker), 60, "the worker has seen its topics")
    kafka.freeze()
    try:
        code = await asyncio.to_thread(worker.terminate, STOPPED_S)
    finally:
        kafka.thaw()

    assert code in (0, 70)


async def is_recovering(worker: WorkerProcess) -> bool:
    return "recovering" in await worker.health("readyz")


async def is_held(system: WorkerSystem, worker: WorkerProcess) -> bool:
    return await system.metric(worker, "stream_unsettled_runs ") > 0


async def ends_and_commits(system: WorkerSystem) -> dict[tuple[str, int], tuple[int, int]]:
    """End and committed offset of each partition of the callbacks topic."""
    async with TopicReader(KafkaSettings(bootstrap_servers=system.bootstrap), DEFAULT_APP_ID) as reader:
        committed, ends = await reader.committed(CALLBACKS), await reader.ends(CALLBACKS)
    return {tuple(tp): (end, committed.get(tp, 0)) for tp, end in ends.items()}
