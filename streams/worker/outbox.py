"""Records on their way to Kafka: packed into batches by partition, handed over in order, one future per batch.

Source of the shape: a future per record is what stock Faust spends most of its time on.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final, NamedTuple

from aiokafka.errors import KafkaTimeoutError
from msgspec import Struct

from schemas.headers import Headers

# aiokafka raises KafkaTimeoutError when an earlier batch of the partition was not sent in time; it accepted nothing.
RETRY_PAUSE_S: Final = 0.5


class Outgoing(Struct, gc=False):
    """One record to be sent. `value` None is a tombstone. gc=False: tens of thousands live at once, without cycles."""

    topic: str
    partition: int
    key: bytes
    value: bytes | None
    headers: Headers


class SentBatch(NamedTuple):
    """One batch that the producer accepted. `delivered` gives its RecordMetadata, or raises."""

    topic: str
    partition: int
    records: int
    delivered: asyncio.Future[Any]


class Outbox:
    """Hands records to the producer. Records of one partition keep the order in which they were given.

    Use from one task at a time: two tasks waiting for the same partition could overtake each other.
    """

    def __init__(self, producer: Callable[[], Any]) -> None:
        self._producer = producer

    async def hand_over(self, records: Iterable[Outgoing]) -> list[SentBatch]:
        """Pack, and give the producer. Waits while its buffers are full; the caller awaits delivery."""
        by_partition: dict[tuple[str, int], list[Outgoing]] = {}
        for record in records:
            by_partition.setdefault((record.topic, record.partition), []).append(record)
        sent = await asyncio.gather(*(self._send_all(*place, some) for place, some in by_partition.items()))
        return [batch for batches in sent for batch in batches]

    async def _send_all(self, topic: str, partition: int, records: Sequence[Outgoing]) -> list[SentBatch]:
        sent = []
        for batch in self._pack(records):
            sent.append(SentBatch(topic, partition, batch.record_count(), await self._send(batch, topic, partition)))
        return sent

    def _pack(self, records: Sequence[Outgoing]) -> list[Any]:
        batches = [self._producer().create_batch()]
        for record in records:
            if not _append(batches[-1], record):
                batches.append(self._producer().create_batch())
                if not _append(batches[-1], record):  # an empty batch takes any single record
                    raise ValueError(f"a record for {record.topic} does not fit into an empty batch")
        for batch in batches:
            batch.close()
        return batches

    async def _send(self, batch: Any, topic: str, partition: int) -> asyncio.Future[Any]:
        while True:
            try:
                return await self._producer().send_batch(batch, topic, partition=partition)  # type: ignore[no-any-return]
            except KafkaTimeoutError:
                await asyncio.sleep(RETRY_PAUSE_S)


def _append(batch: Any, record: Outgoing) -> bool:
    """False when the batch has no room for it."""
    appended = batch.append(timestamp=None, key=record.key, value=record.value, headers=record.headers)
    return appended is not None
