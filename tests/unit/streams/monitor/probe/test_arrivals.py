"""Probes are found by their key in the partitions they fall into, and one that nobody leads hides no other."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import LeaderNotAvailableError

from schemas.placement import partition_of
from streams.monitor.probe.arrivals import CLOCKS_DIFFER_MS, Arrival, ArrivalReader
from streams.monitor.probe.callback import call_id_in
from streams.monitor.probe.hops import BY_TOPIC
from streams.monitor.probe.ledger import Probe
from streams.settings import KafkaSettings

PARTITIONS = 4
AT_MS = 1_710_163_600_000


@dataclass
class Consumer:
    """aiokafka's, as far as it is used: partitions without a leader cannot be asked."""

    leaderless: set[int] = field(default_factory=set)
    ends: int = 100
    by_time: int = 70
    asked_ms: list[int] = field(default_factory=list)
    positions: dict[TopicPartition, int] = field(default_factory=dict)
    waiting: dict[TopicPartition, list[Any]] = field(default_factory=dict)

    async def end_offsets(self, places: list[TopicPartition]) -> dict[TopicPartition, int]:
        if self.leaderless & {place.partition for place in places}:
            raise LeaderNotAvailableError
        return dict.fromkeys(places, self.ends)

    async def offsets_for_times(self, times: dict[TopicPartition, int]) -> dict[TopicPartition, Any]:
        self.asked_ms += times.values()
        return {place: SimpleNamespace(offset=self.by_time) for place in times}

    def assign(self, places: list[TopicPartition]) -> None:
        self.positions = dict.fromkeys(places, -1)

    def unsubscribe(self) -> None:
        self.positions = {}

    def assignment(self) -> set[TopicPartition]:
        return set(self.positions)

    def seek(self, place: TopicPartition, offset: int) -> None:
        self.positions[place] = offset

    async def getmany(self, **_: int) -> dict[TopicPartition, list[Any]]:
        found = {place: records for place, records in self.waiting.items() if place in self.positions}
        self.waiting = {}
        return found


@pytest.fixture
async def consumer() -> Consumer:
    return Consumer()


@pytest.fixture
async def reader(consumer: Consumer) -> ArrivalReader:
    made = ArrivalReader(KafkaSettings(bootstrap_servers="127.0.0.1:1"))
    await made.close()
    made._consumer = consumer
    made._partitions = dict.fromkeys(BY_TOPIC, PARTITIONS)
    return made


def probe_in(partition: int, **fields: Any) -> Probe:
    return Probe(call_id_in(partition, PARTITIONS, f"s{partition}"), **fields)


def places_of(probe: Probe) -> list[TopicPartition]:
    key = probe.call_id.encode()
    return [TopicPartition(topic.name, partition_of(key, PARTITIONS)) for topic in BY_TOPIC]


def record(key: bytes | None, offset: int = 100) -> Any:
    return SimpleNamespace(key=key, offset=offset, timestamp=AT_MS)


async def test_one_that_is_not_sent_yet_is_looked_for_from_the_ends_of_its_partitions_alone(
    reader: ArrivalReader, consumer: Consumer
) -> None:
    probe = probe_in(2)
    await reader.watch([probe])

    assert consumer.positions == dict.fromkeys(places_of(probe), 100)
    assert consumer.asked_ms == []


async def test_one_that_was_sent_while_kafka_was_away_is_looked_for_by_its_time(
    reader: ArrivalReader, consumer: Consumer
) -> None:
    probe = probe_in(1, sent_ms=AT_MS)
    await reader.watch([probe])

    assert consumer.positions == dict.fromkeys(places_of(probe), 70)
    assert set(consumer.asked_ms) == {AT_MS - CLOCKS_DIFFER_MS}


async def test_its_key_finds_it_and_what_is_found_is_no_longer_read(reader: ArrivalReader, consumer: Consumer) -> None:
    probe = probe_in(3)
    await reader.watch([probe])
    first, *others = places_of(probe)
    key = probe.call_id.encode()
    consumer.waiting = {first: [record(None), record(b"call-1", 101), record(key, 102), record(key, 103)]}

    assert await reader.read(0) == [Arrival(probe.call_id, "callbacks", AT_MS)]
    assert consumer.assignment() == set(others)
    consumer.waiting = {place: [record(key)] for place in others}
    assert [arrival.hop for arrival in await reader.read(0)] == ["calls", "answers", "call-attempts"]
    assert consumer.assignment() == set()


async def test_a_lost_probe_whose_partition_nobody_leads_does_not_hide_the_next_one(
    reader: ArrivalReader, consumer: Consumer
) -> None:
    consumer.leaderless = {0}
    lost, following = probe_in(0, sent_ms=AT_MS, lost_at="gateway"), probe_in(1)
    await reader.watch([following, lost])

    assert consumer.assignment() == set(places_of(following))


async def test_two_probes_in_one_partition_are_told_apart(reader: ArrivalReader, consumer: Consumer) -> None:
    one, other = probe_in(0), Probe(call_id_in(0, PARTITIONS, "other"))
    await reader.watch([one])
    await reader.watch([one, other])
    place = places_of(one)[0]
    consumer.waiting = {place: [record(other.call_id.encode())]}

    assert [arrival.call_id for arrival in await reader.read(0)] == [other.call_id]
    assert place in consumer.assignment(), "the other is still awaited there"
    await reader.watch([])
    assert consumer.assignment() == set()
