"""Topics as they stand at one moment, for the command line's tools: read by offset, without joining a group.

The tools' only import of aiokafka; its errors and the registry's end here as ours.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any, ClassVar, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaError

from schemas.connection_faults import hidden_topic, is_refusal
from schemas.errors import RegistryError
from schemas.header_names import tolerate_header_names
from schemas.kafka_probe import explain
from schemas.runtime import exits
from schemas.topics import MAX_KEPT_BYTES, Topic
from streams.errors import BrokerUnavailableError, RefusedError, StreamsError, TopicsError
from streams.settings import KafkaSettings

ANSWER_TIMEOUT_S: Final = 15.0
STALLED_S: Final = 30.0  # without a record where there must be one
STOP_TIMEOUT_S: Final = 5.0
POLL_MS: Final = 500
FETCH_WAIT_MS: Final = 20  # a fetch at the end of a partition holds up every question behind it on the connection
MAX_POLL_RECORDS: Final = 2000

Offsets = Mapping[TopicPartition, int]


class RegistryAwayError(StreamsError):
    """The schema registry did not answer, so nothing can be read."""

    code: ClassVar[str] = "registry_unavailable"
    retriable: ClassVar[bool] = True
    exit_code: ClassVar[int] = exits.UNAVAILABLE


class TopicReader:
    """Reads topics by offset. With a group, it can also tell what that group has committed; it never joins it."""

    def __init__(self, consumer: Any) -> None:
        self._consumer = consumer

    async def partitions(self, *topics: Topic) -> list[TopicPartition]:
        """Every partition of the topics. Raises: TopicsError naming those that are missing."""
        cluster = await self._consumer._client.fetch_all_metadata()  # asking for one by name could create it
        found = {topic.name: cluster.partitions_for_topic(topic.name) for topic in topics}
        if missing := [name for name, numbers in found.items() if not numbers]:
            raise TopicsError("\n".join(f"  - {hidden_topic(name)}" for name in missing))
        return [TopicPartition(name, number) for name, numbers in found.items() for number in sorted(numbers)]

    async def beginnings(self, *topics: Topic) -> dict[TopicPartition, int]:
        """The first offset that is still there, by partition."""
        return dict(await self._consumer.beginning_offsets(await self.partitions(*topics)))

    async def ends(self, *topics: Topic) -> dict[TopicPartition, int]:
        """Where each partition ends now, as far as it can be read: an open transaction holds back what follows it."""
        return dict(await self._consumer.end_offsets(await self.partitions(*topics)))

    async def committed(self, *topics: Topic) -> dict[TopicPartition, int]:
        """What the group has committed; where it never did, the beginning."""
        positions = await self.beginnings(*topics)
        self._consumer.assign(list(positions))
        return {tp: await self._consumer.committed(tp) or beginning for tp, beginning in positions.items()}

    async def appended_since(self, at_ms: int, *topics: Topic) -> dict[TopicPartition, int | None]:
        """The first offset appended at `at_ms` (epoch ms) or later; None where there is none."""
        wanted = dict.fromkeys(await self.partitions(*topics), max(at_ms, 0))
        found = await self._consumer.offsets_for_times(wanted)
        return {tp: place.offset if place else None for tp, place in found.items()}

    async def first_appended_at(self, *topics: Topic) -> dict[TopicPartition, int | None]:
        """When the oldest record still there was appended, epoch ms; None in an empty partition."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(await self.partitions(*topics), 0))
        return {tp: place.timestamp if place else None for tp, place in found.items()}

    async def records(self, starts: Offsets, ends: Offsets) -> AsyncIterator[Any]:
        """aiokafka's records from `starts` up to `ends`, in order within a partition.

        Raises: BrokerUnavailableError when none comes for long.
        """
        due = {tp for tp, end in ends.items() if starts[tp] < end}
        self._consumer.assign(list(due))
        for tp in due:
            self._consumer.seek(tp, starts[tp])
        heard_at, reached = time.monotonic(), dict(starts)
        while due:
            batches = await self._consumer.getmany(*due, timeout_ms=POLL_MS, max_records=MAX_POLL_RECORDS)
            for tp, records in batches.items():
                for record in records:
                    if record.offset < ends[tp]:
                        yield record
            now, positions = time.monotonic(), {tp: await self._consumer.position(tp) for tp in due}
            if positions != reached:  # which aborted records move as well
                heard_at, reached = now, positions
            if now - heard_at > STALLED_S:
                raise BrokerUnavailableError(f"Kafka sent nothing for {STALLED_S:.0f} s")
            due = {tp for tp, position in positions.items() if position < ends[tp]}


@asynccontextmanager
async def translated(kafka: KafkaSettings) -> AsyncIterator[None]:
    """The client's and the registry's trouble as ours. Raises: BrokerUnavailableError, RegistryAwayError."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError) as error:
        raise_as = RefusedError if is_refusal(error) else BrokerUnavailableError
        raise raise_as(await explain(error, kafka, right="Read")) from error
    except RegistryError as error:
        raise RegistryAwayError(str(error)) from error


@asynccontextmanager
async def open_reader(kafka: KafkaSettings, group: str | None = None) -> AsyncIterator[TopicReader]:
    """A reader, closed at the end. group: whose commits `committed` tells."""
    tolerate_header_names()
    consumer = AIOKafkaConsumer(
        **kafka.client_arguments(),
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        fetch_max_wait_ms=FETCH_WAIT_MS,
    )
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await consumer.start()
        yield TopicReader(consumer)
    finally:
        await _stop(consumer)


@asynccontextmanager
async def open_producer(kafka: KafkaSettings) -> AsyncIterator[Any]:
    """An idempotent producer with acks=all, flushed and closed at the end."""
    producer = AIOKafkaProducer(
        **kafka.client_arguments(),
        acks="all",
        enable_idempotence=True,
        max_request_size=MAX_KEPT_BYTES,
        compression_type=kafka.producer_compression,
    )
    try:
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            await producer.start()
        yield producer
    finally:
        await _stop(producer)


async def _stop(client: Any) -> None:
    """Within a bound: a client may wait without end for a broker that is gone (aiokafka#1101)."""
    with suppress(TimeoutError, KafkaError, OSError):
        async with asyncio.timeout(STOP_TIMEOUT_S):
            await client.stop()


def total(starts: Offsets, ends: Offsets) -> int:
    """How many offsets lie between, for a progress bar."""
    return sum(max(end - starts[tp], 0) for tp, end in ends.items())


def of(topics: Iterable[Topic], offsets: Offsets) -> dict[TopicPartition, int]:
    """Those of the offsets that belong to the topics."""
    names = {topic.name for topic in topics}
    return {tp: offset for tp, offset in offsets.items() if tp.topic in names}
