"""How much memory a gateway takes while Kafka is frozen and requests go on arriving, whether or not they are answered.

`python -m tests.faults.gateway.memory --rate 2000 --seconds 30`. The sender is open-loop: a request is due at its time
and its latency counts from then, so a gateway that falls behind cannot hide it.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, cast

import psutil
import typer
import uvloop

from streams.local.kafka import LocalKafka
from streams.local.registry import LocalRegistry
from tests.integration.gateway_harness import Client, create_topics, running_gateway
from tests.unit.gateway.samples import EXAMPLE, WEBHOOK, signed

TICK_S = 0.01
PATIENCE_S = 20.0
MIB = 1024 * 1024


@dataclass
class Load:
    """What was sent and answered; sizes in MiB."""

    sent: int = 0
    seconds: float = 0.0
    answers: Counter[str] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    rss_before: float = 0.0
    rss_peak: float = 0.0

    @property
    def slowest_s(self) -> float:
        return max(self.latencies_s)

    @property
    def p99_s(self) -> float:
        return sorted(self.latencies_s)[int(0.99 * len(self.latencies_s))]

    def __str__(self) -> str:
        return (
            f"{self.sent} requests in {self.seconds:.0f} s ({self.sent / self.seconds:.0f}/s), answers "
            f"{dict(self.answers)}, p99 {self.p99_s:.2f} s, slowest {self.slowest_s:.2f} s; "
            f"RSS {self.rss_before:.0f} MiB before, {self.rss_peak:.0f} MiB at its peak"
        )


class _Connection(asyncio.Protocol):
    """One request at a time; kept for the next one unless the gateway closes it."""

    def __init__(self, load: Load, idle: list[_Connection]) -> None:
        self._load, self._idle = load, idle
        self._due_at = 0.0
        self._answer = b""
        self._done: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is not a subclass

    def send(self, request: bytes, due_at: float) -> asyncio.Future[None]:
        assert self._transport
        self._due_at, self._done = due_at, asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._done

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, separator, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if not separator or not length or len(body) < int(length[1]):
            return
        self._answer = b""
        self._finish(head[9:12].decode())
        if b"connection: close" not in head.lower():
            self._idle.append(self)

    def connection_lost(self, error: Exception | None) -> None:
        self._finish("cut")
        if self in self._idle:
            self._idle.remove(self)

    def _finish(self, status: str) -> None:
        if self._done and not self._done.done():
            self._load.answers[status] += 1
            self._load.latencies_s.append(asyncio.get_running_loop().time() - self._due_at)
            self._done.set_result(None)


async def load_a_frozen_gateway(directory: Path, kafka: LocalKafka, registry_url: str, rate: int, seconds: int) -> Load:
    """`kafka` has the gateway's topics. Freezes it, sends, thaws it and sees a callback accepted again."""
    async with running_gateway(kafka.bootstrap_servers, registry_url, directory) as client:
        kafka.freeze()
        try:
            load = await _send(client, rate, seconds)
        finally:
            kafka.thaw()
        await client.wait_until_ready()
        return load


async def _send(client: Client, rate: int, seconds: int) -> Load:
    loop, load = asyncio.get_running_loop(), Load(seconds=seconds)
    host, port = client.gateway.url.removeprefix("http://").split(":")
    process = psutil.Process(client.gateway.pid)
    load.rss_before = load.rss_peak = process.memory_info().rss / MIB
    exchanges: set[asyncio.Task[None]] = set()
    idle: list[_Connection] = []
    started = loop.time()
    while (now := loop.time() - started) < seconds:
        while load.sent < rate * now:
            task = asyncio.create_task(_exchange(host, int(port), load, idle, load.sent, started + load.sent / rate))
            exchanges.add(task)
            task.add_done_callback(exchanges.discard)
            load.sent += 1
        load.rss_peak = max(load.rss_peak, process.memory_info().rss / MIB)
        await _until(loop.time() + TICK_S)
    if exchanges:
        await asyncio.wait(exchanges, timeout=PATIENCE_S)
    load.rss_peak = max(load.rss_peak, process.memory_info().rss / MIB)
    load.answers["none"] += len(exchanges)
    return load


async def _exchange(host: str, port: int, load: Load, idle: list[_Connection], number: int, due_at: float) -> None:
    connection = idle.pop() if idle else None
    if connection is None:
        try:
            _, connection = await asyncio.get_running_loop().create_connection(
                lambda: _Connection(load, idle), host, port
            )
        except OSError as error:
            load.answers[type(error).__name__] += 1
            return
    await connection.send(_request(number), due_at)


def _request(number: int) -> bytes:
    """Each is another callback of 4 kB, signed."""
    body = _BODY.replace(_CALL_ID, b"call-%d" % number)
    lines = [f"POST {WEBHOOK} HTTP/1.1", "host: gateway", f"content-length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in signed(body).items()]
    return "\r\n".join([*lines, "\r\n"]).encode() + body


async def _until(instant: float) -> None:
    loop = asyncio.get_running_loop()
    arrived = loop.create_future()
    loop.call_at(instant, arrived.set_result, None)
    await arrived


_LENGTH = re.compile(rb"content-length: (\d+)", re.IGNORECASE)
_CALL_ID = EXAMPLE["details"][0]["call_id"].encode()
_BODY = json.dumps(EXAMPLE, ensure_ascii=False).encode()


def main(
    rate: Annotated[int, typer.Option(help="Requests a second.")] = 2000,
    seconds: Annotated[int, typer.Option(help="How long.")] = 30,
) -> None:
    """Start Kafka, registry and a gateway, freeze Kafka, send, and print memory and answers."""
    with tempfile.TemporaryDirectory() as name, LocalKafka(Path(name) / "kafka") as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        with LocalRegistry(Path(name) / "registry") as registry:
            load = uvloop.run(load_a_frozen_gateway(Path(name), kafka, registry.url, rate, seconds))
            sys.stdout.write(f"{load}\n")


if __name__ == "__main__":
    typer.run(main)
