"""What the broker knows of consumer groups and offsets. Never joins a group, never writes.

A group, topic or partition that cannot be read becomes an Unseen; the others are read all the same. Trouble with the
whole broker is a BrokerUnavailableError.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment
from aiokafka.errors import for_code
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.offset import OffsetRequest

from schemas.connection_faults import in_words
from streams.monitor.broker import TROUBLE, connecting, connection, explained, raise_for, stop, translated
from streams.monitor.lag.readings import GroupReading, Partition, Unseen
from streams.settings import KafkaSettings

# One group or one broker that hangs leaves time for the others within a poll.
PART_TIMEOUT_S: Final = 2.0

NO_MEMBERS: Final = ("Empty", "Dead")
LATEST: Final = -1
EARLIEST: Final = -2
READ_UNCOMMITTED: Final = 0


@dataclass(frozen=True)
class Topology:
    """The brokers' numbers, and who leads each partition; -1 while none does."""

    brokers: list[int]
    leaders: dict[Partition, int]


class GroupReader:
    """Reads groups and offsets. After a BrokerUnavailableError close it and open another."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._admin = AIOKafkaAdminClient(**connection(settings))

    async def open(self) -> None:
        """Connect. Raises BrokerUnavailableError."""
        async with connecting(self._settings):
            await self._admin.start()

    async def close(self) -> None:
        """Disconnect. Safe to call twice and after a failed open."""
        await stop(self._admin)

    async def send(self, broker: int, request: Any) -> Any:
        """The broker's answer to a request of the client library's."""
        return await self._admin._send_request(request, broker)

    async def topology(self) -> Topology:
        """Every partition of every topic we may see."""
        async with translated(self._settings):
            # None asks for all topics: asking by name would create what does not exist on brokers that allow it.
            metadata = (await self._admin._get_cluster_metadata(None)).to_object()
        leaders = {
            Partition(topic["topic"], partition["partition"]): partition["leader"]
            for topic in metadata["topics"]
            for partition in topic["partitions"]
        }
        return Topology([broker["node_id"] for broker in metadata["brokers"]], leaders)

    async def group_names(self, brokers: Iterable[int]) -> tuple[dict[str, int], list[Unseen]]:
        """Every consumer group that we may see, with its coordinator."""
        names: dict[str, int] = {}
        unseen: list[Unseen] = []

        async def listed(broker: int) -> None:
            try:
                async with asyncio.timeout(PART_TIMEOUT_S):
                    found = await self._admin.list_consumer_groups([broker])
            except TROUBLE as error:
                why = explained(error, self._settings, "Describe", "the cluster")
                unseen.append(Unseen(f"the groups of broker {broker}", why))
            else:
                names.update((name, broker) for name, kind, *_ in found if kind in ("consumer", ""))

        await asyncio.gather(*(listed(broker) for broker in brokers))
        return names, unseen

    async def groups(self, wanted: Mapping[str, int | None]) -> tuple[list[GroupReading], list[Unseen]]:
        """These groups, each with its coordinator where that is known. One that was never there is Dead and unknown."""
        found: list[GroupReading] = []
        unseen: list[Unseen] = []

        async def read(name: str, coordinator: int | None) -> None:
            try:
                async with asyncio.timeout(PART_TIMEOUT_S):
                    found.append(await self._group(name, coordinator))
            except TROUBLE as error:
                why = explained(error, self._settings, "Describe", f"group {name}")
                unseen.append(Unseen(f"group {name}", why, group=name))

        await asyncio.gather(*(read(name, coordinator) for name, coordinator in wanted.items()))
        return sorted(found, key=lambda group: group.name), unseen

    async def _group(self, name: str, coordinator: int | None) -> GroupReading:
        broker = await self._admin.find_coordinator(name) if coordinator is None else coordinator
        # One group per request: aiokafka 0.14.0 reads the answer to version 3 as one of version 2, which is shorter
        # by a field per group, so that from the second group on it reads nonsense.
        [described] = await self._admin.describe_consumer_groups([name], group_coordinator_id=broker)
        committed = await self._committed(name, broker)
        is_listed = coordinator is not None or bool(committed)
        if described.groups[0][2] == "Dead" and not is_listed:
            is_listed = name in (await self.group_names([broker]))[0]
        return _group(described.groups[0], committed, is_listed)

    async def _committed(self, group: str, broker: int) -> dict[Partition, int]:
        # The admin client's own method overlooks the error of the answer as a whole (aiokafka 0.14.0): while the
        # coordinator loads after a restart, nothing would seem to be committed.
        response = await self.send(broker, OffsetFetchRequest(group, None))
        raise_for(response.error_code)
        committed = {}
        for topic, partitions in response.topics:
            for partition, offset, _metadata, error_code in partitions:
                raise_for(error_code)
                if offset >= 0:
                    committed[Partition(topic, partition)] = offset
        return committed

    async def water_marks(
        self, leaders: Mapping[Partition, int]
    ) -> tuple[dict[Partition, int], dict[Partition, int], list[Unseen]]:
        """(low, high, unseen) water mark of each partition by its leader, the high one read last."""
        low, no_low = await self.offsets_at(leaders, EARLIEST)
        high, no_high = await self.offsets_at({p: leaders[p] for p in low}, LATEST)
        begin, end = ({p: offset for p, (offset, _) in marks.items() if p in high} for marks in (low, high))
        return begin, end, no_low + no_high

    async def offsets_at(
        self, leaders: Mapping[Partition, int], at_ms: int
    ) -> tuple[dict[Partition, tuple[int, int]], list[Unseen]]:
        """(offset, timestamp) of the first record since `at_ms`, or of LATEST, EARLIEST; -1 where there is none."""
        found: dict[Partition, tuple[int, int]] = {}
        unseen = [_unseen(p, "no broker leads it at present") for p, leader in leaders.items() if leader < 0]
        by_broker: dict[int, list[Partition]] = defaultdict(list)
        for partition, leader in leaders.items():
            if leader >= 0:
                by_broker[leader].append(partition)

        async def fetch(broker: int, partitions: list[Partition]) -> None:
            try:
                async with asyncio.timeout(PART_TIMEOUT_S):
                    response = await self.send(broker, _offset_request(partitions, at_ms))
            except TROUBLE as error:
                why = f"broker {broker}: {in_words(error, self._settings)}"
                unseen.extend(_unseen(partition, why) for partition in partitions)
                return
            for topic, rows in response.topics:
                for number, error_code, timestamp, offset in rows:
                    if error_code:
                        why = explained(for_code(error_code)(), self._settings, "Describe", f"topic {topic}")
                        unseen.append(_unseen(Partition(topic, number), why))
                    else:
                        found[Partition(topic, number)] = (offset, timestamp)

        await asyncio.gather(*(fetch(broker, partitions) for broker, partitions in by_broker.items()))
        return found, unseen


def _offset_request(partitions: list[Partition], at_ms: int) -> OffsetRequest:
    by_topic: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for topic, partition in partitions:
        by_topic[topic].append((partition, at_ms))
    return OffsetRequest(-1, READ_UNCOMMITTED, list(by_topic.items()))


def _unseen(partition: Partition, why: str) -> Unseen:
    return Unseen(f"partition {partition.partition} of {partition.topic}", why, topic=partition.topic)


def _group(described: tuple[Any, ...], committed: dict[Partition, int], is_known: bool) -> GroupReading:
    error_code, name, state, protocol_type, _protocol, members, *_ = described
    raise_for(error_code)
    if state != "Dead":
        return GroupReading(name, state, len(members), _owned(state, protocol_type, members), committed)
    if is_known:
        # Listed, yet unknown to this API: a group of the newer protocol (KIP-848). Who owns what is not known.
        return GroupReading(name, "Unknown", len(members), None, committed)
    return GroupReading(name, "Dead", 0, frozenset(), is_known=False)


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
