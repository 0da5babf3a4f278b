"""Refusals before any work: true answers, at once, unread, counted, and the connection goes on."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import structlog

from gateway.errors import PublishError
from gateway.gateway import Gateway
from gateway.http.app import create_app
from gateway.http.protocol import webhook_protocol
from gateway.publishing.kafka import EXAMINED_PER_S, KafkaPublisher
from gateway.serving.http_servers import http_server
from gateway.webhooks.kinds import TOPICS
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings
from tests.support.served_door import (
    HEADERS_TIMEOUT_S,
    away,
    serve_door,
)
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)


async def test_what_cannot_be_published_is_503_before_its_body_is_here_and_the_connection_goes_on() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        connection.write(sent=BODY[:10])
        refused = await connection.answer()
        connection.writer.write(BODY[10:])
        connection.write()
        again = await connection.answer()
        door.publisher.fault = ""
        connection.write()
        accepted = await connection.answer()

        assert (refused.status, again.status, accepted.status) == (503, 503, 200)
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.headers["content-type"] == "application/problem+json"
        assert refused.document["type"].endswith("broker_unavailable")
        assert "Kafka" not in refused.document["detail"]
        assert len(door.publisher.stored) == 1
        assert (door.outcome("broker_unavailable"), door.outcome("accepted")) == (2, 1)


async def test_over_the_limit_in_flight_it_is_429_before_its_body_is_here() -> None:
    async with serve_door(max_in_flight_requests=1) as door, door.connection() as first, door.connection() as second:
        door.publisher.hold = asyncio.Event()
        first.write()
        await wait_until(lambda: door.publisher.waiting, PATIENCE_S, "the first request in flight")
        second.write(sent=b"")
        refused = await second.answer()
        door.publisher.hold.set()

        assert (refused.status, refused.headers["retry-after"]) == (429, "1")
        assert "connection" not in refused.headers
        assert (await first.answer()).status == 200
        assert door.outcome("limited") == 1


@pytest.mark.parametrize(
    "more", [("expect: 100-continue",), ("connection: close",)], ids=["100-continue", "connection: close"]
)
async def test_after_a_refusal_the_connection_closes_where_it_cannot_go_on(more: tuple[str]) -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        connection.write(BODY, b"", WEBHOOK, *more)

        assert (await connection.answer()).status == 503
        assert await connection.rest() == b""


async def test_the_body_of_a_refused_request_is_not_waited_for_longer_than_headers_are() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        connection.write(sent=BODY[:10])
        await connection.answer()
        connection.writer.write(BODY[10:20])

        assert await connection.rest() == b""  # no second answer either


async def test_a_refused_chunked_body_is_dropped_and_the_next_request_answered() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        head = f"POST {WEBHOOK} HTTP/1.1\r\nhost: gateway\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.writer.write(head.encode() + b"2\r\nab\r\n")
        refused = await connection.answer()
        connection.writer.write(b"3\r\ncde\r\n0\r\n\r\n")
        door.publisher.fault = ""
        connection.write()

        assert (refused.status, (await connection.answer()).status) == (503, 200)


async def test_a_pipelined_request_is_not_answered_before_the_one_ahead_of_it() -> None:
    async with serve_door() as door, door.connection() as connection:
        door.publisher.hold = asyncio.Event()
        connection.write()
        await wait_until(lambda: door.publisher.waiting, PATIENCE_S, "the first request in flight")
        door.publisher.is_shedding, door.publisher.fault = True, "Kafka: away"
        connection.write(to_body(with_detail(call_id="second")))
        (protocol,) = door.server.server_state.connections
        await wait_until(lambda: getattr(protocol, "pipeline", None), PATIENCE_S, "the second request behind the first")
        door.publisher.hold.set()

        assert [(await connection.answer()).status, (await connection.answer()).status] == [200, 503]


async def test_events_are_refused_alike_and_counted_under_one_label() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        answers = []
        for name in ("planted-a", "planted-b", ".."):
            connection.write(path=f"/webhooks/airudder/events/{name}")
            answers.append((await connection.answer()).status)

        (family,) = door.gateway.metrics.http_duration.collect()
        series = {str(sample.labels) for sample in family.samples}
        assert answers == [503, 503, 404]
        assert "planted" not in str(series)
        assert any("/events/{name}" in labels for labels in series)
        assert door.outcome("broker_unavailable") == 2


async def test_other_paths_and_methods_are_told_what_they_are_as_ever() -> None:
    async with serve_door() as door, door.connection() as connection:
        away(door)
        connection.write(path="/elsewhere")

        assert (await connection.answer()).status == 404


async def test_a_fault_of_its_own_lets_the_request_through(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve_door() as door, door.connection() as connection:
        monkeypatch.setattr(door.publisher, "admit", None)
        connection.write()

        assert (await connection.answer()).status == 200


async def test_refusals_are_reported_to_the_log_once_a_second_and_not_one_by_one() -> None:
    with structlog.testing.capture_logs() as logs:
        async with serve_door() as door, door.connection() as connection:
            away(door)
            for _ in range(20):
                connection.write()
                await connection.answer()
            await wait_until(lambda: told(logs), PATIENCE_S, "the log's line")

    assert told(logs) == [{"broker_unavailable": 20, "event": "callbacks.refused", "log_level": "warning"}]
    assert not [line for line in logs if line["event"] == "callback"]


def told(logs: list[Any]) -> list[Any]:
    return [line for line in logs if line["event"] == "callbacks.refused"]


def test_while_kafka_is_away_some_requests_are_worked_on_and_all_when_it_is_back() -> None:
    publisher = KafkaPublisher(settings(), TOPICS)
    admitted = sum(is_admitted(publisher) for _ in range(5000))
    publisher._kafka_fault = ""

    assert EXAMINED_PER_S <= admitted < 10 * EXAMINED_PER_S
    assert all(is_admitted(publisher) for _ in range(5000))


def is_admitted(publisher: KafkaPublisher) -> bool:
    try:
        publisher.admit()
    except PublishError:
        return False
    return True


def test_idle_connections_are_kept_longer_than_balancers_keep_them() -> None:
    balancer_s = 60
    server = http_server(create_app(Gateway(settings(), FakePublisher())), 1, webhook_protocol(HEADERS_TIMEOUT_S))

    assert server.config.timeout_keep_alive > balancer_s
