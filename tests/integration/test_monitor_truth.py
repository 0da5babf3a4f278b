"""The age of the next record against the truth, in five shapes of traffic; and one poison record among 12 partitions.

All of it moves at the same time, once: a stall takes half a minute to be one.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic

from schemas.connection import RegistryConnection
from schemas.errors import DecodeError
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.topics import CALLBACKS
from streams.monitor.lag import poller as polling
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, PartitionLag
from streams.monitor.records.one import RecordReader
from streams.monitor.records.one_view import record_view
from streams.monitor.settings import MonitorSettings
from streams.settings import KafkaSettings
from tests.support.lag_shapes import Pace, Seen, flowing, observe
from tests.support.processes.monitor import admin_client
from tests.support.records import callback

PARTITIONS, POISONED, UNKNOWN_ID = 12, 5, 2_000_000_007
NAMED_WITHIN_S = 60  # line 4 of monitoring.md
PACE = Pace(burst_every_s=10.0, burst_read_rate=120.0, rare_every_s=6.0, rare_work_s=2.0)
GOOD_EACH = 40


@dataclass
class Poisoned:
    """A topic of ours whose reader stands still at one record of one partition, and goes on with all others."""

    kafka: KafkaSettings
    registry_url: str
    group: str = field(default_factory=lambda: f"truth-poison-{uuid.uuid4().hex[:8]}")
    sent_at_s: float = 0.0
    offset: int = -1

    @property
    def topic(self) -> str:
        return self.kafka.names.of(CALLBACKS)

    @asynccontextmanager
    async def standing(self) -> AsyncIterator[None]:
        """The reader at work, one record of each partition at a time."""
        registry = Registry(RegistryConnection(url=self.registry_url, topic_prefix=self.kafka.topic_prefix))
        consumer = AIOKafkaConsumer(
            self.topic,
            bootstrap_servers=self.kafka.bootstrap_servers,
            group_id=self.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
        )
        async with admin_client(self.kafka.bootstrap_servers) as admin:
            await admin.create_topics([NewTopic(self.topic, PARTITIONS, 1, topic_configs=CALLBACKS.config())])
        await registry.register([CALLBACKS])
        await self._send(registry.encode(CALLBACKS, callback()))
        await consumer.start()
        task = asyncio.create_task(self._read(consumer, registry))
        try:
            yield
            assert not task.done(), task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await consumer.stop()
            await registry.aclose()

    async def _send(self, good: bytes) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap_servers, acks="all") as producer:
            self.sent_at_s = time.monotonic()
            for number in range(GOOD_EACH):
                for partition in range(PARTITIONS):
                    is_poison = (number, partition) == (3, POISONED)
                    value = b"\0" + UNKNOWN_ID.to_bytes(4, "big") + good[5:] if is_poison else good
                    sent = await producer.send_and_wait(self.topic, value, partition=partition)
                    self.offset = sent.offset if is_poison else self.offset

    async def _read(self, consumer: AIOKafkaConsumer, registry: Registry) -> None:
        while True:
            for partition, records in (await consumer.getmany(timeout_ms=200, max_records=6)).items():
                for record in records:
                    try:
                        await registry.decode(record.value, Callback)
                    except DecodeError:
                        consumer.pause(partition)
                        break
                    await consumer.commit({TopicPartition(*partition): record.offset + 1})


@dataclass
class Observed:
    """What one minute showed."""

    seen: Seen
    poisoned: Poisoned
    stalled_after_s: float
    rows: list[PartitionLag]
    last_sum: int
    record: dict[str, object]


@pytest.fixture(scope="module")
def observed(kafka_bootstrap: str, registry_url: str) -> Iterator[Observed]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(polling, "AHEAD_BUDGET_S", 30.0)  # a busy machine may take longer than the half second
        yield asyncio.run(_observed(kafka_bootstrap, registry_url))


async def _observed(bootstrap: str, registry_url: str) -> Observed:
    kafka = KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=f"t{uuid.uuid4().hex[:8]}.")
    settings = MonitorSettings(
        kafka=kafka,
        registry=RegistryConnection(url=registry_url, topic_prefix=kafka.topic_prefix),
        app_id="nobody",
        groups="truth-*",
    )
    poisoned, poller = Poisoned(kafka, registry_url), LagPoller(settings)
    stalled_at: list[float] = []
    sums: list[int] = []

    def goes_on(_: Seen) -> bool:
        rows = _rows(poller, poisoned)
        sums.extend([sum(row.lag or 0 for row in rows)] if rows else [])
        if not stalled_at and any(row.verdict == "stall" for row in rows):
            stalled_at.append(time.monotonic())
        return not stalled_at and time.monotonic() - poisoned.sent_at_s < NAMED_WITHIN_S

    async with poisoned.standing(), flowing(bootstrap, PACE) as shapes:
        seen = await observe(poller, shapes, goes_on, 0.2)
    rows = _rows(poller, poisoned)
    await poller.aclose()
    reader = RecordReader(settings)
    found = record_view(await reader.read(Partition(poisoned.topic, POISONED), poisoned.offset), 0)
    await reader.aclose()
    after_s = stalled_at[0] - poisoned.sent_at_s if stalled_at else NAMED_WITHIN_S
    return Observed(seen, poisoned, after_s, rows, sums[-1], found["record"])


def _rows(poller: LagPoller, poisoned: Poisoned) -> list[PartitionLag]:
    groups: tuple[GroupLag, ...] = () if poller.as_of_ms is None else poller.snapshot.groups
    return [row for group in groups if group.consumergroup == poisoned.group for row in group.partitions]


def test_the_age_of_the_next_record_is_true_within_a_second_in_every_shape(observed: Observed) -> None:
    seen = observed.seen

    assert set(seen.worst_s) == {"steady", "bursts", "rare", "idle", "stopped"}
    assert max(seen.worst_s.values()) <= 1.0, seen.worst_s
    assert (seen.negative, seen.unknown) == (0, 0)
    assert seen.polls - seen.failed > 20
    # it had something to tell
    assert seen.highest_s["bursts"] > 2
    assert seen.highest_s["rare"] > 1
    assert seen.highest_s["stopped"] > 20
    assert seen.highest_s["idle"] == 0


def test_a_poison_record_is_named_by_its_partition_and_offset_while_the_sum_falls(observed: Observed) -> None:
    stalled = [row for row in observed.rows if row.verdict == "stall"]

    assert observed.stalled_after_s < NAMED_WITHIN_S
    assert [(row.topic, row.partition, row.current_offset) for row in stalled] == [
        (observed.poisoned.topic, POISONED, observed.poisoned.offset)
    ]
    assert observed.last_sum < PARTITIONS * GOOD_EACH  # it fell from all that was sent, however late the first look
    assert {row.verdict for row in observed.rows if row.partition != POISONED} == {"ok"}


def test_the_poison_record_says_which_schema_id_nobody_knows(observed: Observed) -> None:
    record = observed.record

    assert (record["offset"], record["schema_id"], record["value"]) == (observed.poisoned.offset, UNKNOWN_ID, None)
    assert record["error"] == {"code": "unknown_schema", "detail": "the schema registry does not know this id"}
