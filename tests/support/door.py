"""A gateway in memory with clients for its two ports, without a server: for tests of answers and of their order."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2

from gateway.gateway import Gateway
from gateway.http.app import create_app, create_ops_app
from schemas.runtime.spans import Spans
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings, signed

BODY = to_body(EXAMPLE)


class Door:
    """A gateway in memory, and clients for its two ports."""

    def __init__(self, spans: Spans | None = None, **changes: Any) -> None:
        configured = settings(**changes)
        self.publisher = FakePublisher(timeout_s=configured.publish_timeout_s)
        self.gateway = Gateway(configured, self.publisher, spans=spans)
        self.hook = _client(create_app(self.gateway))
        self.ops = _client(create_ops_app(self.gateway))

    async def post(self, body: Any = BODY, headers: dict[str, str] | None = None) -> httpx2.Response:
        return await self.hook.post(WEBHOOK, content=body, headers=signed(body) if headers is None else headers)

    def outcome(self, outcome: str, source: str = "airudder") -> float:
        labels = {"source": source, "outcome": outcome}
        return self.gateway.metrics.registry.get_sample_value("webhook_requests_total", labels) or 0

    def quarantined(self, reason: str, outcome: str) -> float:
        labels = {"reason": reason, "outcome": outcome}
        return self.gateway.metrics.registry.get_sample_value("webhook_quarantined_total", labels) or 0


def _client(app: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app, client=("192.0.2.7", 1)), base_url="http://gateway")


@asynccontextmanager
async def open_door(*, spans: Spans | None = None, **changes: Any) -> AsyncIterator[Door]:
    door = Door(spans, **changes)
    async with door.hook, door.ops:
        yield door


def assert_problem(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    document: dict[str, Any] = response.json()
    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert document["type"] == f"urn:airudder:gateway:{code}"
    assert document["status"] == status
    assert document["title"]
    assert document["detail"]
    return document
