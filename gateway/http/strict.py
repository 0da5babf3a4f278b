"""HTTP as RFC 9112 has it and within limits: what uvicorn's HTTP protocol lets pass and a front door must not.

A head without end, an offer to upgrade that loses the body, trailers that become headers, two hosts, a word out of
turn. What is refused gets a problem document, after the answers owed before it, and the connection closes.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.errors import (
    BadRequestError,
    ClientGoneError,
    HeadersTooLargeError,
    OverLimitError,
    RequestError,
    UrlTooLongError,
)
from gateway.http.problems import whole_response

MAX_HEADERS = 100
MAX_HEADER_BYTES = 32 * 1024
MAX_URL_BYTES = 8 * 1024
MAX_WAITING = 100  # requests behind an unanswered one of their connection: each is parsed before anybody else's turn
MAX_UNREAD_BYTES = 64 * 1024  # of a head, trailer or chunk extension that has not ended; more than whole ones may have
LINE_BYTES = 4  # of a header besides name and value: `: ` and the line's end
CHUNK_LINE_BYTES = 32  # what a chunk may cost besides its bytes
LINGER_S = 2.0  # for a sender to read the last answer: closing on bytes that still come would take it away
LINGER_BYTES = 8 * 1024 * 1024

_HOST = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_ENCODED_SLASH = re.compile("%2f", re.IGNORECASE)


class StrictProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol for one connection. `note`: told the code of each refusal."""

    note: Callable[[str], None] | None = None
    _is_in_head = False
    _is_in_body = False
    _is_offer = False  # the head just read offers an upgrade; it is read again without
    _is_refused = False  # the message just read has had its answer before it was begun
    _is_deaf = False  # what comes is dropped
    _lines = _line_bytes = _unread_bytes = 0  # of headers, and of what has not ended; empty lines may come before any
    _last_words = b""  # to be said when all answers are given
    _lingering: asyncio.TimerHandle | None = None
    _dropped_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Unlike uvicorn's it leaves the idle timer alone until a request begins: empty lines are none."""
        if self._is_deaf:
            self._drop(len(data))
            return
        self._has_begun, self._understood_bytes = False, 0
        try:
            if (stopped_at := self._feed(data)) is not None:
                self._feed_after(stopped_at, data)
        except httptools.HttpParserError as error:
            self._refuse(_cause(error))
        else:
            if not self._has_begun:
                self._require_an_end(len(data))

    def eof_received(self) -> bool | None:  # type: ignore[override]  # uvicorn's always closes
        """A sender that has said all may still listen: true keeps our side open."""
        if not self._is_deaf and (self._is_in_head or self._is_in_body):
            self._refuse(ClientGoneError("the sender ended it before it was complete"))
        if self._is_deaf:
            return bool(self._last_words)
        if self.cycle is None or self.cycle.response_complete:
            return None
        self.cycle.keep_alive = False
        return True

    def on_message_begin(self) -> None:
        if len(self.pipeline) >= MAX_WAITING:
            raise OverLimitError(f"{MAX_WAITING} requests wait on this connection")
        self._unset_keepalive_if_required()
        super().on_message_begin()
        self._has_begun = self._is_in_head = True
        self._is_refused = self._is_offer = False
        self._hosts: list[bytes] = []
        self._lines = self._line_bytes = self._unread_bytes = 0

    def on_url(self, url: bytes) -> None:
        self.url += url
        if len(self.url) > MAX_URL_BYTES:
            raise UrlTooLongError(f"over {MAX_URL_BYTES} bytes")

    def on_header(self, name: bytes, value: bytes) -> None:
        """In place of uvicorn's, which takes trailers for headers."""
        self._lines += 1
        self._line_bytes += len(name) + len(value) + LINE_BYTES
        if self._lines > MAX_HEADERS or self._line_bytes > MAX_HEADER_BYTES:
            raise HeadersTooLargeError(f"over {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them")
        if not self._is_in_head:
            return
        name, value = name.lower(), value.rstrip(b" \t")  # RFC 9112 5.1; llhttp leaves what is behind a value
        if name == b"host":
            self._hosts.append(value)
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        self._is_offer = self.parser.should_upgrade() and self.parser.get_method() != b"CONNECT"
        if self._is_offer:
            return
        self._require_host()
        self._is_in_head, self._is_in_body = False, True
        self._lines = self._line_bytes = self._unread_bytes = 0  # trailers have as much once more
        try:
            self._begin()
        except Exception:  # a target that is no URL: to be told so, as in a head
            self._is_in_head, self._is_in_body = True, False
            raise

    def on_chunk_header(self) -> None:
        self._understood_bytes += CHUNK_LINE_BYTES

    def on_body(self, body: bytes) -> None:
        self._understood_bytes += len(body)
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        if self._is_offer:
            return
        self._is_in_body = False
        self._end()

    def on_response_complete(self) -> None:
        if self._lingering is not None:
            self.server_state.total_requests += 1
            return
        is_last = not self.pipeline
        super().on_response_complete()
        if is_last and self._last_words:
            self._say_last(self._last_words)

    def shutdown(self) -> None:
        """The server stops: nobody is waited for who has had the last answer."""
        if self._lingering is not None:
            self.transport.close()
        else:
            super().shutdown()

    def close_after_answer(self) -> None:
        """Close, but let a sender that is still sending read the answer first."""
        if self._is_in_body:
            self._close_gently()
        else:
            self.transport.close()

    def _begin(self) -> None:
        """Work on the request whose head is complete."""
        super().on_headers_complete()
        if b"%" in self.scope["raw_path"]:
            self.scope["path"] = path_of(self.scope["raw_path"])

    def _end(self) -> None:
        """Its body is complete."""
        super().on_message_complete()

    def _feed(self, data: bytes | memoryview) -> int | None:
        """Where the parser stopped, at the end of a head that offers an upgrade; None when it took all.

        Its errors carry ours as their context, so none may be raised while another is handled.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return int(upgrade.args[0])
        return None

    def _feed_after(self, stopped_at: int | None, data: bytes) -> None:
        """The parser has stopped at the end of a head: give it the rest, and so on at each offer in it."""
        rest = memoryview(data)
        while stopped_at is not None:
            rest = rest[stopped_at:]
            if not self._is_offer:  # CONNECT: what follows would be no HTTP
                self._is_deaf, self.cycle.keep_alive = True, False
                return
            self._read_again_without_offer()
            stopped_at = self._feed(rest)

    def _read_again_without_offer(self) -> None:
        """RFC 9110 7.8: an offer to upgrade may be ignored. llhttp cannot: it takes what follows for no HTTP."""
        headers, version = self.headers, self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        self.headers[:] = headers  # as they came

    def _require_host(self) -> None:
        """RFC 9112 3.2."""
        if len(self._hosts) > 1 or (not self._hosts and self.parser.get_http_version() == "1.1"):
            raise BadRequestError("one Host header is required")
        if self._hosts and not _HOST.fullmatch(self._hosts[0]):
            raise BadRequestError("the Host header has no host")

    def _require_an_end(self, size: int) -> None:
        """Of `size` bytes just read, those that have become nothing yet. The parser joins them, at a growing cost."""
        if self._understood_bytes >= size:
            return
        self._unread_bytes += size - self._understood_bytes
        if self._unread_bytes > MAX_UNREAD_BYTES and (self._is_in_head or self._is_in_body):
            self._refuse(HeadersTooLargeError(f"no end within {MAX_UNREAD_BYTES} bytes"))

    def _refuse(self, error: RequestError) -> None:
        """Read no more; say why when all answers are given that are owed, and close."""
        if self.note is not None:
            self.note(error.code)
        self._is_deaf = True
        words = whole_response(type(error), str(error), closes=True)  # type: ignore[arg-type]  # a class has a hash
        cycle = self.cycle
        is_owed = cycle is not None and not cycle.response_complete
        if self._is_in_body:
            if self._is_refused or not is_owed or (cycle.response_started and not self.pipeline):
                words = b""  # it has had its answer
            if not self._is_refused and is_owed:
                cycle.disconnected = True  # no answer but this one
                cycle.message_event.set()
                is_owed = bool(self.pipeline)
                if is_owed:
                    self.pipeline.popleft()
        if is_owed:
            self._last_words = words
        else:
            self._say_last(words)

    def _say_last(self, words: bytes) -> None:
        if words:
            self.transport.write(words)
        self._close_gently()

    def _close_gently(self) -> None:
        """Nothing more from us; who still sends has a moment to notice."""
        self._is_deaf = True
        if self.transport.is_closing() or not self.transport.can_write_eof():
            self.transport.close()
            return
        self._unset_keepalive_if_required()
        self.flow.resume_reading()
        self.transport.write_eof()
        self._lingering = self.loop.call_later(LINGER_S, self.transport.close)

    def _drop(self, size: int) -> None:
        self._dropped_bytes += size
        if self._dropped_bytes > LINGER_BYTES:
            self.transport.close()


def path_of(raw: bytes) -> str:
    """Decoded, but for `%2F`: an encoded slash parts nothing (RFC 3986 2.2), and no path of ours has one."""
    path = raw.decode("ascii")
    return unquote(_ENCODED_SLASH.sub("%252F", path)) if "%" in path else path


def _cause(error: Any) -> RequestError:
    """Our own refusal within a callback of the parser's, else what the parser refuses."""
    cause = error.__context__
    return cause if isinstance(cause, RequestError) else BadRequestError("the HTTP parser refuses it")
