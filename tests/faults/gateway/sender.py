"""An open-loop sender that costs little, so that a measurement is of the gateway: ready bytes over raw sockets.

A request is due at its time and its latency counts from then, so a gateway that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import cast

from tests.support.samples import EXAMPLE, WEBHOOK, signed

TICK_S = 0.002
PATIENCE_S = 20.0
MAX_CONNECTIONS = 4000  # over them a request waits here, and its latency grows
NO_ANSWER = "none"


@dataclass
class Load:
    """What was sent and answered. Latencies in seconds from the moment a request was due.

    On a machine that does other work the sender is late too; `slowest_sent_s` counts from when it did send, which is
    what the gateway can be blamed for, and hides what a late sender did not send.
    """

    sent: int = 0
    seconds: float = 0.0
    late_s: float = 0.0  # the most that the sender itself was behind
    connections: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    slowest_sent_s: float = 0.0

    @property
    def slowest_s(self) -> float:
        return max(self.latencies_s)

    def quantile_s(self, share: float) -> float:
        return sorted(self.latencies_s)[int(share * (len(self.latencies_s) - 1))]

    def __str__(self) -> str:
        return (
            f"{self.sent} requests in {self.seconds:.0f} s ({self.sent / self.seconds:.0f}/s) over {self.connections} "
            f"connections, answers {dict(self.answers)}, p50 {self.quantile_s(0.5):.3f} s, "
            f"p99 {self.quantile_s(0.99):.2f} s, slowest {self.slowest_s:.2f} s "
            f"({self.slowest_sent_s:.2f} s from when it was sent, at most {self.late_s:.2f} s late)"
        )


class _Connection(asyncio.Protocol):
    """One request at a time; kept for the next one unless the gateway closes it."""

    def __init__(self, pool: _Pool) -> None:
        self._pool = pool
        self._request = b""
        self._due_at: float | None = None
        self._sent_at = 0.0
        self._answer = b""
        self._transport: asyncio.Transport | None = None
        self.is_lost = False

    def send(self, request: bytes, due_at: float) -> None:
        """Now, or as soon as the connection is made."""
        self._request, self._due_at, self._sent_at = request, due_at, self._pool.loop.time()
        if self._transport:
            self._transport.write(request)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or not length or len(body) < int(length[1]):
            return
        self._answer = b""
        self._finish(head[9:12].decode())
        if b"connection: close" not in head.lower():
            self._pool.idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self.lose("cut")

    def lose(self, why: str) -> None:
        """No more of this connection; `why` is what its request is counted as, if one was waiting."""
        if not self.is_lost:
            self.is_lost = True
            self._pool.open -= 1
            self._finish(why)

    def _finish(self, status: str) -> None:
        if self._due_at is not None:
            load, now = self._pool.load, self._pool.loop.time()
            load.answers[status] += 1
            load.latencies_s.append(now - self._due_at)
            load.slowest_sent_s = max(load.slowest_sent_s, now - self._sent_at)
            self._due_at = None
            self._pool.note_answer()


class _Pool:
    """Connections by need, MAX_CONNECTIONS of them."""

    def __init__(self, host: str, port: int, load: Load) -> None:
        self.load = load
        self.loop = asyncio.get_running_loop()
        self.idle: list[_Connection] = []
        self.open = 0
        self._wanted: tuple[int, asyncio.Future[None]] | None = None
        self._target = (host, port)
        self._opening: set[asyncio.Task[None]] = set()

    def send(self, request: bytes, due_at: float) -> bool:
        """Whether there was a connection to send it on."""
        while self.idle:
            connection = self.idle.pop()
            if not connection.is_lost:
                connection.send(request, due_at)
                return True
        if self.open >= MAX_CONNECTIONS:
            return False
        connection = _Connection(self)
        connection.send(request, due_at)
        self.open += 1
        self.load.connections += 1
        task = asyncio.create_task(self._connect(connection))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)
        return True

    async def all_answered(self, count: int) -> None:
        """Wait for this many answers in total."""
        self._wanted = (count, self.loop.create_future())
        self.note_answer()
        await self._wanted[1]

    def note_answer(self) -> None:
        if self._wanted and self.load.answers.total() >= self._wanted[0] and not self._wanted[1].done():
            self._wanted[1].set_result(None)

    async def _connect(self, connection: _Connection) -> None:
        try:
            await self.loop.create_connection(lambda: connection, *self._target)
        except OSError as error:
            connection.lose(type(error).__name__)


async def send(host: str, port: int, requests: list[bytes], rate: float) -> Load:
    """Every request at its time, `rate` a second, and then PATIENCE_S at most for the answers still to come."""
    loop, load = asyncio.get_running_loop(), Load()
    pool = _Pool(host, port, load)
    started = loop.time()
    while load.sent < len(requests):
        while load.sent < len(requests) and (due_at := started + load.sent / rate) <= loop.time():
            if not pool.send(requests[load.sent], due_at):
                break
            load.late_s = max(load.late_s, loop.time() - due_at)
            load.sent += 1
        await asyncio.sleep(TICK_S)
    load.seconds = loop.time() - started
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE_S):
            await pool.all_answered(load.sent)
    load.answers[NO_ANSWER] += load.sent - load.answers.total()
    return load


def make_requests(count: int) -> list[bytes]:
    """Each is another callback of 4 kB, signed."""
    return [_request(number) for number in range(count)]


def _request(number: int) -> bytes:
    body = _BODY.replace(_CALL_ID, b"call-%d" % number)
    lines = [f"POST {WEBHOOK} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in signed(body).items()]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CALL_ID = EXAMPLE["details"][0]["call_id"].encode()
_BODY = json.dumps(EXAMPLE, ensure_ascii=False).encode()
