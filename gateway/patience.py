"""How long a connection may take to say what it wants: uvicorn has no limit, so a sender of nothing stays for ever."""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s"
)
_PROBLEM = (
    b'{"type":"urn:airudder:gateway:slow_headers","title":"The headers arrived too slowly","status":408,'
    b'"detail":"not complete in time"}'
)


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a deadline from the first byte awaited to the last header.

    It runs from the connection's start, and anew from the first byte of each later request; between requests uvicorn's
    own keep-alive time holds.
    """

    headers_timeout_s = 10.0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        self._have_headers()
        super().on_headers_complete()

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_timeout_s, self._give_up)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Answer only when no other answer is under way on this connection."""
        self._deadline = None
        if self.cycle is None or self.cycle.response_complete:
            self.transport.write(_ANSWER % (len(_PROBLEM), _PROBLEM))
        self.transport.close()


def patient_protocol(timeout_s: float) -> type[Any]:
    """The protocol class for uvicorn's `http`."""
    return type("PatientProtocol", (PatientProtocol,), {"headers_timeout_s": timeout_s})
