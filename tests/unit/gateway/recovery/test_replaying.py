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
from gateway.webhooks.kinds import PREDICTIVE_DIALER_STATUS
from schemas.errors import DecodeError
from schemas.headers import Headers
from schemas.records.kept import QuarantinedRequest
from schemas.records.record import Record
from schemas.records.webhooks import Event
from schemas.topics import CALLBACKS, EVENTS, QUARANTINE, Topic
from tests.support.deliveries import DIALER_STATUS, to_body, with_detail
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings, signed

NOW_S = 1_700_000_000.0


def kept_at(path: str, body: bytes) -> QuarantinedRequest:
    """A genuine request to any webhook."""
    headers = {name.lower(): value for name, value in signed(body).items()}
    return QuarantinedRequest(event_id=hashlib.sha256(body).hexdigest(), path=path, headers=headers, body=body)


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
        self.topic, self.published = CALLBACKS, list[str]()

    async def in_order(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[Any]:
        if topic == QUARANTINE:
            for number, _ in enumerate(self.requests):
                yield SimpleNamespace(topic=topic.name, partition=0, offset=number, value=b"%d" % number, headers=[])
        elif topic == self.topic:
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


EVENT_PATHS = [f"/webhooks/airudder/events/{name}" for name in ("a", "b")]


async def test_one_body_at_two_names_is_two_events_and_what_is_published_is_known_by_its_own_id() -> None:
    topics, publisher = Topics(*(kept_at(path, b"[1]") for path in EVENT_PATHS * 2)), FakePublisher()
    found = await survey(topics.search(), RequestFilter(), Judge(settings(), NOW_S))
    at_a, at_b = found.recoverable
    topics.topic, topics.published = EVENTS, [at_a[1]]

    present = await published(topics, found.recoverable)
    [count async for count in replay(topics, publisher, set(found.recoverable) - present).run(RequestFilter())]

    (stored,) = publisher.records(EVENTS)
    assert present == {at_a}
    assert isinstance(stored.record, Event)
    assert (stored.record.name, stored.record.sent) == ("b", b"[1]")
    assert dict(stored.headers)["ce_id"].decode() == stored.record.record_id == at_b[1]


@pytest.mark.parametrize(
    ("wanted", "matching"),
    [
        (RequestFilter(kind="events"), [0, 1]),
        (RequestFilter(kind="predictive-dialer-status"), [2]),
        (RequestFilter(kind="/webhooks/airudder/events/.."), [3]),
        (RequestFilter(call_id="dial-1"), [2]),
        (RequestFilter(call_id="call-1"), [0]),
        (RequestFilter(workflow_id="w"), [0]),
    ],
)
async def test_requests_of_every_webhook_are_found(wanted: RequestFilter, matching: list[int]) -> None:
    requests = [
        kept_at(EVENT_PATHS[0], b'{"workflow_id": "w", "call_id": "call-1"}'),
        kept_at(EVENT_PATHS[1], b"null"),
        kept_at(PREDICTIVE_DIALER_STATUS.path, to_body(DIALER_STATUS)),
        kept_at("/webhooks/airudder/events/..", b"{}"),
    ]

    found = [one.request async for one in Topics(*requests).search().find(wanted)]

    assert found == [requests[number] for number in matching]


async def test_a_path_that_is_no_name_is_no_event() -> None:
    judgement = Judge(settings(), NOW_S).judge(kept_at("/webhooks/airudder/events/..", b"{}"))

    assert judgement.verdict == "unknown_path"
