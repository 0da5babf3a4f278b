"""The gateway and its peers as processes beside one broker, and the load generator run against one of them."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
import psutil
from aiokafka.admin import NewTopic

from streams.local.ports import free_ports
from streams.local.process import last_lines
from streams.topics.schemas import apply_schemas
from tests.support.load.process import send
from tests.support.load.spec import Result, Spec
from tests.support.processes.gateway import environment, running_gateway
from tests.support.processes.monitor import admin_client
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

OURS = "gateway"
NAIVE_TOPIC = "naive.callbacks"
PARTITIONS = 4
STARTED_S = 30


@dataclass(frozen=True)
class Server:
    """One that takes callbacks. ops_url: where its metrics are, of ours only."""

    name: str
    port: int
    pid: int
    ops_url: str = ""

    def cpu_s(self) -> float:
        """CPU seconds used so far."""
        return float(sum(psutil.Process(self.pid).cpu_times()[:2]))

    def rss_mib(self) -> float:
        """Memory resident."""
        return float(psutil.Process(self.pid).memory_info().rss / 2**20)

    async def accepted(self) -> int:
        """How many it counts as accepted, which leaves duplicates out; 0 of a peer."""
        if not self.ops_url:
            return 0
        async with httpx2.AsyncClient(trust_env=False) as client:
            text = (await client.get(self.ops_url + "/metrics")).text
        wanted = 'webhook_requests_total{outcome="accepted",source="airudder"}'
        return next(int(float(line.rsplit(" ", 1)[1])) for line in text.splitlines() if line.startswith(wanted))


@dataclass(frozen=True)
class Measured:
    """A run against one server: what the generator saw, and the server's CPU in microseconds per answer."""

    result: Result
    cpu_us: float


async def run_load(server: Server, spec: Spec) -> Measured:
    """One run of the generator in its own process.

    Raises: AssertionError when the gateway did not publish exactly what it answered 200 to.
    """
    cpu, accepted = server.cpu_s(), await server.accepted()
    result = await send(spec)
    if server.ops_url:
        accepted = await server.accepted() - accepted
        assert accepted == result.total, f"{result.total} answers 200, {accepted} accepted: the run measured repeats"
    return Measured(result, (server.cpu_s() - cpu) / max(1, result.total) * 1e6)


@asynccontextmanager
async def running_servers(names: Sequence[str], directory: Path) -> AsyncIterator[dict[str, Server]]:
    """The gateway and the peers asked for, all on one new broker."""
    async with AsyncExitStack() as stack:
        kafka = stack.enter_context(KafkaProcess(directory / "kafka", steady=True))
        registry = stack.enter_context(RegistryProcess(directory / "registry"))
        await _create_topics(kafka.bootstrap_servers)
        await apply_schemas(registry.url)
        servers: dict[str, Server] = {}
        for name in names:
            if name == OURS:
                gateway = running_gateway(kafka.bootstrap_servers, registry.url, directory)
                process = (await stack.enter_async_context(gateway)).gateway
                servers[name] = Server(name, urlsplit(process.url).port or 0, process.pid, process.ops_url)
            else:
                peer = running_peer(name, kafka.bootstrap_servers, directory)
                servers[name] = await stack.enter_async_context(peer)
        yield servers


@asynccontextmanager
async def running_peer(name: str, bootstrap: str, directory: Path) -> AsyncIterator[Server]:
    """A peer that listens. Raises: AssertionError with its last words when it ends instead."""
    [port], log = free_ports(1), directory / f"{name}.log"
    with _peer_process(name, port, bootstrap, log) as process:

        async def listens() -> bool:
            assert process.poll() is None, f"{name} ended with {process.returncode}:\n{last_lines(log)}"
            return await _listens(port)

        await wait_until(listens, STARTED_S, f"{name} listens")
        yield Server(name, port, process.pid)


@contextmanager
def _peer_process(name: str, port: int, bootstrap: str, path: Path) -> Iterator[subprocess.Popen[bytes]]:
    with path.open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.benchmarks.gateway_peers", name, str(port), NAIVE_TOPIC],
            env=environment({"KAFKA_BOOTSTRAP_SERVERS": bootstrap}),
            stdout=log,
            stderr=log,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def _create_topics(bootstrap: str) -> None:
    await create_topics(bootstrap, PARTITIONS)
    async with admin_client(bootstrap) as admin:
        await admin.create_topics([NewTopic(NAIVE_TOPIC, PARTITIONS, 1)])
