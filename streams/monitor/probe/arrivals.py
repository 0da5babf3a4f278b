"""Finds probes in the topics: reads only the partitions that they fall into, and decodes nothing.

No consumer group, and no more partitions than a few probes have. A record's key, the probe's call id, says whose it is.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import TopicPartition

from schemas.placement import partition_of
from schemas.topics import CALLBACKS, Topic
from streams.monitor.broker import TROUBLE, connecting, groupless, partitions_of, stop, translated
from streams.monitor.probe.hops import BY_TOPIC
from streams.monitor.probe.ledger import Probe
from streams.settings import KafkaSettings

MAX_RECORDS: Final = 2_000
LATE_DEADLINE_S: Final = 0.5
# How far the broker's clock may be behind ours, where a probe's place can only be found by its time.
CLOCKS_DIFFER_MS: Final = 5_000


@dataclass(frozen=True)
class Arrival:
    """A probe's record: its call id, the hop, and when it was appended, UTC epoch ms."""

    call_id: str
    hop: str
    appended_ms: int


class ArrivalReader:
    """Looks for probes. After an error close it and open another, which finds by their time where they may be."""

    def __init__(self, settings: KafkaSettings) -> None:
        self._settings = settings
        self._topics = {settings.names.of(topic): topic for topic in BY_TOPIC}
        self._admin, self._consumer = groupless(settings, "latest")
        self._partitions: dict[Topic, int] = {}
        self._places: dict[bytes, set[TopicPartition]] = {}
        self._next: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Connect, and see how many partitions there are. Raises: TopicsMissingError, BrokerUnavailableError."""
        async with connecting(self._settings):
            await self._admin.start()
            await self._consumer.start()
            found = await partitions_of(self._admin, self._topics)
        self._partitions = {topic: len(found[name]) for name, topic in self._topics.items()}

    @property
    def partitions(self) -> int:
        """How many partitions callbacks fall into."""
        return self._partitions[CALLBACKS]

    async def watch(self, probes: Iterable[Probe]) -> None:
        """Look for these probes and no others. Repeat: safe, and free for the same probes.

        Raises: BrokerUnavailableError.
        """
        wanted = {probe.call_id.encode(): probe for probe in probes}
        if wanted.keys() == self._places.keys():
            return
        places = {key: self._places.get(key) or self._places_of(key, probe) for key, probe in wanted.items()}
        starts = dict(self._next)
        async with translated(self._settings):
            for key, probe in wanted.items():
                new = [place for place in places[key] if place not in starts]
                starts |= await (self._starts_of_lost(new, probe) if probe.lost_at else self._starts(new, probe))
            self._places = places
            self._assign(starts)

    async def read(self, timeout_s: float) -> list[Arrival]:
        """The probes that came; none when none came within the time. Raises: BrokerUnavailableError."""
        async with translated(self._settings):
            batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=MAX_RECORDS)
            found: list[Arrival] = []
            for place, records in batches.items():
                self._next[place] = records[-1].offset + 1
                found += [self._arrival(place, record) for record in records if self._is_awaited(place, record.key)]
            if found:
                self._assign(self._next)
        return found

    async def close(self) -> None:
        """Disconnect. Repeat: safe, also after a failed open."""
        await stop(self._consumer, self._admin)

    def _places_of(self, key: bytes, probe: Probe) -> set[TopicPartition]:
        """Where it will be: one partition of each topic that has not shown it."""
        return {
            TopicPartition(name, partition_of.__wrapped__(key, self._partitions[topic]))
            for name, topic in self._topics.items()
            if BY_TOPIC[topic] not in {**probe.roundtrips, **probe.late}
        }

    async def _starts(self, places: list[TopicPartition], probe: Probe) -> dict[TopicPartition, int]:
        """Where to begin: at the ends while the probe is not sent yet, else where it may be by its time."""
        if not places:
            return {}
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(places)
        if probe.sent_ms is None:
            return ends
        by_time = await self._consumer.offsets_for_times(dict.fromkeys(places, probe.sent_ms - CLOCKS_DIFFER_MS))
        return {place: by_time[place].offset if by_time.get(place) else ends[place] for place in places}

    async def _starts_of_lost(self, places: list[TopicPartition], probe: Probe) -> dict[TopicPartition, int]:
        """The same, or nothing: a partition that nobody leads must not keep us from those of other probes."""
        try:
            async with asyncio.timeout(LATE_DEADLINE_S):
                return await self._starts(places, probe)
        except TROUBLE:
            return {}

    def _is_awaited(self, place: TopicPartition, key: bytes | None) -> bool:
        return key in self._places and place in self._places[key]

    def _arrival(self, place: TopicPartition, record: Any) -> Arrival:
        self._places[record.key].discard(place)
        return Arrival(record.key.decode(), BY_TOPIC[self._topics[place.topic]], record.timestamp)

    def _assign(self, starts: dict[TopicPartition, int]) -> None:
        """Read the partitions in which something is awaited, from where we are, and no others."""
        awaited = set().union(*self._places.values())
        starts = {place: offset for place, offset in starts.items() if place in awaited}
        if starts.keys() != self._next.keys() or not self._consumer.assignment():
            self._consumer.assign(list(starts)) if starts else self._consumer.unsubscribe()
            for place, offset in starts.items():
                self._consumer.seek(place, offset)
        self._next = starts
