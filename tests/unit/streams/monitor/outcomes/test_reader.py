"""One record cannot stop the reading of others, and silence is told from having nothing to say."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiokafka import TopicPartition

from schemas.errors import DecodeError
from schemas.topics import WORKFLOW_OUTCOMES
from streams.monitor.outcomes.consumer import KeptRecord, WholeTopicsConsumer
from streams.monitor.outcomes.reader import EXPIRE_EVERY_S, OutcomeReader
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import WORKFLOW
from streams.settings import KafkaSettings
from tests.support.panes import pane

TP = TopicPartition(WORKFLOW_OUTCOMES.name, 0)

NOW_MS = int(time.time() * 1000)


class Decoding:
    """A registry that makes of a value what the test says; errors are raised."""

    def __init__(self, *results: Any) -> None:
        self._results = list(results)

    async def decode(self, _: bytes, __: object) -> Any:
        result = self._results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result


@pytest.mark.parametrize(
    "poison",
    [DecodeError("no"), ValueError("year 1143677"), RecursionError(), OverflowError(), pane(2**55), pane(calls=-1)],
)
async def test_a_record_that_cannot_be_taken_is_counted_and_the_next_one_taken(poison: Any) -> None:
    reader = OutcomeReader(MonitorSettings())
    reader._registry = Decoding(poison, pane(calls=3))  # type: ignore[assignment]  # all a reader asks of it
    for offset in range(2):
        await reader._process(KeptRecord(WORKFLOW_OUTCOMES.name, 0, offset, NOW_MS, b"k", b"v"))

    assert (reader.undecodable, len(reader._store.values(WORKFLOW))) == (1, 1)


@dataclass
class Fetching:
    """The client library's consumer, as far as it tells how partitions are."""

    high: int = 5
    stable: int = 5
    at_ms: int | None = 1000
    assigned: set[TopicPartition] = field(default_factory=lambda: {TP})

    def assignment(self) -> set[TopicPartition]:
        return self.assigned

    def last_poll_timestamp(self, _: TopicPartition) -> int | None:
        return self.at_ms

    def highwater(self, _: TopicPartition) -> int:
        return self.high

    def last_stable_offset(self, _: TopicPartition) -> int:
        return self.stable


@pytest.fixture
async def consumer(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr("streams.monitor.broker.AIOKafkaConsumer", lambda **_: Fetching())
    return WholeTopicsConsumer(KafkaSettings(), (WORKFLOW_OUTCOMES.name,))


async def test_heard_is_when_the_broker_last_answered(consumer: Any) -> None:
    assert consumer.heard_at_ms() == 1000
    consumer._consumer.at_ms = None
    assert consumer.heard_at_ms() is None


async def test_behind_a_transaction_that_does_not_end_nothing_new_is_heard(consumer: Any) -> None:
    fetching = consumer._consumer
    fetching.high, heard = 9, []
    for at_ms, stable in ((2000, 5), (3000, 5), (4000, 9)):
        fetching.at_ms, fetching.stable = at_ms, stable
        heard.append(consumer.heard_at_ms())

    assert heard == [2000, 2000, 4000]
    assert consumer.held_back() == []


async def test_who_waits_behind_a_transaction_that_lasts_is_reported(consumer: Any) -> None:
    reader = OutcomeReader(MonitorSettings())
    consumer._consumer.high = 9
    reader.as_of_ms = consumer.heard_at_ms()
    reader._note_held(consumer.held_back())
    assert reader.fault is not None
    assert f"{TP.topic}/0" in reader.fault
    consumer._consumer.stable = 9
    consumer.heard_at_ms()
    reader._note_held(consumer.held_back())

    assert reader.fault is None


async def test_partitions_that_came_later_are_noticed(consumer: Any) -> None:
    async def partitions() -> list[TopicPartition]:
        return [TP, TopicPartition(TP.topic, 1)]

    consumer._partitions = partitions
    assert not await consumer.has_all_partitions()
    consumer._consumer.assigned = set(await partitions())
    assert await consumer.has_all_partitions()


async def test_a_record_older_than_the_history_is_left_out() -> None:
    """Read again after a reconnect it would be new to counters, since its pane has expired."""
    reader = OutcomeReader(MonitorSettings(history_days=1))
    reader._registry = Decoding(pane(), pane())  # type: ignore[assignment]  # all a reader asks of it
    await reader._process(KeptRecord(WORKFLOW_OUTCOMES.name, 0, 0, NOW_MS - 2 * 86_400_000, b"k", b"v"))

    assert reader._store.values(WORKFLOW) == []


@pytest.mark.parametrize(("age_ms", "seen"), [(1, []), (0, [3])])
async def test_what_had_to_go_for_want_of_room_is_not_read_again(age_ms: int, seen: list[int]) -> None:
    """Observers counted it already: after a reconnect they would count it twice."""
    reader, told = OutcomeReader(MonitorSettings()), []
    reader.observe(lambda _, before, now: told.append(now.calls if now else 0))
    reader._registry = Decoding(pane(calls=3))  # type: ignore[assignment]  # all a reader asks of it
    reader.trimmed_to_ms = NOW_MS
    await reader._process(KeptRecord(WORKFLOW_OUTCOMES.name, 0, 0, NOW_MS - age_ms, b"k", b"v"))

    assert told == seen


@pytest.mark.parametrize(("days", "is_missing"), [(0.9, True), (1.1, False)])
async def test_what_had_to_go_is_missing_until_it_would_have_gone_anyway(days: float, is_missing: bool) -> None:
    reader = OutcomeReader(MonitorSettings(history_days=1))
    reader.trimmed_to_ms = NOW_MS - int(days * 86_400_000)
    reader._expired_at = -EXPIRE_EVERY_S
    reader._expire()

    assert (reader.trimmed_to_ms is not None) == is_missing
