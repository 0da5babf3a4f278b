"""What uvicorn's HTTP protocol lacks: a deadline for headers, refusals that cost nothing, answers in one piece.

Without a deadline a sender of nothing stays for ever. Without cheap refusals a gateway that refuses everything is as
slow as one that works.
"""

import asyncio
from collections.abc import Callable
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

_ANSWER = (
    b"HTTP/1.1 408 Request Timeout\r\ncontent-type: application/problem+json\r\nconnection: close\r\n"
    b"content-length: %d\r\n\r\n%s"
)
_PROBLEM = (
    b'{"type":"urn:airudder:gateway:slow_headers","title":"The headers arrived too slowly","status":408,'
    b'"detail":"not complete in time"}'
)


Refuse = Callable[[str, str], bytes | None]  # method, path -> a whole response, or None to go on


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a deadline from the first byte awaited to the last header, and with `refuse`.

    The deadline runs from the connection's start, and anew from the first byte of each later request; between requests
    uvicorn's own keep-alive time holds. A refused request has it for its body too, which is dropped as it comes.
    """

    headers_timeout_s = 10.0
    refuse: Refuse | None = None
    _deadline: asyncio.TimerHandle | None = None
    _is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._await_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_refused = False
        if self._deadline is None:
            self._await_headers()

    def on_headers_complete(self) -> None:
        response = self._refusal()
        if response is None:
            self._have_headers()
            super().on_headers_complete()
            if self.cycle is not None and self.scope["method"] == "POST" and not self.expect_100_continue:
                self.cycle.transport = _HeadWithBody(self.transport)  # type: ignore[assignment]  # all a cycle needs
            return
        self._is_refused = True
        self.transport.write(response)
        if self.expect_100_continue or not self.parser.should_keep_alive():
            self.transport.close()

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._is_refused:
            super().on_message_complete()
            return
        self._have_headers()
        self._unset_keepalive_if_required()
        if not self.transport.is_closing():
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    def _refusal(self) -> bytes | None:
        """None also while an earlier request of this connection is unanswered: answers keep their order."""
        if self.refuse is None or (self.cycle is not None and not self.cycle.response_complete):
            return None
        path = httptools.parse_url(self.url).path
        return self.refuse(self.parser.get_method().decode("ascii"), path.decode("ascii"))

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_timeout_s, self._give_up)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        """Answer only when no other answer is under way on this connection."""
        self._deadline = None
        if not self._is_refused and (self.cycle is None or self.cycle.response_complete):
            self.transport.write(_ANSWER % (len(_PROBLEM), _PROBLEM))
        self.transport.close()


class _HeadWithBody:
    """The transport of one response to a POST: uvicorn writes head and body apart, which made two system calls."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head: bytes | None = None
        self.close = transport.close
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """The first is the head, which waits for the body; an empty body is written, too."""
        if self._head is None:
            self._head = data
        else:
            self._transport.write(self._head + data)
            self._head = b""


def patient_protocol(timeout_s: float, refuse: Refuse | None = None) -> type[Any]:
    """The protocol class for uvicorn's `http`. refuse: asked for every request, before anything is done with it."""
    return type(
        "PatientProtocol",
        (PatientProtocol,),
        {"headers_timeout_s": timeout_s, "refuse": staticmethod(refuse) if refuse else None},
    )
