"""A broker, a registry, the topics and worker processes of a test's own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2

from schemas.connection import RegistryConnection
from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from schemas.topics import CALLS, TOPICS, Topic
from streams.local.ports import free_ports
from tests.support.deliveries import delivery, detail
from tests.support.topics import CallbackWriter, Read, Subscriber, create_topics
from tests.support.waiting import wait_until

READY_S = 180
DONE_S = 60


@dataclass
class WorkerProcess:
    """One `python -m streams worker`."""

    process: subprocess.Popen[bytes]
    ops_port: int
    log: Path

    async def is_ready(self) -> bool:
        """True once /readyz says so. Raises AssertionError when the process has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"worker ended with {self.process.returncode}:\n{self.log.read_text()[-3000:]}")
        try:
            async with httpx2.AsyncClient() as client:
                return (await client.get(f"http://127.0.0.1:{self.ops_port}/readyz")).status_code == 200
        except httpx2.HTTPError:
            return False

    async def health(self, name: str) -> str:
        """What /livez or /readyz answers; empty as long as nothing does."""
        try:
            async with httpx2.AsyncClient() as client:
                return (await client.get(f"http://127.0.0.1:{self.ops_port}/{name}")).text
        except httpx2.HTTPError:
            return ""

    def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        self.process.kill()
        self.process.wait()

    def terminate(self, timeout_s: float = 30) -> int:
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(timeout_s)


@dataclass
class WorkerSystem:
    """Everything a worker needs, and the means to feed it and to see what it wrote."""

    bootstrap: str
    registry_url: str
    directory: Path
    partitions: int = 3
    settings: Mapping[str, str] = field(default_factory=dict)
    workers: list[WorkerProcess] = field(default_factory=list)
    command: tuple[str, ...] = ("-m", "streams", "worker")
    prefix: str = ""

    async def __aenter__(self) -> WorkerSystem:
        self.registry = Registry(RegistryConnection(url=self.registry_url, topic_prefix=self.prefix))
        await self.registry.register(TOPICS)
        await create_topics(self.bootstrap, self.partitions, self.prefix)
        self.writer = await CallbackWriter(self.bootstrap, self.registry, self.prefix).__aenter__()
        self.subscriber = Subscriber(self.bootstrap, self.registry, self.prefix)
        return self

    async def __aexit__(self, *error: object) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.kill()
        await self.writer.__aexit__()
        await self.registry.aclose()

    async def start_worker(self, name: str = "w1", **settings: str) -> WorkerProcess:
        """Start a worker with its own data directory, and wait until it is ready."""
        worker = self.launch_worker(name, **settings)
        await wait_until(worker.is_ready, READY_S, f"worker {name} is ready")
        return worker

    def launch_worker(self, name: str = "w1", **settings: str) -> WorkerProcess:
        """Start a worker and do not wait."""
        [port], log = free_ports(1), self.directory / f"{name}.log"
        environ = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": self.bootstrap,
            "SCHEMA_REGISTRY_URL": self.registry_url,
            "AIRUDDER_TOPIC_PREFIX": self.prefix,
            "STREAMS_DATA_DIR": str(self.directory / name),
            "STREAMS_OPS_PORT": str(port),
            **self.settings,
            **settings,
        }
        with log.open("ab") as output:
            process = subprocess.Popen([sys.executable, *self.command], env=environ, stdout=output, stderr=output)
        worker = WorkerProcess(process, port, log)
        self.workers.append(worker)
        return worker

    async def read(self, topic: Topic, at_least: int = 0, workflow: str | None = None) -> list[Read]:
        """The records of a topic (of one workflow), once there are at least so many."""

        async def enough() -> list[Read]:
            records = await self.subscriber.read(topic)
            mine = [record for record in records if workflow in (None, getattr(record.value, "workflow_id", None))]
            return mine if len(mine) >= at_least else []

        if not at_least:
            return await enough()
        found: Any = await wait_until(enough, DONE_S, f"{at_least} records in {topic.name}")
        return list(found)

    async def windows(self, topic: Topic, *values: str) -> dict[str, WindowedOutcomes]:
        """The latest state of each window (of some workflows or SIP lines), by record key."""
        latest: dict[str, WindowedOutcomes] = {}
        for record in await self.subscriber.read(topic):
            known = latest.get(record.key)
            if values and record.value.value not in values:
                continue
            if known is None or (record.value.revision, record.value.is_final) >= (known.revision, known.is_final):
                latest[record.key] = record.value
        return latest

    async def wait_for_calls(
        self, topic: Topic, calls: int, *values: str, deadline_s: float = DONE_S
    ) -> dict[str, WindowedOutcomes]:
        """The windows, once they count so many calls in all. Fails as soon as they count more."""
        found: dict[str, WindowedOutcomes] = {}

        async def counted() -> bool:
            found.clear()
            found.update(await self.windows(topic, *values))
            total = sum(window.calls for window in found.values())
            assert total <= calls, f"{total} calls counted in {topic.name}, {calls} were sent"
            return total == calls

        await wait_until(counted, deadline_s, f"{calls} calls in the windows of {topic.name}")
        return found

    async def wait_until_processed(self) -> None:
        """Wait until everything written before is processed: a marker in every partition has reached the output."""
        at = time.time_ns() // 1_000_000
        marks = [delivery(detail(f"mark-{at}-{i}"), workflow="__probe__") for i in range(6 * self.partitions)]
        await self.writer.write(marks, at)
        ids = {mark["details"][0]["call_id"] for mark in marks}

        async def done() -> bool:
            return ids <= {call.key for call in await self.subscriber.read(CALLS)}

        await wait_until(done, DONE_S, "the marker calls")

    async def metric(self, worker: WorkerProcess, sample: str) -> float:
        """One sample of a worker's /metrics, 0.0 when it is not there yet."""
        async with httpx2.AsyncClient() as client:
            text = (await client.get(f"http://127.0.0.1:{worker.ops_port}/metrics")).text
        lines = [line for line in text.splitlines() if line.startswith(sample)]
        return float(lines[0].rsplit(" ", 1)[1]) if lines else 0.0
