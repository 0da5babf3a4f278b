"""Reads topics up to their present end, for the tools: committed records by offset, without joining a group."""

import asyncio
import heapq
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.connection import KafkaConnection
from schemas.connection_faults import hidden_topic, principal
from schemas.errors import MissingTopicsError, UnreadableTopicError
from schemas.header_names import tolerate_header_names
from schemas.kafka_probe import explain
from schemas.topics import Topic

ANSWER_TIMEOUT_S: Final = 15.0
STALLED_S: Final = 30.0  # without progress before the end
STOP_TIMEOUT_S: Final = 5.0
POLL_MS: Final = 500
QUIET_S: Final = 5.0
FETCH_WAIT_MS: Final = 20  # a fetch at the end of a partition delays all later requests on the connection
MAX_POLL_RECORDS: Final = 2000
CLOCKS_DIFFER_MS: Final = 3600 * 1000  # how far a broker's clock may be behind a gateway's

Offsets = Mapping[TopicPartition, int]


class StoredRecord(Protocol):
    """A record of a topic. `timestamp`: when it was appended, epoch ms. `value`: None for a tombstone."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


class TopicReader:
    """Reads topics by offset; commits nothing, creates nothing. Use as a context manager, one read at a time.

    Topics are asked for as they are declared; offsets and records have real names.

    Raises, from every method: MissingTopicsError, UnreadableTopicError with the broker and the reason.
    """

    def __init__(self, kafka: KafkaConnection, group: str | None = None, *, fetch_wait_ms: int = FETCH_WAIT_MS) -> None:
        """group: the consumer group whose commits `committed` returns, by its real name.

        fetch_wait_ms: for how long the broker may hold a fetch that finds nothing; longer for who follows a topic.
        """
        self._kafka = kafka
        self.names = kafka.names
        self._group = group
        tolerate_header_names()
        self._consumer = _consumer(kafka, wait_ms=fetch_wait_ms)

    async def __aenter__(self) -> Self:
        try:
            async with self._answering():
                await self._consumer.start()
        except BaseException:
            await _stop(self._consumer)
            raise
        return self

    async def __aexit__(self, *error: object) -> None:
        await _stop(self._consumer)

    async def partitions(self, *topics: Topic) -> list[TopicPartition]:
        """Every partition of the topics. The error names every topic that is missing."""
        async with self._answering():
            cluster = await self._consumer._client.fetch_all_metadata()  # a request by name could create a topic
        found = {name: cluster.partitions_for_topic(name) for name in map(self.names.of, topics)}
        if missing := [name for name, numbers in found.items() if not numbers]:
            raise MissingTopicsError([f"{hidden_topic(name)} to {principal(self._kafka)}" for name in missing])
        return [TopicPartition(name, number) for name, numbers in found.items() for number in sorted(numbers)]

    async def beginnings(self, *topics: Topic) -> dict[TopicPartition, int]:
        """The first offset that still exists, by partition."""
        partitions = await self.partitions(*topics)
        async with self._answering():
            return dict(await self._consumer.beginning_offsets(partitions))

    async def ends(self, *topics: Topic) -> dict[TopicPartition, int]:
        """The end of each partition that can be read now: an open transaction holds back what follows it."""
        partitions = await self.partitions(*topics)
        async with self._answering():
            return dict(await self._consumer.end_offsets(partitions))

    async def committed(self, *topics: Topic) -> dict[TopicPartition, int]:
        """The offsets that the group has committed; the beginning of a partition where it has none."""
        positions = await self.beginnings(*topics)
        member = _consumer(self._kafka, self._group)  # of its own: aiokafka's coordinator fails on a second assignment
        try:
            async with self._answering():
                await member.start()
                return {tp: await member.committed(tp) or beginning for tp, beginning in positions.items()}
        finally:
            await _stop(member)

    async def appended_since(self, at_ms: int, *topics: Topic) -> dict[TopicPartition, int | None]:
        """The first offset appended at `at_ms` (epoch ms) or later; None where there is none."""
        found = await self._at(at_ms, *topics)
        return {tp: place.offset if place else None for tp, place in found.items()}

    async def first_appended_at(self, *topics: Topic) -> dict[TopicPartition, int | None]:
        """When the oldest record still there was appended, epoch ms; None in an empty partition."""
        found = await self._at(0, *topics)
        return {tp: place.timestamp if place else None for tp, place in found.items()}

    async def records(self, starts: Offsets, ends: Offsets) -> AsyncIterator[StoredRecord]:
        """The records from `starts` up to `ends`, in order in each partition. Raises after STALLED_S at one place."""
        due = self._assign(starts, ends)
        moved_at, reached = time.monotonic(), dict(starts)
        while due:
            async with self._reading(due):
                batches = await self._consumer.getmany(*due, timeout_ms=POLL_MS, max_records=MAX_POLL_RECORDS)
            for tp, fetched in batches.items():
                for record in fetched:
                    if record.offset < ends[tp]:
                        yield record
            async with self._reading(due):
                now, positions = time.monotonic(), {tp: await self._consumer.position(tp) for tp in due}
                if positions != reached:  # aborted records and markers move it as well
                    moved_at, reached = now, positions
                if now - moved_at > STALLED_S:
                    raise TimeoutError
            due = {tp for tp, position in positions.items() if position < ends[tp]}

    async def follow(self, starts: Offsets) -> AsyncIterator[StoredRecord]:
        """The records from `starts` on, without an end, in order in each partition.

        In silence it asks Kafka every QUIET_S, so that a Kafka that is gone is not taken for a topic at rest.
        """
        self._consumer.assign(list(starts))
        for tp, offset in starts.items():
            self._consumer.seek(tp, offset)
        heard_at = time.monotonic()
        while True:
            async with self._reading(starts):
                batches = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=MAX_POLL_RECORDS)
            for fetched in batches.values():
                for record in fetched:
                    yield record
            if batches:
                heard_at = time.monotonic()
            elif time.monotonic() - heard_at > QUIET_S:
                async with self._answering():
                    await self._consumer.end_offsets(list(starts))
                heard_at = time.monotonic()

    async def in_order(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[StoredRecord]:
        """Every record that is in the topic now, in the order of appending, partitions merged.

        since_ms: skip records appended more than CLOCKS_DIFFER_MS before. Holds one record per partition.
        """
        ends = await self.ends(topic)
        starts = await self._starts(topic, since_ms, ends)
        heads = [head for tp in self._assign(starts, ends) if (head := await self._next(tp, ends)) is not None]
        heapq.heapify(heads)
        while heads:
            *_, record = heads[0]
            yield record
            following = await self._next(TopicPartition(record.topic, record.partition), ends)
            if following is None:
                heapq.heappop(heads)
            else:
                heapq.heapreplace(heads, following)

    async def _starts(self, topic: Topic, since_ms: int | None, ends: Offsets) -> Offsets:
        if since_ms is None:
            return await self.beginnings(topic)
        found = await self.appended_since(since_ms - CLOCKS_DIFFER_MS, topic)
        return {tp: ends[tp] if offset is None else offset for tp, offset in found.items()}

    async def _next(self, tp: TopicPartition, ends: Offsets) -> tuple[int, int, int, StoredRecord] | None:
        """The next record behind its sort keys; None when only markers of transactions follow."""
        async with self._reading({tp}), asyncio.timeout(STALLED_S):
            while await self._consumer.position(tp) < ends[tp]:
                fetched = await self._consumer.getmany(tp, timeout_ms=POLL_MS, max_records=1)
                for record in fetched.get(tp, ()):
                    return record.timestamp, record.partition, record.offset, record
        return None

    def _assign(self, starts: Offsets, ends: Offsets) -> set[TopicPartition]:
        """Assign the partitions that have records to read, and seek to `starts`. Returns these partitions."""
        due = {tp for tp, end in ends.items() if starts[tp] < end}
        self._consumer.assign(list(due))
        for tp in due:
            self._consumer.seek(tp, starts[tp])
        return due

    async def _at(self, at_ms: int, *topics: Topic) -> dict[TopicPartition, Any]:
        wanted = dict.fromkeys(await self.partitions(*topics), max(at_ms, 0))
        async with self._answering():
            return dict(await self._consumer.offsets_for_times(wanted))

    @asynccontextmanager
    async def _answering(self) -> AsyncIterator[None]:
        """Bound a request, and raise UnreadableTopicError for the client's errors."""
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                yield
        except (TimeoutError, KafkaError, OSError, ValueError) as error:
            raise UnreadableTopicError(await explain(error, self._kafka, right="Read")) from error

    @asynccontextmanager
    async def _reading(self, due: Iterable[TopicPartition]) -> AsyncIterator[None]:
        """Raise UnreadableTopicError for the client's errors, with the topics in reading."""
        try:
            yield
        except (TimeoutError, KafkaError, OSError) as error:
            names = ", ".join(sorted({tp.topic for tp in due}))
            why = await explain(error, self._kafka, right="Read")
            raise UnreadableTopicError(f"{names} cannot be read. {why}") from error


def _consumer(kafka: KafkaConnection, group: str | None = None, wait_ms: int = FETCH_WAIT_MS) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        **kafka.client_arguments(),
        client_id="airudder-tools",
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=wait_ms,
    )


async def _stop(consumer: AIOKafkaConsumer) -> None:
    """Stop within STOP_TIMEOUT_S: a client may wait for ever for a lost broker (aiokafka#1101).

    Its `stop` may raise the CancelledError of a fetch that it ended itself. That is not the end of our task.
    """
    task = asyncio.current_task()
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            try:
                await consumer.stop()
            except asyncio.CancelledError:
                if task is None or task.cancelling():
                    raise
                await consumer._client.close()


def distance(starts: Offsets, ends: Offsets) -> int:
    """The number of offsets between, for a progress bar."""
    return sum(max(end - starts[tp], 0) for tp, end in ends.items())


def only(topics: Iterable[str], offsets: Offsets) -> dict[TopicPartition, int]:
    """The offsets of the topics with these real names only."""
    names = set(topics)
    return {tp: offset for tp, offset in offsets.items() if tp.topic in names}
