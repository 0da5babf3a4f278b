"""Finding, judging and replaying the quarantine, without Kafka."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest

from gateway.errors import PublishError, RecordTooLargeError
from gateway.publishing.publisher import Published
from gateway.recovery.finding import QuarantineSearch, RequestFilter
from gateway.recovery.judging import Judge, survey
from gateway.recovery.replaying import Replay, published
from schemas.errors import DecodeError
from schemas.headers import Headers
from schemas.records.kept import QuarantinedRequest
from schemas.records.record import Record
from schemas.topics import CALLBACKS, QUARANTINE, Topic
from tests.support.deliveries import to_body, with_detail
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings, signed

NOW_S = 1_700_000_000.0


def kept(call_id: str | int, **headers: str) -> QuarantinedRequest:
    body = to_body(with_detail(call_id=call_id))
    return QuarantinedRequest(
        event_id=hashlib.sha256(body).hexdigest(), received_at=int(NOW_S * 1000), reason="bad_signature", detail="",
        method="POST", path=WEBHOOK, headers={**{k.lower(): v for k, v in signed(body).items()}, **headers}, body=body,
        remote_address="192.0.2.1",
    )  # fmt: skip


class Topics:
    """Topics in memory, as a reader and a registry: a record's value is its place in the list."""

    def __init__(self, *requests: QuarantinedRequest | None) -> None:
        self.requests = requests
        self.published: list[str] = []

    async def in_order(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[Any]:
        if topic == QUARANTINE:
            for number, _ in enumerate(self.requests):
                yield SimpleNamespace(topic=topic.name, partition=0, offset=number, value=b"%d" % number, headers=[])
        elif topic == CALLBACKS:
            for event_id in self.published:
                yield SimpleNamespace(partition=0, offset=0, value=b"", headers=[("ce_id", event_id.encode())])

    async def decode(self, value: bytes, kind: type[Any]) -> Any:
        request = self.requests[int(value)]
        if request is None:
            raise DecodeError("no record")
        return request

    def search(self) -> QuarantineSearch:
        return QuarantineSearch(self, self)  # type: ignore[arg-type]  # all that a search needs of a registry


class PickyPublisher(FakePublisher):
    """Refuses some keys as too large, and fails at others."""

    def __init__(self, too_large: str = "", failing: str = "") -> None:
        super().__init__()
        self.too_large, self.failing = too_large, failing

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        if key == self.too_large:
            raise RecordTooLargeError("too large")
        if key == self.failing:
            raise PublishError("away")
        return await super().publish(topic, key, record, headers)


def events(*requests: QuarantinedRequest) -> set[tuple[str, str]]:
    return {(CALLBACKS.name, request.event_id) for request in requests}


def replay(topics: Topics, publisher: FakePublisher, due: set[tuple[str, str]]) -> Replay:
    return Replay(topics.search(), Judge(settings(), NOW_S), publisher, due, None)


@pytest.mark.parametrize(
    ("wanted", "call_ids"),
    [
        (RequestFilter(), ["one", 17]),
        (RequestFilter(call_id="17"), [17]),
        (RequestFilter(call_id="on"), []),
        (RequestFilter(kind="workflow-status-change"), []),
        (RequestFilter(until_ms=int(NOW_S * 1000)), []),
    ],
)
async def test_requests_are_found_by_what_they_carry_and_unreadable_ones_are_counted(
    wanted: RequestFilter, call_ids: list[str | int]
) -> None:
    search = Topics(kept("one"), None, kept(17)).search()

    found = [one.request async for one in search.find(wanted)]

    assert found == [kept(call_id) for call_id in call_ids]
    assert (search.records, search.unreadable_records) == (3, 1)


async def test_a_survey_counts_verdicts_and_an_event_is_recoverable_once() -> None:
    forged = kept("two", **{"x-airudder-sign": "00" * 32})
    found = await survey(Topics(kept("one"), forged, kept("one")).search(), RequestFilter(), Judge(settings(), NOW_S))

    assert (found.requests, found.verdicts) == (3, {"passes": 2, "bad_signature": 1})
    assert found.recoverable == {(CALLBACKS.name, kept("one").event_id): int(NOW_S * 1000)}


async def test_what_is_in_its_topic_already_is_known_by_its_id() -> None:
    topics, first, second = Topics(), kept("one"), kept("two")
    topics.published = [first.event_id, "f" * 64]

    assert await published(topics, dict.fromkeys(events(first, second), 0)) == events(first)


async def test_each_due_event_is_published_once_with_where_it_came_from() -> None:
    publisher, due = FakePublisher(), events(kept("one"), kept("two"))
    replaying = replay(Topics(kept("one"), kept("one"), kept("two"), kept("three")), publisher, due)

    assert [count async for count in replaying.run(RequestFilter())] == [2]
    assert [stored.key for stored in publisher.stored] == ["one", "two"]
    assert dict(publisher.stored[1].headers)["replayed_from"] == f"{QUARANTINE.name}[0]@2".encode()
    assert due == set()


async def test_a_record_too_large_is_counted_and_stays_due() -> None:
    publisher, due = PickyPublisher(too_large="one"), events(kept("one"), kept("two"))
    replaying = replay(Topics(kept("one"), kept("two")), publisher, due)

    assert [count async for count in replaying.run(RequestFilter())] == [1]
    assert (replaying.too_large, due) == (1, events(kept("one")))


async def test_when_kafka_fails_what_was_acknowledged_is_no_longer_due() -> None:
    publisher, due = PickyPublisher(failing="two"), events(kept("one"), kept("two"))
    replaying = replay(Topics(kept("one"), kept("two")), publisher, due)

    with pytest.raises(PublishError):
        [count async for count in replaying.run(RequestFilter())]
    assert due == events(kept("two"))
