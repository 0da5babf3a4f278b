"""Callbacks as an ASGI server hands them to a gateway, and a publisher that only encodes: no socket, no Kafka."""

from __future__ import annotations

import sys
from typing import Any

from starlette.types import Message

from gateway.publishing.publisher import Published
from schemas import codec
from schemas.headers import Headers
from schemas.records.record import Record
from schemas.topics import Topic
from tests.support.fakes import FakePublisher
from tests.support.load.bodies import Requests
from tests.support.requests import WEBHOOK


class EncodingPublisher(FakePublisher):
    """Does with a record what the real one does, less Kafka."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        value = encode_once(record)
        self.sizes.append(len(value) + len(key) + sum(len(name) + len(text) for name, text in headers))
        return Published(topic.name, 0, 0)


def encode_once(record: Record) -> bytes:
    """Counted as one call, however the codec goes about it."""
    profiler = sys.getprofile()
    sys.setprofile(None)
    try:
        return codec.encode(1, record)
    finally:
        sys.setprofile(profiler)


async def deliver(
    app: Any, requests: Requests, number: int, status: int = 200, changed: tuple[bytes, bytes] | None = None
) -> None:
    """Deliver a callback, with one header changed, and look at the answer."""
    scope, receive, send, statuses = prepared(requests, number)
    if changed:
        scope["headers"] = [(name, value) for name, value in scope["headers"] if name != changed[0]] + [changed]
    await app(scope, receive, send)
    assert statuses == [status]


def prepared(requests: Requests, number: int) -> tuple[dict[str, Any], Any, Any, list[int]]:
    """A request as an ASGI server hands it over, and the statuses it answers."""
    head, body = requests.request(number, 0).split(b"\r\n\r\n", 1)
    headers = [tuple(line.split(b": ", 1)) for line in head.split(b"\r\n")[1:]]
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": WEBHOOK,
        "raw_path": WEBHOOK.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "client": ("192.0.2.1", 50_000),
        "server": ("127.0.0.1", 8000),
    }
    statuses: list[int] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    return scope, receive, send, statuses
