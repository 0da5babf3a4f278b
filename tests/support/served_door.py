"""A gateway in memory behind its real HTTP server, and raw connections to it: for tests of the protocol."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from gateway.gateway import Gateway
from gateway.http.app import create_app
from gateway.http.protocol import webhook_protocol
from gateway.http.refusals import HttpRefusals
from gateway.http.shedding import Shedding
from gateway.serving.http_servers import http_server
from schemas.runtime.listening import listen
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.fakes import FakePublisher
from tests.support.requests import WEBHOOK, settings, signed
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)
HEADERS_TIMEOUT_S = 0.4
ANSWER_S = PATIENCE_S
CHUNKED = "transfer-encoding: chunked"


class HttpAnswer(NamedTuple):
    """One response as it came over the wire."""

    status: int
    headers: dict[str, str]
    document: Any


class RawConnection:
    """A raw connection to the webhook."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    def write(self, body: bytes = BODY, sent: bytes | None = None, path: str = WEBHOOK, *more: str) -> None:
        """A signed request; of its body only `sent` when that is given."""
        lines = [f"POST {path} HTTP/1.1", "host: gateway", f"content-length: {len(body)}", *more]
        lines += [f"{name}: {value}" for name, value in signed(body).items()]
        self.writer.write("\r\n".join([*lines, "\r\n"]).encode() + (body if sent is None else sent))

    async def answer(self) -> HttpAnswer:
        async with asyncio.timeout(ANSWER_S):
            head = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = dict(line.lower().split(": ", 1) for line in head[1:-2])
            document = json.loads(await self._reader.readexactly(int(headers["content-length"])))
        return HttpAnswer(int(head[0].split()[1]), headers, document)

    async def rest(self) -> bytes:
        """What comes until the gateway closes. It closes by a reset when bytes of ours are still on their way."""
        received = b""
        async with asyncio.timeout(ANSWER_S):
            with contextlib.suppress(ConnectionResetError):
                while part := await self._reader.read(65_536):
                    received += part
        return received


class ServedDoor:
    """A gateway in memory behind its real HTTP server."""

    def __init__(self, headers_timeout_s: float = HEADERS_TIMEOUT_S, **changes: Any) -> None:
        self.publisher = FakePublisher()
        self.gateway = Gateway(settings(**changes), self.publisher)
        self.socket = listen("127.0.0.1", 0, "GATEWAY_HOST", "GATEWAY_PORT")
        note = HttpRefusals(self.gateway.metrics.refused, "webhook").note
        refuse, most = Shedding(self.gateway).refusal, self.gateway.settings.max_connections
        self.server = http_server(create_app(self.gateway), 1, webhook_protocol(headers_timeout_s, refuse, note, most))

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[RawConnection]:
        reader, writer = await asyncio.open_connection(*self.socket.getsockname())
        try:
            yield RawConnection(reader, writer)
        finally:
            writer.close()

    def outcome(self, outcome: str) -> float:
        labels = {"source": "airudder", "outcome": outcome}
        return self.gateway.metrics.registry.get_sample_value("webhook_requests_total", labels) or 0


@asynccontextmanager
async def serve_door(**changes: Any) -> AsyncIterator[ServedDoor]:
    door = ServedDoor(**changes)
    serving = asyncio.create_task(door.server.serve(sockets=[door.socket]))
    try:
        await wait_until(lambda: door.server.started, PATIENCE_S, "the server to have started")
        yield door
    finally:
        door.server.should_exit = True
        await serving


def away(door: ServedDoor) -> None:
    door.publisher.fault = "Kafka: away"
    door.publisher.is_shedding = True


def head(
    *lines: str, body: bytes = BODY, path: str = WEBHOOK, method: str = "POST", host: str = "host: gateway"
) -> bytes:
    """A signed request's head; with a Content-Length unless it is chunked."""
    sign = [f"{name}: {value}" for name, value in signed(body).items()]
    length = [] if CHUNKED in lines else [f"content-length: {len(body)}"]
    return "\r\n".join(
        [f"{method} {path} HTTP/1.1", *([host] if host else []), *length, *sign, *lines, "\r\n"]
    ).encode()


async def statuses(connection: RawConnection, count: int) -> list[int]:
    return [(await connection.answer()).status for _ in range(count)]


async def ended(connection: RawConnection) -> bool:
    """True when nothing more comes and the gateway has closed."""
    return await connection.rest() == b""


def connections(door: ServedDoor) -> list[Any]:
    return list(door.server.server_state.connections)


def refused(door: ServedDoor, code: str) -> float:
    return door.gateway.metrics.registry.get_sample_value("gateway_http_refused_total", {"reason": code}) or 0
