"""A broker, a registry and workers to be broken, and the means to write, to wait and to read everything back."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.errors import SchemaError
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, CALLS, CO_PARTITIONED
from tests.support.comparison import OUTPUTS, Outputs, Poison, Report, compare
from tests.support.oracle import PROBE, Arrival, event_id_of
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.processes.worker import WorkerSystem
from tests.support.topics import CallbackWriter, all_records, callback_of
from tests.support.traffic import Broken, Json
from tests.support.waiting import wait_until

GROUP = "airudder-streams"
WORKED_OFF_S = 180
WRITE_TRIES = 5


@dataclass
class FaultySystem:
    """Everything at hand; `sent` are the deliveries by event_id."""

    kafka: KafkaProcess
    registry: RegistryProcess
    system: WorkerSystem
    sent: dict[str, Json] = field(default_factory=dict)
    written: int = 0

    async def write(self, batch: Sequence[Json | Broken], received_at: int) -> None:
        """Write a batch in order. After an error all of it is written again, as the provider would."""
        for tries in range(WRITE_TRIES):
            try:
                await self._write(batch, received_at)
                return
            except KafkaError:
                if tries == WRITE_TRIES - 1:
                    raise
                await self._reopen_writer()

    async def _write(self, batch: Sequence[Json | Broken], received_at: int) -> None:
        deliveries: list[Json] = []
        for item in [*batch, None]:
            if isinstance(item, dict):
                self.sent[event_id_of(item)] = item
                deliveries.append(item)
                continue
            await self.system.writer.write(deliveries, received_at)
            self.written += len(deliveries)
            deliveries = []
            if item is not None:
                await self.system.writer.write_raw(self._spoiled(item), item.key)

    def _spoiled(self, broken: Broken) -> bytes | None:
        if broken.base is None:
            return broken.value
        wire = self.system.registry.encode(CALLBACKS, callback_of(broken.base, 0))
        return {"cut": wire[:-7], "longer": wire + b"x", "unknown schema": b"\x00\x7f\xff\xff\xff" + wire[5:]}[
            broken.spoiled
        ]

    async def _reopen_writer(self) -> None:
        with contextlib.suppress(KafkaError):
            await self.system.writer.__aexit__()
        self.system.writer = await CallbackWriter(self.system.bootstrap, self.system.registry).__aenter__()

    async def wait_until_processed(self) -> None:
        """Wait until the group has committed all that it reads, twice in a row at the same ends."""
        before: dict[str, tuple[int, int]] = {}

        async def done() -> bool:
            nonlocal before
            now = await self.lags()
            settled = now == before and all(committed == end for committed, end in now.values())
            before = now
            return settled

        try:
            await wait_until(done, WORKED_OFF_S, "the group has worked everything off")
        except AssertionError as error:
            behind = {at: pair for at, pair in (await self.lags()).items() if pair[0] != pair[1]}
            raise AssertionError(f"{error}: committed and end are {behind}") from error

    async def lags(self) -> dict[str, tuple[int, int]]:
        """Committed offset (0 when none) and end offset of every partition the workers read."""
        async with _consumer(self.system.bootstrap) as consumer:
            admin = AIOKafkaAdminClient(bootstrap_servers=self.system.bootstrap)
            await admin.start()
            try:
                offsets = await admin.list_consumer_group_offsets(GROUP)
            finally:
                await admin.close()
            topics = [topic.name for topic in CO_PARTITIONED]
            partitions = [TopicPartition(topic, p) for topic in topics for p in range(self.system.partitions)]
            ends = await consumer.end_offsets(partitions)
        return {f"{tp.topic}-{tp.partition}": (_committed(offsets.get(tp)), end) for tp, end in ends.items()}

    async def processed(self) -> int:
        """The end offsets of the calls topic, added up: a cheap sign of progress."""
        async with _consumer(self.system.bootstrap) as consumer:
            return sum((await consumer.end_offsets(_partitions(CALLS.name, self.system.partitions))).values())

    async def log(self) -> tuple[list[Arrival], list[Poison]]:
        """The callbacks topic as it stands: deliveries in the order of each partition, and what cannot be read."""
        arrivals, poison = [], []
        for record in await self._raw(CALLBACKS.name):
            try:
                callback = await self.system.registry.decode(record.value or b"", Callback)
            except SchemaError:
                poison.append(Poison(record.partition, record.offset, record.key, record.value))
                continue
            if callback.workflow_id != PROBE:
                delivery = self.sent[callback.event_id]
                arrivals.append(Arrival(delivery, callback.received_at, record.partition))
        return arrivals, poison

    async def _raw(self, topic: str) -> list[Any]:
        async with _consumer(self.system.bootstrap) as consumer:
            return await all_records(consumer, topic)

    async def outputs(self) -> Outputs:
        """All output topics, whole."""
        return {topic.name: await self.system.subscriber.read(topic) for topic in OUTPUTS}

    async def compare(self, *, window_ms: int = 300_000, allow_late: bool = False) -> Report:
        """Everything that was written and everything that came out, held against the oracle."""
        arrivals, poison = await self.log()
        missing = self.sent.keys() - {arrival.event_id for arrival in arrivals}
        assert not missing, f"{len(missing)} deliveries never reached the callbacks topic: the test itself failed"
        return compare(arrivals, poison, await self.outputs(), window_ms=window_ms, allow_late=allow_late)


def _committed(offset: Any) -> int:
    return 0 if offset is None or offset.offset < 0 else int(offset.offset)


def _partitions(topic: str, count: int) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(count)]


@contextlib.asynccontextmanager
async def _consumer(bootstrap: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


@contextlib.asynccontextmanager
async def faulty_system(directory: Path, settings: dict[str, str], partitions: int = 3) -> AsyncIterator[FaultySystem]:
    """A new installation below `directory`, without a worker."""
    async with AsyncExitStack() as stack:
        kafka, registry = KafkaProcess(directory / "kafka"), RegistryProcess(directory / "registry")
        for service in (kafka, registry):
            stack.push_async_callback(asyncio.to_thread, service.stop)
            await asyncio.to_thread(service.start)
        (directory / "workers").mkdir(parents=True)
        system = WorkerSystem(kafka.bootstrap_servers, registry.url, directory / "workers", partitions, settings)
        yield FaultySystem(kafka, registry, await stack.enter_async_context(system))
