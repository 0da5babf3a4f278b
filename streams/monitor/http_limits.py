"""Limits of the HTTP server: descriptors, connections, the size and time of a request, requests at once.

uvicorn has no deadline for a request's head, no limit for its size, and counts idle connections as requests. So an idle
or endless connection would take the place of one that sends requests.
"""

import asyncio
import resource
from contextlib import suppress
from typing import Any, Final

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From the wait for the first byte to the last byte of a request; uvicorn's keep-alive time holds between requests.
REQUEST_DEADLINE_S: Final = 5.0

MAX_REQUEST_BYTES: Final = 64 * 1024
MAX_CONNECTIONS: Final = 2_000
# For Kafka, files and the libraries.
SPARE_DESCRIPTORS: Final = 200

MAX_REQUESTS: Final = 100
ANSWER_DEADLINE_S: Final = 60.0
TOO_LARGE: Final = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"


def raise_descriptor_limit() -> tuple[int, int]:
    """Raise the limit of descriptors as far as the system allows. Returns it, and how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    except (ValueError, OSError):  # macOS refuses "unlimited"
        pass
    descriptors = soft if soft != resource.RLIM_INFINITY else MAX_CONNECTIONS + SPARE_DESCRIPTORS
    return descriptors, max(10, min(MAX_CONNECTIONS, descriptors - SPARE_DESCRIPTORS))


class BoundedProtocol(HttpToolsProtocol):
    """One connection. When there are too many, the one that has been silent longest is closed.

    waiting: the connections without a request in work, the longest silent first; one set per server.
    """

    waiting: dict["BoundedProtocol", None]
    max_connections = MAX_CONNECTIONS
    _deadline: asyncio.TimerHandle | None = None
    _request_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._wait()
        self._await_request()
        if len(self.connections) > self.max_connections and self.waiting:
            next(iter(self.waiting))._drop()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_request()
        self.waiting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._request_bytes += len(data)
        if self._request_bytes > MAX_REQUEST_BYTES:
            if self.cycle is None or self.cycle.response_complete:
                self.transport.write(TOO_LARGE)
            self.transport.close()
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._await_request()

    def on_message_complete(self) -> None:
        self._have_request()
        self._request_bytes = 0
        if self.cycle.response_complete:
            self._await_request()  # answered before it was complete, and uvicorn's keep-alive time is spent
        else:
            self.waiting.pop(self, None)
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _wait(self) -> None:
        self.waiting.pop(self, None)
        self.waiting[self] = None

    def _await_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_DEADLINE_S, self._drop)

    def _have_request(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _drop(self) -> None:
        self._deadline = None
        self.waiting.pop(self, None)
        self.transport.close()


def bounded_protocol(max_connections: int) -> type[Any]:
    """The protocol class for uvicorn's `http`."""
    return type("BoundedProtocol", (BoundedProtocol,), {"waiting": {}, "max_connections": max_connections})


class BoundedRequests:
    """At most MAX_REQUESTS in work. Health checks are not counted; listeners to events have a limit of their own."""

    UNCOUNTED = ("/livez", "/readyz", "/api/events")

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._requests = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request. It is given up when its client has not taken the answer after ANSWER_DEADLINE_S."""
        if scope["type"] != "http" or scope["path"] in self.UNCOUNTED:
            await self._app(scope, receive, send)
        elif self._requests >= MAX_REQUESTS:
            busy = PlainTextResponse("too many requests at once\n", 503, {"Retry-After": "1"})
            await busy(scope, receive, send)
        else:
            self._requests += 1
            try:
                with suppress(TimeoutError):
                    async with asyncio.timeout(ANSWER_DEADLINE_S):
                        await self._app(scope, receive, send)
            finally:
                self._requests -= 1
