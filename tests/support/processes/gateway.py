"""A gateway as its users meet it: a process with two ports, a broker, a registry and the topics."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Self

import httpx2
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import Topic
from tests.support.requests import KEY, WEBHOOK, signed
from tests.support.waiting import wait_until, wait_until_true

READY_S = 30.0
STOP_S = 20.0
OWN_PREFIXES = ("GATEWAY_", "AIRUDDER_", "KAFKA_", "SCHEMA_REGISTRY")


class GatewayProcess:
    """`python -m gateway serve` on free ports. Use as a context manager; its log is in `log_path`."""

    def __init__(self, bootstrap_servers: str, registry_url: str, log_path: Path, **environ: str) -> None:
        self.log_path = log_path
        self._environ = {
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap_servers,
            "SCHEMA_REGISTRY_URL": registry_url,
            "AIRUDDER_SIGNING_KEYS": f"{KEY.id}:{KEY.secret.decode()}",
            "GATEWAY_PORT": "0",
            "GATEWAY_OPS_PORT": "0",
            "GATEWAY_DRAIN_DELAY_S": "0.2",
            **environ,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.url = ""
        self.ops_url = ""

    def start(self) -> Self:
        """Returns when both ports are open, ready or not."""
        with self.log_path.open("wb") as log:
            command = [sys.executable, "-m", "gateway", "serve"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment(self._environ))
        wait_until_true(lambda: self.lines("gateway.listening"), READY_S, "the gateway's ports")
        (listening,) = self.lines("gateway.listening")
        self.url = f"http://127.0.0.1:{listening['port']}"
        self.ops_url = f"http://127.0.0.1:{listening['ops_port']}"
        return self

    @property
    def pid(self) -> int:
        """Of the process started last."""
        assert self._process
        return self._process.pid

    async def stop(self) -> int:
        """SIGTERM; returns the exit code."""
        self.signal(signal.SIGTERM)
        return await self.exit_code()

    def signal(self, number: int) -> None:
        assert self._process
        self._process.send_signal(number)

    async def exit_code(self) -> int:
        process = self._process
        assert process
        await wait_until(lambda: process.poll() is not None, STOP_S, "the gateway's end")
        return process.returncode

    def kill(self) -> None:
        """Whatever state it is in. Repeat: safe."""
        if self._process and self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of one event so far."""
        complete = [line for line in self.log_path.read_text().splitlines() if line.endswith("}")]
        return [parsed for line in complete if (parsed := json.loads(line))["event"] == event]


class Client:
    """Posts to a gateway and asks for its health."""

    def __init__(self, gateway: GatewayProcess) -> None:
        self.gateway = gateway
        self.http = httpx2.AsyncClient(timeout=30, trust_env=False)

    async def post(self, body: bytes, headers: Mapping[str, str] | None = None) -> httpx2.Response:
        sent = signed(body) if headers is None else headers
        return await self.http.post(self.gateway.url + WEBHOOK, content=body, headers=dict(sent))

    async def readyz(self) -> httpx2.Response:
        return await self.http.get(self.gateway.ops_url + "/readyz")

    async def is_ready(self) -> bool:
        return (await self.readyz()).status_code == 200

    async def wait_until_ready(self, deadline_s: float = READY_S) -> None:
        await wait_until(self.is_ready, deadline_s, "the gateway to be ready")


@asynccontextmanager
async def running_gateway(
    bootstrap_servers: str, registry_url: str, tmp_path: Path, *, is_ready: bool = True, **environ: str
) -> AsyncIterator[Client]:
    """A gateway process and a client for it; killed at the end unless the test stopped it."""
    gateway = GatewayProcess(bootstrap_servers, registry_url, tmp_path / "gateway.log", **environ)
    client = Client(gateway)
    try:
        gateway.start()
        if is_ready:
            await client.wait_until_ready()
        yield client
    finally:
        await client.http.aclose()
        gateway.kill()


async def end_offsets(bootstrap_servers: str, topic: Topic) -> dict[TopicPartition, int]:
    """Where each partition ends now."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        partitions = [TopicPartition(topic.name, number) for number in range(3)]
        ends: dict[TopicPartition, int] = await consumer.end_offsets(partitions)
        return ends


async def records_since(bootstrap_servers: str, start: dict[TopicPartition, int]) -> list[Any]:
    """All records of a topic from `start` to its end now, by timestamp."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap_servers) as consumer:
        consumer.assign(list(start))
        ends = await consumer.end_offsets(list(start))
        for partition, offset in start.items():
            consumer.seek(partition, offset)
        wanted = sum(ends.values()) - sum(start.values())
        found: list[Any] = []
        while len(found) < wanted:
            for batch in (await consumer.getmany(timeout_ms=500)).values():
                found += batch
        return sorted(found, key=lambda record: record.timestamp)


def environment(changes: Mapping[str, str]) -> dict[str, str]:
    """This process's environment without settings of ours, and `changes`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OWN_PREFIXES)}
    return {**inherited, **changes}


async def run_gateway_command(*arguments: str, **environ: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `python -m gateway ...`."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "gateway",
        *arguments,
        env=environment(environ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    stdout, stderr = await process.communicate()
    return process.returncode or 0, stdout.decode(), stderr.decode()
