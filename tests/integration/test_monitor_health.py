"""Whatever stands still, a page that is already open says so: the worker within 20 s, the broker within 12 s."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail
from tests.support.processes.monitor import MonitorProcess, running_monitor
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

STARTS_S = 60
RED_WITHIN_S = 20
BLIND_WITHIN_S = 12
STALE_WITHIN_S = 20


class OpenPage:
    """What a page that is open hears: the newest beat."""

    def __init__(self) -> None:
        self.beat: dict[str, Any] = {}

    @property
    def state(self) -> str:
        return str(self.beat.get("health", {}).get("state"))

    async def listen(self, url: str) -> None:
        async with (
            httpx2.AsyncClient(base_url=url, timeout=60) as client,
            client.stream("GET", "/api/events") as events,
        ):
            kind = ""
            async for line in events.aiter_lines():
                if line.startswith("event: "):
                    kind = line.removeprefix("event: ")
                elif line.startswith("data: ") and kind == "beat":
                    self.beat = json.loads(line.removeprefix("data: "))


@asynccontextmanager
async def open_page(monitor: MonitorProcess) -> AsyncIterator[OpenPage]:
    page = OpenPage()
    task = asyncio.create_task(page.listen(monitor.url))
    try:
        yield page
    finally:
        task.cancel()
        await asyncio.wait([task])


async def call(system: WorkerSystem, number: int) -> None:
    now = time.time_ns() // 1_000_000
    await system.writer.write([delivery(detail(f"call-{number}"))], now)


async def test_an_open_page_turns_red_with_the_worker_and_blind_with_the_broker(
    tmp_path: Path, registry_url: str, start_kafka: StartKafka
) -> None:
    kafka = start_kafka()
    async with WorkerSystem(kafka.bootstrap_servers, registry_url, tmp_path) as system:
        with running_monitor(kafka.bootstrap_servers, registry_url, tmp_path / "log") as monitor:
            worker = await system.start_worker()
            await call(system, 0)
            await wait_until(lambda: monitor.status("/readyz"), STARTS_S, "the monitor listens")
            async with open_page(monitor) as page:
                await wait_until(lambda: page.state == "ok", STARTS_S, "all is well")
                await _worker_stops(system, worker.process.pid, page, monitor)
                worker.process.send_signal(signal.SIGCONT)
                worker.kill()
                kafka.freeze()
                try:
                    await _broker_stops(page, monitor)
                    assert await asyncio.to_thread(monitor.stop) == 0
                finally:
                    kafka.thaw()


async def _worker_stops(system: WorkerSystem, pid: int, page: OpenPage, monitor: MonitorProcess) -> None:
    os.kill(pid, signal.SIGSTOP)
    await call(system, 1)
    await wait_until(lambda: page.state == "broken", RED_WITHIN_S, "red")
    document = await monitor.get("/")
    assert document is not None
    assert "<title>BROKEN" in document.text
    assert await monitor.health() == "broken"


async def _broker_stops(page: OpenPage, monitor: MonitorProcess) -> None:
    await wait_until(lambda: page.state == "blind", BLIND_WITHIN_S, "blind")
    reasons = ""

    async def tells_both() -> bool:
        nonlocal reasons
        answer = await monitor.get("/readyz")
        reasons = "" if answer is None or answer.status_code != 503 else str(answer.json()["reasons"])
        return "lag: last read" in reasons and "outcomes: last read" in reasons

    await wait_until(tells_both, STALE_WITHIN_S, "/readyz says that lag and outcomes are old")
    metrics = await monitor.get("/metrics")
    assert metrics is not None
    assert "kafka_consumergroup_lag{" not in metrics.text
    assert "\nkafka_lag_last_success_timestamp_seconds " in metrics.text
