"""Copies what the gateway wrote into the topics of another prefix, so that a worker there processes all of it again.

Records of one key keep their order: they lie in one partition, are read in order, and are sent in order to one
partition. Key, headers and record stay the same; `replayed_from` says where the record was read. Only a value that was
written under another schema id is encoded anew, since the former subjects may be deleted one day.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from schemas import codec
from schemas.errors import DecodeError
from schemas.headers import REPLAYED_FROM, Headers
from schemas.placement import partition_of
from schemas.reader import Offsets, StoredRecord, TopicReader, only
from schemas.records.types import TYPES
from schemas.registry import Registry
from schemas.topics import TOPICS, Topic
from streams.tools.growing.marks import Mark, Marks
from streams.tools.kafka import pace

# The sources of truth. Whatever the worker writes follows from the callbacks.
COPIED: Final = tuple(topic for topic in TOPICS if topic.writer == "gateway")
CHUNK_RECORDS: Final = 1000
CHUNK_BYTES: Final = 16 * 1024 * 1024
CHUNKS_A_SECOND: Final = 10  # with a rate


class Target(NamedTuple):
    """Where records go: real names and numbers of partitions by declared names, and the ids of the schemas."""

    names: Mapping[str, str]
    partitions: Mapping[str, int]
    registry: Registry
    producer: Any


class Copy:
    """One run. `on_progress` gets the number of records that are acknowledged."""

    def __init__(
        self, reader: TopicReader, target: Target, marks: Marks, on_progress: Callable[[int], None], rate: float | None
    ) -> None:
        self._reader = reader
        self._target = target
        self._marks = marks
        self._on_progress = on_progress
        self._rate = rate
        self._free_at = time.monotonic()
        self._chunk = CHUNK_RECORDS if rate is None else max(1, min(CHUNK_RECORDS, int(rate / CHUNKS_A_SECOND)))

    async def run(self, found: Mapping[TopicPartition, Mark], ends: Offsets) -> dict[str, int]:
        """Copy from the marks up to `ends`. Returns how many records of each topic, by declared names.

        Raises: aiokafka's errors when a record is not acknowledged. Repeat: safe; it goes on from the marks.
        """
        marks = dict(found)
        return {topic.name: await self._copy(topic, marks, ends) for topic in COPIED}

    async def _copy(self, topic: Topic, marks: dict[TopicPartition, Mark], ends: Offsets) -> int:
        due = only([self._reader.names.of(topic)], ends)
        chunk: list[StoredRecord] = []
        count = size = 0
        async for record in self._reader.records({tp: marks[tp].offset for tp in due}, due):
            chunk.append(record)
            size += len(record.value or b"")
            if len(chunk) >= self._chunk or size > CHUNK_BYTES:
                count += await self._send(topic, chunk, marks)
                chunk, size = [], 0
        count += await self._send(topic, chunk, marks)
        marks.update({tp: mark._replace(offset=due[tp]) for tp, mark in marks.items() if tp in due})
        await self._marks.set({tp: marks[tp] for tp in due})  # past markers of transactions
        return count

    async def _send(self, topic: Topic, chunk: Sequence[StoredRecord], marks: dict[TopicPartition, Mark]) -> int:
        """Send, await every acknowledgement, then move the marks of the partitions that were read."""
        self._free_at = await pace(self._free_at, len(chunk), self._rate)
        sent = [await self._hand_over(topic, record) for record in chunk]
        for acknowledged in sent:
            await acknowledged
        moved: dict[TopicPartition, Mark] = {}
        for record in chunk:
            tp = TopicPartition(record.topic, record.partition)
            marks[tp] = moved[tp] = Mark(record.offset + 1, marks[tp].copied + 1)
        if moved:
            await self._marks.set(moved)
        self._on_progress(len(chunk))
        return len(chunk)

    async def _hand_over(self, topic: Topic, record: StoredRecord) -> asyncio.Future[Any]:
        partitions = self._target.partitions[topic.name]
        place = record.partition % partitions
        if record.key is not None:
            place = partition_of.__wrapped__(record.key, partitions)
        sent: asyncio.Future[Any] = await self._target.producer.send(
            self._target.names[topic.name],
            await self._value(topic, record.value),
            key=record.key,
            partition=place,
            headers=_headers(record),
        )
        return sent

    async def _value(self, topic: Topic, value: bytes | None) -> bytes | None:
        """The value under the id of our schema there. What cannot be read is a dead letter there as well."""
        registry = self._target.registry
        try:
            if value is None or codec.schema_id_of(value) == registry.id_of(topic):
                return value
            return registry.encode(topic, await registry.decode(value, TYPES[topic.record]))
        except DecodeError:
            return value


def _headers(record: StoredRecord) -> Headers:
    kept = [(name, value) for name, value in record.headers if name != REPLAYED_FROM]
    return [*kept, (REPLAYED_FROM, f"{record.topic}[{record.partition}]@{record.offset}".encode())]
