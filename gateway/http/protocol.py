"""The HTTP protocol of both ports: a deadline for headers, cheap refusals, a limit of connections.

Without a deadline a silent sender keeps its connection for ever. Without cheap refusals a gateway that refuses
everything is as slow as one that publishes.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import httptools

from gateway.errors import CrowdedError, SlowHeadersError
from gateway.http.crowds import PROVED, UNPROVED, Wait, leaving
from gateway.http.strict import StrictProtocol, path_of
from gateway.sources import source_of

LEAVE_AT_ONCE: Final = 50  # a fiftieth of the connections is closed at a time, because choosing reads all of them

Refuse = Callable[[str, str, str], bytes | None]  # method, path, source -> a whole response, or None to go on


class WebhookProtocol(StrictProtocol):
    """A connection with a deadline from the first byte awaited to the last header, and with `refuse`.

    The deadline runs from the connection's start, and again from the first byte of each later request. Between requests
    uvicorn's keep-alive time applies, and after a refusal (4xx) the deadline's. For a request that is refused before
    any work the deadline covers its body too, which is dropped. Over `max_connections` idle connections are closed.
    """

    headers_timeout_s = 10.0
    max_connections = 10_000
    refuse: Refuse | None = None
    source = ""
    was_refused = False
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self.source = source_of(self.client[0]) if self.client else ""
        self._await_headers()
        if len(self.connections) > self.max_connections:
            self._find_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._have_headers()
        super().connection_lost(exc)
        self.pipeline.clear()
        if self.cycle is not None:
            self.cycle.transport = self.transport  # ours refers to this object: else a garbage cycle

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._deadline is None:
            self._await_headers()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.was_refused and self.timeout_keep_alive_task is not None:
            self._idle(self.headers_timeout_s)

    @property
    def wait(self) -> Wait | None:
        """How long this connection has been idle; None while a request is processed."""
        if self._lingering is not None or self.flow.write_paused:
            return Wait(UNPROVED, 0.0)
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        if self._deadline is not None:
            return Wait(UNPROVED, self._deadline.when() - self.headers_timeout_s)
        if self.timeout_keep_alive_task is None:
            return None
        if self.was_refused:
            return Wait(UNPROVED, self.timeout_keep_alive_task.when() - self.headers_timeout_s)
        return Wait(PROVED, self.timeout_keep_alive_task.when() - self.timeout_keep_alive)

    def make_room(self) -> None:
        """Close for another connection; a sender that has begun a head gets an answer."""
        if self._is_in_head and not self._is_deaf:
            self._refuse(CrowdedError("others waited for a place"))
        elif self.note is not None:
            self.note(CrowdedError.code)
        self.transport.close()

    def _find_room(self) -> None:
        """Close idle connections, or refuse this one."""
        guests: set[WebhookProtocol] = self.connections  # type: ignore[assignment]  # all are made by the same class
        chosen = leaving(guests, max(1, self.max_connections // LEAVE_AT_ONCE))
        for guest in chosen:
            if guest is not self:
                guest.make_room()
        if self in chosen:  # all others are busy, or of smaller sources
            self._refuse(CrowdedError("all are busy"))

    def _begin(self) -> None:
        response = self._refusal()
        if response is None:
            self._have_headers()
            super()._begin()
            if self.scope["method"] == "POST" and not self.expect_100_continue:
                self.cycle.transport = _HeadWithBody(self)  # type: ignore[assignment]  # it has all that a cycle uses
            else:
                self.cycle.transport = _Answer(self)  # type: ignore[assignment]
            return
        self._is_refused = True
        self.transport.write(response)
        if self.expect_100_continue or not self.parser.should_keep_alive():
            self.close_after_answer()

    def _end(self) -> None:
        if not self._is_refused:
            super()._end()
            return
        self._have_headers()
        if not self._is_deaf and not self.transport.is_closing():
            self._idle(self.timeout_keep_alive)

    def _idle(self, seconds: float) -> None:
        self._unset_keepalive_if_required()
        self.timeout_keep_alive_task = self.loop.call_later(seconds, self.timeout_keep_alive_handler)

    def _refusal(self) -> bytes | None:
        """A whole response that refuses the request; None while an earlier request is unanswered, to keep the order."""
        if self.refuse is None or (self.cycle is not None and not self.cycle.response_complete):
            return None
        path = path_of(httptools.parse_url(self.url).path)
        return self.refuse(self.parser.get_method().decode("ascii"), path, self.source)

    def _await_headers(self) -> None:
        self._deadline = self.loop.call_later(self.headers_timeout_s, self._give_up)

    def _have_headers(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        if self._is_deaf:
            return
        if self._is_refused:
            self.transport.close()
        else:
            self._refuse(SlowHeadersError("not complete in time"))


class _Answer:
    """The transport of one response; notes on the protocol whether its status is a refusal."""

    def __init__(self, protocol: WebhookProtocol) -> None:
        self._protocol = protocol
        self._write = protocol.transport.write
        self.close = protocol.close_after_answer
        self.is_closing = protocol.transport.is_closing
        self._has_status = False

    def write(self, data: bytes) -> None:
        if not self._has_status:
            self._note_status(data)
        self._send(data)

    def _send(self, data: bytes) -> None:
        try:
            self._write(data)
        except RuntimeError:  # uvloop's: the sender has gone, and connection_lost follows
            self._protocol.transport.close()

    def _note_status(self, head: bytes) -> None:
        self._has_status = head[9:10] != b"1"  # not the interim 100
        self._protocol.was_refused = head[9:10] == b"4"


class _HeadWithBody(_Answer):
    """The response to a POST, in one system call: uvicorn writes head and body separately."""

    def __init__(self, protocol: WebhookProtocol) -> None:
        super().__init__(protocol)
        self._head: bytes | None = None

    def write(self, data: bytes) -> None:
        """The first write is the head, which is kept until the body; an empty body is written too."""
        if self._head is None:
            self._head = data
            self._note_status(data)
        else:
            self._send(self._head + data)
            self._head = b""


def webhook_protocol(
    timeout_s: float,
    refuse: Refuse | None = None,
    note: Callable[[str], None] | None = None,
    max_connections: int = WebhookProtocol.max_connections,
) -> type[Any]:
    """The protocol class for uvicorn's `http`.

    refuse: called for every request before it is processed. note: called with the code of each refusal.
    """
    return type(
        "WebhookProtocol",
        (WebhookProtocol,),
        {
            "headers_timeout_s": timeout_s,
            "max_connections": max_connections,
            "refuse": staticmethod(refuse) if refuse else None,
            "note": staticmethod(note) if note else None,
        },
    )
