"""HTTP within RFC 9112 and within limits, where uvicorn's HTTP protocol accepts more than a front door may.

It refuses a head without end and two Host headers, keeps trailers out of the headers, and reads the body behind an
offer to upgrade. A refused request gets a problem document, after the answers to earlier requests, and the connection
closes.
"""

import asyncio
import re
from collections.abc import Callable
from typing import Any, Final
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

MAX_HEADERS: Final = 100
MAX_HEADER_BYTES: Final = 32 * 1024
MAX_URL_BYTES: Final = 8 * 1024
MAX_WAITING: Final = 100  # requests of one connection behind an unanswered one; each is parsed when it arrives
MAX_UNREAD_BYTES: Final = (
    64 * 1024
)  # of a head, trailer or chunk extension without an end: more than a complete one has
LINE_BYTES: Final = 4  # of a header besides name and value: `: ` and the line ending
CHUNK_LINE_BYTES: Final = 32  # of a chunk besides its data
LINGER_S: Final = 2.0  # for a sender to read the last answer: a close while bytes arrive would discard it
LINGER_BYTES: Final = 8 * 1024 * 1024

_HOST: Final = re.compile(rb"[A-Za-z0-9._~!$&'()*+,;=%:\[\]-]*")
_ENCODED_SLASH: Final = re.compile("%2f", re.IGNORECASE)


class StrictProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol for one connection. `note`: called with the code of each refusal."""

    note: Callable[[str], None] | None = None
    _is_in_head = False
    _is_in_body = False
    _is_offer = False  # the head just read offers an upgrade; it is parsed again without the offer
    _is_refused = False  # the message just read was answered before its processing began
    _is_deaf = False  # further bytes are dropped
    _lines = _line_bytes = _unread_bytes = 0  # of headers, and of a part without an end; empty lines may precede a head
    _last_answer = b""  # written when all other answers are written
    _lingering: asyncio.TimerHandle | None = None
    _dropped_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        if self._lingering is not None:
            self._lingering.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Unlike uvicorn's, it keeps the idle timer until a request begins: empty lines do not begin one."""
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
                self._require_end(len(data))

    def eof_received(self) -> bool | None:  # type: ignore[override]  # uvicorn's always closes
        """True keeps our side open: a sender that has sent everything may still read."""
        if not self._is_deaf and (self._is_in_head or self._is_in_body):
            self._refuse(ClientGoneError("the sender ended it before it was complete"))
        if self._is_deaf:
            return bool(self._last_answer)
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
        """Replaces uvicorn's, which adds trailers to the headers."""
        self._lines += 1
        self._line_bytes += len(name) + len(value) + LINE_BYTES
        if self._lines > MAX_HEADERS or self._line_bytes > MAX_HEADER_BYTES:
            raise HeadersTooLargeError(f"over {MAX_HEADERS} headers or {MAX_HEADER_BYTES} bytes of them")
        if not self._is_in_head:
            return
        name, value = name.lower(), value.rstrip(b" \t")  # RFC 9112 5.1; llhttp leaves the white space after a value
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
        self._lines = self._line_bytes = self._unread_bytes = 0  # trailers have the same limits again
        try:
            self._begin()
        except Exception:  # a target that is no URL is refused like a bad head
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
        if is_last and self._last_answer:
            self._write_last(self._last_answer)

    def shutdown(self) -> None:
        """The server stops: a connection that has its last answer is closed at once."""
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
        """Process the request whose head is complete."""
        super().on_headers_complete()
        if b"%" in self.scope["raw_path"]:
            self.scope["path"] = path_of(self.scope["raw_path"])

    def _end(self) -> None:
        """The body of that request is complete."""
        super().on_message_complete()

    def _feed(self, data: bytes | memoryview) -> int | None:
        """Where the parser stopped, at the end of a head that offers an upgrade; None when it parsed everything.

        Its errors carry ours as their context, so none may be raised while another is handled.
        """
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            return int(upgrade.args[0])
        return None

    def _feed_after(self, stopped_at: int | None, data: bytes) -> None:
        """Parse the rest after a head that offers an upgrade, and so on after each such head."""
        rest = memoryview(data)
        while stopped_at is not None:
            rest = rest[stopped_at:]
            if not self._is_offer:  # CONNECT: the rest would not be HTTP
                self._is_deaf, self.cycle.keep_alive = True, False
                return
            self._read_again_without_offer()
            stopped_at = self._feed(rest)

    def _read_again_without_offer(self) -> None:
        """RFC 9110 7.8: an offer to upgrade may be ignored. llhttp cannot ignore it: it stops parsing HTTP there."""
        headers, version = self.headers, self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self.parser.feed_data(b"\r\n".join([*lines, b"", b""]))
        self.headers[:] = headers  # as they came

    def _require_host(self) -> None:
        """Require one valid Host header (RFC 9112 3.2)."""
        if len(self._hosts) > 1 or (not self._hosts and self.parser.get_http_version() == "1.1"):
            raise BadRequestError("one Host header is required")
        if self._hosts and not _HOST.fullmatch(self._hosts[0]):
            raise BadRequestError("the Host header has no host")

    def _require_end(self, size: int) -> None:
        """Refuse a part that grows without end. The parser joins its bytes again at each read, at a growing cost."""
        if self._understood_bytes >= size:
            return
        self._unread_bytes += size - self._understood_bytes
        if self._unread_bytes > MAX_UNREAD_BYTES and (self._is_in_head or self._is_in_body):
            self._refuse(HeadersTooLargeError(f"no end within {MAX_UNREAD_BYTES} bytes"))

    def _refuse(self, error: RequestError) -> None:
        """Read no more; write the answer when all earlier answers are written, and close."""
        if self.note is not None:
            self.note(error.code)
        self._is_deaf = True
        answer = whole_response(type(error), str(error), closes=True)  # type: ignore[arg-type]  # a class has a hash
        cycle = self.cycle
        is_owed = cycle is not None and not cycle.response_complete
        if self._is_in_body:
            if self._is_refused or not is_owed or (cycle.response_started and not self.pipeline):
                answer = b""  # it has its answer already
            if not self._is_refused and is_owed:
                cycle.disconnected = True  # the application answers no more
                cycle.message_event.set()
                is_owed = bool(self.pipeline)
                if is_owed:
                    self.pipeline.popleft()
        if is_owed:
            self._last_answer = answer
        else:
            self._write_last(answer)

    def _write_last(self, answer: bytes) -> None:
        if answer:
            self.transport.write(answer)
        self._close_gently()

    def _close_gently(self) -> None:
        """End our side, and close after LINGER_S, so that a sender that is still sending can read the answer."""
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
    """The decoded path, except for `%2F`: an encoded slash does not separate segments (RFC 3986 2.2)."""
    path = raw.decode("ascii")
    return unquote(_ENCODED_SLASH.sub("%252F", path)) if "%" in path else path


def _cause(error: Any) -> RequestError:
    """The error that one of our callbacks raised within the parser, else the parser's own."""
    cause = error.__context__
    return cause if isinstance(cause, RequestError) else BadRequestError("the HTTP parser refuses it")
