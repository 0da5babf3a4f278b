"""A monitor as its own process, and what its tests put into Kafka for it to read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx2
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from schemas.topics import SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from streams.local.ports import free_ports

EXIT_DEADLINE_S = 15


class MonitorProcess:
    """`python -m streams monitor`, as anybody runs it."""

    def __init__(self, bootstrap: str, registry_url: str, log: Path, port: int | None = None, **settings: str) -> None:
        self.port = port or free_ports(1)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        environ = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "SCHEMA_REGISTRY_URL": registry_url,
            "MONITOR_PORT": str(self.port),
            **settings,
        }
        self._log = log.open("ab")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "streams", "monitor"], env=environ, stdout=self._log, stderr=self._log
        )

    async def get(self, path: str) -> httpx2.Response | None:
        """The answer; None while nobody listens."""
        async with httpx2.AsyncClient(base_url=self.url, timeout=10) as client:
            try:
                return await client.get(path)
            except httpx2.ConnectError:
                return None

    async def status(self, path: str) -> int | None:
        """The answer's status; None while nobody listens."""
        answer = await self.get(path)
        return None if answer is None else answer.status_code

    async def json(self, path: str) -> dict[str, object]:
        """The body of an answer that must be 200."""
        answer = await self.get(path)
        assert answer is not None
        assert answer.status_code == 200, answer.text
        body: dict[str, object] = answer.json()
        return body

    async def is_ready(self) -> bool:
        return await self.status("/readyz") == 200

    async def health(self) -> str | None:
        """The state that /api/health tells; None while nobody listens."""
        answer = await self.get("/api/health")
        return None if answer is None else str(answer.json()["state"])

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """End it as an orchestrator does; its exit code. Safe to call again."""
        self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(EXIT_DEADLINE_S)
        finally:
            self.process.kill()
            self.process.wait()
            self._log.close()


@contextmanager
def running_monitor(
    bootstrap: str, registry_url: str, log: Path, port: int | None = None, **settings: str
) -> Iterator[MonitorProcess]:
    """A monitor for as long as the block lasts. settings: further variables."""
    monitor = MonitorProcess(bootstrap, registry_url, log, port, **settings)
    try:
        yield monitor
    finally:
        monitor.stop()


@asynccontextmanager
async def admin_client(bootstrap: str) -> AsyncIterator[AIOKafkaAdminClient]:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


@asynccontextmanager
async def kafka_producer(bootstrap: str) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


def key_of(record: WindowedOutcomes) -> bytes:
    return f"{record.value}|{record.window_start_at}".encode()


async def send_outcomes(bootstrap: str, registry_url: str, *records: WindowedOutcomes) -> None:
    """Produce windowed outcomes as the worker does: Confluent framing, keyed by value and window start."""
    registry = Registry(registry_url)
    try:
        await registry.register((WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES))
        async with kafka_producer(bootstrap) as producer:
            for record in records:
                topic = WORKFLOW_OUTCOMES if record.dimension == "workflow" else SIP_LINE_OUTCOMES
                await producer.send_and_wait(topic.name, registry.encode(topic, record), key_of(record))
    finally:
        await registry.aclose()
