"""Gateway, worker and monitor as processes beside one broker, and what is seen at the far end of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import psutil
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.topics import CALLS
from tests.benchmarks.gateway_servers import OURS, Server
from tests.support.load.bodies import Shape
from tests.support.load.process import send
from tests.support.load.spec import Spec
from tests.support.processes.gateway import running_gateway
from tests.support.processes.monitor import MonitorProcess, running_monitor
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

PARTITIONS = 4
READY_S = 60
OUT_S = 180  # for everything that went in to come out
WINDOW_POLL_S = 0.05  # how exactly it is known when a window was there
CONNECTIONS = 256


@dataclass
class WholeSystem:
    """What runs, and where the calls come out."""

    gateway: Server
    worker_pid: int
    monitor: MonitorProcess
    bootstrap: str

    def rss_mib(self) -> dict[str, float]:
        """Memory resident, by role."""
        pids = {"gateway": self.gateway.pid, "worker": self.worker_pid, "monitor": self.monitor.process.pid}
        return {role: psutil.Process(pid).memory_info().rss / 2**20 for role, pid in pids.items()}

    async def lag(self) -> int:
        """Records that the worker has not committed, over all it reads, as the monitor tells."""
        seen: Any = await self.monitor.json("/api/lag")
        return sum(row["lag"] or 0 for group in seen["groups"] for row in group["partitions"])


@asynccontextmanager
async def whole_system(directory: Path) -> AsyncIterator[WholeSystem]:
    """Everything ready, on a new broker."""
    async with AsyncExitStack() as stack:
        kafka = stack.enter_context(KafkaProcess(directory / "kafka", steady=True))
        registry = stack.enter_context(RegistryProcess(directory / "registry"))
        bootstrap = kafka.bootstrap_servers
        system = WorkerSystem(bootstrap, registry.url, directory, partitions=PARTITIONS)
        await stack.enter_async_context(system)
        worker = await system.start_worker()
        client = await stack.enter_async_context(running_gateway(bootstrap, registry.url, directory))
        monitor = stack.enter_context(running_monitor(bootstrap, registry.url, directory / "monitor.log"))
        await wait_until(monitor.is_ready, READY_S, "the monitor to be ready")
        gateway = client.gateway
        server = Server(OURS, urlsplit(gateway.url).port or 0, gateway.pid, gateway.ops_url)
        yield WholeSystem(server, worker.process.pid, monitor, bootstrap)


class CallsSeen:
    """When each call's record reached a consumer, CLOCK_MONOTONIC ns by call id. Use as an async context manager."""

    def __init__(self, bootstrap: str) -> None:
        self.at_ns: dict[bytes, int] = {}
        self._consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)

    async def __aenter__(self) -> CallsSeen:
        await self._consumer.start()
        partitions = [TopicPartition(CALLS.name, number) for number in range(PARTITIONS)]
        self._consumer.assign(partitions)
        await self._consumer.seek_to_end(*partitions)
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._consumer.stop()

    async def _read(self) -> None:
        while True:
            for records in (await self._consumer.getmany(timeout_ms=1000)).values():
                now = time.monotonic_ns()
                for record in records:
                    self.at_ns.setdefault(record.key, now)


class WindowsSeen:
    """When the monitor's windows of workflows counted how many calls, looked up every WINDOW_POLL_S."""

    def __init__(self, monitor: MonitorProcess) -> None:
        self.counts: list[tuple[int, int]] = []  # (CLOCK_MONOTONIC ns, calls)
        self._http = httpx2.AsyncClient(base_url=monitor.url, timeout=30, trust_env=False)

    async def __aenter__(self) -> WindowsSeen:
        self.before = await self.calls()
        self._looking = asyncio.create_task(self._look())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._looking.cancel()
        await asyncio.gather(self._looking, return_exceptions=True)
        await self._http.aclose()

    async def calls(self) -> int:
        """Over all workflows and windows, as the API answers now."""
        found = (await self._http.get("/api/outcomes/workflows?window=all")).json()
        return sum(window["calls"] for value in found["values"] for window in value["windows"])

    async def _look(self) -> None:
        while True:
            self.counts.append((0, await self.calls() - self.before))
            self.counts[-1] = (time.monotonic_ns(), self.counts[-1][1])
            await asyncio.sleep(WINDOW_POLL_S)

    def at_ns(self, calls: int) -> list[int]:
        """When the first, second, ... of so many calls was counted."""
        found: list[int] = []
        for at_ns, counted in self.counts:
            found += [at_ns] * (min(counted, calls) - len(found))
        return found


async def saturation(system: WholeSystem, shape: Shape, seconds: float) -> tuple[float, float]:
    """Callbacks a second that the gateway takes, and that come out as calls at the far end while and after it does.

    The second is what the system as a whole can take: from the first request to the last call's record.
    """
    async with CallsSeen(system.bootstrap) as seen, WindowsSeen(system.monitor) as windows:
        started = time.monotonic()
        result = await send(Spec(system.gateway.port, shape, "saturation", seconds, at_most=int(3000 * seconds)))
        await wait_until(lambda: len(seen.at_ns) >= result.total, OUT_S, f"{result.total} calls at the consumer")
        await wait_until(lambda: windows.counts[-1][1] >= result.total, OUT_S, "those calls in the monitor's windows")
        return result.per_s, result.total / (max(seen.at_ns.values()) / 1e9 - started)
