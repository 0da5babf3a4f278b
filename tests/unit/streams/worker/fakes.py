"""A producer that takes real aiokafka batches and delivers them when the test says so."""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple

from aiokafka.errors import KafkaTimeoutError
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.memory_records import MemoryRecords

from streams.worker.outbox import Outgoing

BATCH_BYTES = 16_384


class Sent(NamedTuple):
    """One batch that the producer took over."""

    topic: str
    partition: int
    values: list[bytes | None]
    batch: Any
    was_closed: bool
    delivered: asyncio.Future[Any]


class Metadata(NamedTuple):
    """What a delivery tells of itself, as far as we look."""

    offset: int


class FakeProducer:
    """The part of AIOKafkaProducer that the outbox uses. `holding`: deliver only what `deliver` names.

    `away`: how often a batch is refused with KafkaTimeoutError before one is taken.
    """

    def __init__(self, *, holding: bool = False, batch_bytes: int = BATCH_BYTES) -> None:
        self.holding = holding
        self.away = 0
        self.batches: list[Sent] = []
        self._batch_bytes = batch_bytes
        self._ends: dict[tuple[str, int], int] = {}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(self._batch_bytes, 0)

    async def send_batch(self, batch: Any, topic: str, *, partition: int) -> asyncio.Future[Any]:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise KafkaTimeoutError
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        was_closed = batch.closed()  # reading the records closes it, too
        values = [record.value for record in records_of(batch)]
        self.batches.append(Sent(topic, partition, values, batch, was_closed, future))
        if not self.holding:
            self._deliver(self.batches[-1])
        return future

    def deliver(self, topic: str) -> None:
        """Acknowledge all that is waiting of a topic."""
        for sent in self.batches:
            if sent.topic == topic and not sent.delivered.done():
                self._deliver(sent)

    def refuse(self, topic: str, error: Exception) -> None:
        """The broker refuses all that is waiting of a topic."""
        for sent in self.batches:
            if sent.topic == topic and not sent.delivered.done():
                sent.delivered.set_exception(error)
                sent.delivered.exception()  # known to the test: no complaint when nobody else asks

    def values(self, topic: str, partition: int = 0) -> list[bytes | None]:
        """All values sent to one partition, in order."""
        return [v for sent in self.batches if (sent.topic, sent.partition) == (topic, partition) for v in sent.values]

    def _deliver(self, sent: Sent) -> None:
        place = (sent.topic, sent.partition)
        sent.delivered.set_result(Metadata(self._ends.get(place, 0)))
        self._ends[place] = self._ends.get(place, 0) + len(sent.values)


def records_of(batch: Any) -> list[Any]:
    """The records inside a batch, as a broker would see them."""
    memory = MemoryRecords(bytes(batch._build()))
    found = []
    while memory.has_next():
        found += list(memory.next_batch())
    return found


def outgoing(topic: str, value: bytes | None, partition: int = 0, key: bytes = b"k") -> Outgoing:
    return Outgoing(topic, partition, key, value, [])


async def turn(times: int = 20) -> None:
    """Let everything that can go on go on."""
    for _ in range(times):
        await asyncio.sleep(0)
