"""The broker as the monitor sees it; the only import of aiokafka here. Never joins a group, never writes.

Whatever the client library raises is a KafkaUnavailableError outside of this file.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.commit import OffsetFetchRequest

from streams.monitor.errors import KafkaUnavailableError
from streams.monitor.reading import GroupReading, Partition
from streams.settings import KafkaSettings

CLIENT_ID = "airudder-monitor"
REQUEST_TIMEOUT_MS = 4_000
METADATA_MAX_AGE_MS = 30_000
CLOSE_TIMEOUT_S = 2.0
FETCH_WAIT_MS = 100
# One record per partition is wanted; the broker sends a larger batch whole all the same.
PEEK_BYTES = 16 * 1024
NO_MEMBERS = ("Empty", "Dead")


def connection(settings: KafkaSettings) -> dict[str, Any]:
    """The client library's arguments for these settings. Raises OSError for unreadable certificates."""
    return {
        **settings.client_arguments(),
        "client_id": CLIENT_ID,
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
    }


@asynccontextmanager
async def translated() -> AsyncIterator[None]:
    """The client library's errors, and its asserts and lookups on stale metadata, as one of ours."""
    try:
        yield
    except (KafkaError, OSError, TimeoutError, AssertionError, AttributeError, LookupError) as error:
        raise KafkaUnavailableError(f"Kafka did not answer: {type(error).__name__}") from error


async def stop(*clients: Any) -> None:
    """Close what was opened, within a deadline: a frozen broker must not hold us."""
    for client in clients:
        with suppress(KafkaError, OSError, TimeoutError):
            await asyncio.wait_for(client.stop() if hasattr(client, "stop") else client.close(), CLOSE_TIMEOUT_S)


def _partitions(tps: Iterable[Any]) -> list[Partition]:
    return [Partition(tp.topic, tp.partition) for tp in tps]


class GroupReader:
    """Reads groups, offsets and the age of records. After an error close it and open another."""

    def __init__(self, settings: KafkaSettings) -> None:
        arguments = connection(settings)
        self._admin = AIOKafkaAdminClient(**arguments)
        self._consumer = AIOKafkaConsumer(
            **arguments,
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=PEEK_BYTES,
        )

    async def open(self) -> None:
        """Connect. Raises KafkaUnavailableError."""
        async with translated():
            await self._admin.start()
            await self._consumer.start()

    async def close(self) -> None:
        """Disconnect. Safe to call twice and after a failed open."""
        await stop(self._consumer, self._admin)

    async def partitions(self) -> set[Partition]:
        """Every partition of every topic that has a leader now."""
        async with translated():
            # None asks for all topics: asking by name would create what does not exist on brokers that allow it.
            topics = await self._admin.describe_topics(None)
        return {
            Partition(topic["topic"], partition["partition"])
            for topic in topics
            for partition in topic["partitions"]
            if partition["leader"] >= 0
        }

    async def groups(self, expected: str) -> list[GroupReading]:
        """Every consumer group with what it committed; `expected` is in the list even when the broker never saw it."""
        async with translated():
            brokers = (await self._admin.describe_cluster())["brokers"]
            per_broker = await asyncio.gather(*(self._groups_of(broker["node_id"]) for broker in brokers))
        groups = {group.name: group for groups in per_broker for group in groups}
        groups.setdefault(expected, GroupReading(expected, "Dead", 0, frozenset(), is_known=False))
        return [groups[name] for name in sorted(groups)]

    async def _groups_of(self, broker: int) -> list[GroupReading]:
        """The groups that this broker coordinates."""
        listed = await self._admin.list_consumer_groups([broker])
        names = [name for name, protocol_type, *_ in listed if protocol_type in ("consumer", "")]
        return await asyncio.gather(*(self._group(name, broker) for name in names))

    async def _group(self, name: str, broker: int) -> GroupReading:
        # One group per request: aiokafka 0.14.0 reads the answer to version 3 as one of version 2, which is shorter
        # by a field per group, so that from the second group on it reads nonsense.
        [described] = await self._admin.describe_consumer_groups([name], group_coordinator_id=broker)
        return _group(described.groups[0], await self._committed(name, broker))

    async def _committed(self, group: str, broker: int) -> dict[Partition, int]:
        # The admin client's own method overlooks the error of the answer as a whole (aiokafka 0.14.0): while the
        # coordinator loads after a restart it would tell us that nothing was ever committed.
        response = await self._admin._send_request(OffsetFetchRequest(group, None), broker)
        _raise_for(response.error_code)
        committed = {}
        for topic, partitions in response.topics:
            for partition, offset, _metadata, error_code in partitions:
                _raise_for(error_code)
                if offset >= 0:
                    committed[Partition(topic, partition)] = offset
        return committed

    async def water_marks(self, partitions: set[Partition]) -> tuple[dict[Partition, int], dict[Partition, int]]:
        """(low, high) water mark of each partition, the high one read last."""
        tps = [TopicPartition(*partition) for partition in partitions]
        async with translated():
            low = await self._consumer.beginning_offsets(tps)
            high = await self._consumer.end_offsets(tps)
        return {Partition(*tp): offset for tp, offset in low.items()}, {Partition(*tp): o for tp, o in high.items()}

    async def appended_at(self, wanted: dict[Partition, int], timeout_s: float) -> dict[Partition, int | None]:
        """Epoch ms of the first record at or after each offset; None for those not found within `timeout_s`."""
        found: dict[Partition, int | None] = dict.fromkeys(wanted)
        missing = {TopicPartition(*partition) for partition in wanted}
        if not missing:
            return found
        async with translated():
            self._consumer.assign(list(missing))
            for tp in missing:
                self._consumer.seek(tp, wanted[Partition(*tp)])
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    while missing:
                        batch = await self._consumer.getmany(*missing, timeout_ms=FETCH_WAIT_MS, max_records=1)
                        for tp, records in batch.items():
                            found[Partition(*tp)] = records[0].timestamp
                            self._consumer.pause(tp)
                            missing.discard(tp)
            self._consumer.pause(*missing)
        return found


def _raise_for(error_code: int) -> None:
    if error_code:
        raise for_code(error_code)()


def _group(described: tuple[Any, ...], committed: dict[Partition, int]) -> GroupReading:
    error_code, name, state, protocol_type, _protocol, members, *_ = described
    _raise_for(error_code)
    if state == "Dead":
        # Listed, yet unknown to this API: a group of the newer protocol (KIP-848). Who owns what is not ours to say.
        return GroupReading(name, "Unknown", len(members), None, committed)
    return GroupReading(name, state, len(members), _owned(state, protocol_type, members), committed)


def _owned(state: str, protocol_type: str, members: list[tuple[Any, ...]]) -> frozenset[Partition] | None:
    if state in NO_MEMBERS:
        return frozenset()
    if state != "Stable" or protocol_type != "consumer":
        return None
    return frozenset(
        Partition(topic, partition)
        for *_, assignment in members
        if assignment
        for topic, partitions in ConsumerProtocolMemberAssignment.decode(assignment).assignment
        for partition in partitions
    )
