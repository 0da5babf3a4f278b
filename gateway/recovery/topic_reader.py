"""Reading a topic back, from a time to where it ends now, for the tools. Besides the publisher the only aiokafka."""

import asyncio
import contextlib
import heapq
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from gateway.errors import GatewayError
from gateway.settings import GatewaySettings
from schemas.connection_faults import hidden_topic, principal
from schemas.header_names import tolerate_header_names
from schemas.kafka_probe import explain
from schemas.topics import Topic

ANSWER_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 2.0
POLL_MS = 500
CLOCKS_DIFFER_MS = 3600 * 1000  # how far a broker's clock may be behind a gateway's


class TopicUnreadableError(GatewayError):
    """Kafka did not answer, or the topic is not there."""

    code = "topic_unreadable"
    retriable = True


class StoredRecord(NamedTuple):
    """One record as it is in its topic. `appended_at` in epoch ms."""

    appended_at: int
    partition: int
    offset: int
    value: bytes
    headers: Sequence[tuple[str, bytes]]


class TopicReader:
    """Reads topics without a consumer group: nothing is committed. Use as a context manager."""

    def __init__(self, settings: GatewaySettings) -> None:
        self._kafka = settings.kafka
        tolerate_header_names()
        self._consumer = AIOKafkaConsumer(
            **settings.kafka.client_arguments(),
            client_id="airudder-gateway-tools",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )

    async def __aenter__(self) -> Self:
        try:
            async with asyncio.timeout(ANSWER_TIMEOUT_S):
                await self._consumer.start()
        except (TimeoutError, KafkaError, OSError, ValueError) as error:
            await self._stop()
            raise TopicUnreadableError(await explain(error, self._kafka)) from error
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stop()

    async def _stop(self) -> None:
        """Within a bound: a client may wait without end for a broker that is gone (aiokafka#1101)."""
        with contextlib.suppress(TimeoutError, KafkaError, OSError):
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self._consumer.stop()

    async def records(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[StoredRecord]:
        """Every record there is now, in the order they were appended, partitions merged.

        since_ms: skips what was appended earlier, less what clocks may differ by. Holds one record per partition.
        Raises: TopicUnreadableError.
        """
        try:
            ends = await self._assign(topic, since_ms)
            heads = [head for partition in ends if (head := await self._next(partition, ends)) is not None]
            heapq.heapify(heads)
            while heads:
                record = heads[0]
                yield record
                following = await self._next(TopicPartition(topic.name, record.partition), ends)
                if following is None:
                    heapq.heappop(heads)
                else:
                    heapq.heapreplace(heads, following)
        except (TimeoutError, KafkaError, OSError) as error:
            why = await explain(error, self._kafka, right="Read")
            raise TopicUnreadableError(f"{topic.name} cannot be read. {why}") from error

    async def _assign(self, topic: Topic, since_ms: int | None) -> dict[TopicPartition, int]:
        """Point at the start in every partition; returns where each ends now."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            cluster = await self._consumer._client.fetch_all_metadata()  # asking for one by name could create it
            numbers = cluster.partitions_for_topic(topic.name)
            if not numbers:
                raise TopicUnreadableError(f"Kafka: {hidden_topic(topic.name)} to {principal(self._kafka)}")
            partitions = [TopicPartition(topic.name, number) for number in sorted(numbers)]
            self._consumer.assign(partitions)
            ends: dict[TopicPartition, int] = await self._consumer.end_offsets(partitions)
            await self._consumer.seek_to_beginning(*partitions)
            if since_ms is not None:
                at = dict.fromkeys(partitions, max(0, since_ms - CLOCKS_DIFFER_MS))
                for partition, found in (await self._consumer.offsets_for_times(at)).items():
                    self._consumer.seek(partition, found.offset if found else ends[partition])
        return ends

    async def _next(self, partition: TopicPartition, ends: dict[TopicPartition, int]) -> StoredRecord | None:
        """The next record; None when none follows, whatever offsets markers and aborted records still have."""
        async with asyncio.timeout(ANSWER_TIMEOUT_S):
            while await self._consumer.position(partition) < ends[partition]:
                fetched = await self._consumer.getmany(partition, timeout_ms=POLL_MS, max_records=1)
                for record in fetched.get(partition, ()):
                    return StoredRecord(
                        record.timestamp, record.partition, record.offset, record.value or b"", record.headers
                    )
        return None
