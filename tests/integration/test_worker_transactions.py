"""The worker beside transactional producers: offsets without records are no work, and what was aborted never happened.

Such producers are no part of this system: a mirror or a restore with exactly-once writes so.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from confluent_kafka import Producer

from gateway.settings import GatewaySettings
from schemas.reader import TopicReader
from schemas.topics import (
    CALLBACKS,
    CALLS,
    CALLS_TABLE,
    CO_PARTITIONED,
    DEAD_LETTERS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    REKEYED_DETAILS,
    WORKFLOW_OUTCOMES,
    changelog_name,
)
from streams.settings import DEFAULT_APP_ID, KafkaSettings
from streams.worker.horizon import HorizonPoller
from tests.support.deliveries import delivery, detail
from tests.support.processes.service import KafkaProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem
from tests.support.times import ended, now_ms
from tests.support.topics import callback_of
from tests.support.waiting import PATIENCE_S, wait_until

PARTITIONS = 3
READ = [TopicPartition(topic.name, number) for topic in CO_PARTITIONED for number in range(PARTITIONS)]


class Mirror:
    """Somebody else's transactional producer."""

    def __init__(self, bootstrap: str, name: str) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": name, "log_level": 0})
        self._producer.init_transactions(30)

    @contextmanager
    def transaction(self, *, commit: bool) -> Iterator[Any]:
        """Yields a function that produces; at the end all of it counts, or none."""
        self._producer.begin_transaction()
        yield self.write
        self.flush()
        if commit:
            self._producer.commit_transaction(30)
        else:
            self._producer.abort_transaction(30)

    def write(self, topic: str, partition: int, value: bytes, key: bytes = b"k") -> None:
        self._producer.produce(topic, value, key, partition)

    def flush(self) -> None:
        self._producer.flush(30)


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One broker for all; each test has its own workflows and calls."""
    with KafkaProcess(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture
async def system(broker: str, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    async with WorkerSystem(broker, registry_url, tmp_path, PARTITIONS) as system:
        system.settings = {"STREAMS_WINDOW_S": "1", "STREAMS_GRACE_S": "1"}
        yield system


async def unread(system: WorkerSystem) -> dict[TopicPartition, int]:
    """End less committed, as any tool computes it, where it is not 0."""
    admin = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=system.bootstrap, enable_auto_commit=False)
    await admin.start()
    await consumer.start()
    try:
        committed = await admin.list_consumer_group_offsets(DEFAULT_APP_ID)
        ends = await consumer.end_offsets(READ)
        done = {tp: committed[tp].offset if tp in committed else 0 for tp in READ}
        return {tp: end - done[tp] for tp, end in ends.items() if end != done[tp]}
    finally:
        await consumer.stop()
        await admin.close()


def wire(system: WorkerSystem, call_id: str, workflow: str = "mirrored") -> bytes:
    mirrored = delivery(detail(call_id, ended(now_ms())), workflow=workflow)
    return system.registry.encode(CALLBACKS, callback_of(mirrored, now_ms()))


async def final_workflows(system: WorkerSystem) -> set[str]:
    windows = (await system.windows(WORKFLOW_OUTCOMES)).values()
    return {window.value for window in windows if window.is_final}


def end_changelogs_with_markers(system: WorkerSystem) -> None:
    changelog, row = changelog_name(DEFAULT_APP_ID, CALLS_TABLE), b"\0" * 8 + b"\x80"
    for number, commits in enumerate((True, False, False)):
        with Mirror(system.bootstrap, f"mirror-{number}").transaction(commit=commits) as write:
            write(changelog, number, row, f"foreign-{number}".encode())


async def test_markers_and_aborted_records_are_no_backlog_and_hold_no_window_open(system: WorkerSystem) -> None:
    end_changelogs_with_markers(system)
    worker = await asyncio.wait_for(system.start_worker(), 60)
    mirror = Mirror(system.bootstrap, "mirror")
    with mirror.transaction(commit=True) as write:  # a commit marker ends partition 0
        write(CALLBACKS.name, 0, wire(system, "committed"), b"committed")
    with mirror.transaction(commit=False) as write:  # partition 1 is nothing but aborted
        for number in range(5):
            write(CALLBACKS.name, 1, wire(system, f"aborted-{number}"))
    with mirror.transaction(commit=True) as write:  # an aborted batch follows what was committed
        write(CALLBACKS.name, 2, wire(system, "committed-2"), b"committed-2")
    with mirror.transaction(commit=False) as write:
        write(CALLBACKS.name, 2, wire(system, "aborted"))
        write(REKEYED_DETAILS.name, 0, wire(system, "aborted-rekeyed"))
        for topic in (OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE):
            write(topic.name, 1, b"no record of ours: it would be a dead letter")
    await system.writer.write([delivery(detail("control", ended(now_ms())), workflow="control")], now_ms())

    async def all_final() -> bool:
        return await final_workflows(system) >= {"mirrored", "control"}

    await wait_until(all_final, 60, "the final windows")

    async def nothing_unread() -> bool:
        return not await unread(system)

    await wait_until(nothing_unread, PATIENCE_S, "every tool to see a lag of 0")
    async with TopicReader(KafkaSettings(bootstrap_servers=system.bootstrap)) as reader:
        starts, ends = await reader.beginnings(CALLBACKS), await reader.ends(CALLBACKS)
        keys = [record.key async for record in reader.records(starts, ends)]
    tools = GatewaySettings.from_env({"KAFKA_BOOTSTRAP_SERVERS": system.bootstrap, "GATEWAY_OPS_PORT": "0"})
    async with TopicReader(tools.kafka) as gateway_reader:
        values = [record.value async for record in gateway_reader.in_order(CALLBACKS)]

    assert {call.key for call in await system.read(CALLS)} == {"committed", "committed-2", "control"}
    assert await system.read(DEAD_LETTERS) == []
    assert sorted(key or b"" for key in keys) == [b"committed", b"committed-2", b"control"]
    assert len(values) == len(keys)
    assert worker.process.poll() is None


async def test_an_open_transaction_is_waited_for_and_reported_and_does_not_look_like_work(system: WorkerSystem) -> None:
    worker = await system.start_worker()
    poller = HorizonPoller(
        KafkaSettings(bootstrap_servers=system.bootstrap),
        DEFAULT_APP_ID,
        {topic.name: PARTITIONS for topic in CO_PARTITIONED},
        (OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name),
    )
    mirror = Mirror(system.bootstrap, "mirror")
    with mirror.transaction(commit=True) as write:
        for number in range(PARTITIONS):
            write(CALLBACKS.name, number, wire(system, f"open-{number}", "open"), f"open-{number}".encode())
        mirror.flush()
        await system.writer.write([delivery(detail("behind", ended(now_ms())), workflow="behind")], now_ms())

        async def is_told() -> bool:
            await poller.poll(now_ms())
            return await system.metric(worker, "stream_held_partitions") == PARTITIONS

        await wait_until(is_told, 60, "the worker to tell of the open transaction")
        assert set(poller.held_since) == {tp for tp in READ if tp.topic == CALLBACKS.name}
        assert not any(poller.lags.values()), "what cannot be read is no work for the watchdog"
        assert "partition.held" in worker.log.read_text()
        assert await system.windows(WORKFLOW_OUTCOMES, "open", "behind") == {}
    await poller.stop()

    await system.wait_for_calls(WORKFLOW_OUTCOMES, PARTITIONS + 1, "open", "behind")
    await wait_until(lambda: nothing_held(system, worker), PATIENCE_S, "the worker to tell that nothing is held")


async def nothing_held(system: WorkerSystem, worker: WorkerProcess) -> bool:
    return await system.metric(worker, "stream_held_partitions") == 0
