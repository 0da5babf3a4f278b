"""Probes through a real gateway, broker and worker: they are in no count, and a hop that is cut is named."""

from __future__ import annotations

import os
import re
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALL_COMPLETION_PATH,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    QUARANTINE,
    REKEYED_DETAILS,
    SIP_LINE_OUTCOMES,
    SYNTHETIC_WORKFLOW_ID,
    WORKFLOW_OUTCOMES,
)
from streams.local.ports import free_ports
from streams.monitor.probe.hops import LAST
from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail, to_body
from tests.support.processes.gateway import Client, GatewayProcess
from tests.support.processes.monitor import MonitorProcess, running_monitor
from tests.support.processes.service import KafkaProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem
from tests.support.requests import KEY
from tests.support.waiting import wait_until

INTERVAL_S = 3
STARTS_S = 60
RECOVERS_S = 45
NAMED_S = 2 * INTERVAL_S + 2  # two intervals, and the turns of the test itself
SILENT = (OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES, LATE_CALLS, DEAD_LETTERS)
# What a callback costs whoever sent it, and what counts probes by their name.
TECHNICAL = re.compile(
    r"process_|python_|http_server_|webhook_publish_|webhook_signatures|probe_|airudder_build|kafka_|stream_unsettled"
    r'|gateway_kafka|monitor_outcomes_as_of|webhook_spool_disk|messaging_process_|schema_|.*="probe"'
)


@dataclass
class Stack:
    kafka: KafkaProcess
    system: WorkerSystem
    worker: WorkerProcess
    gateway: GatewayProcess
    client: Client
    monitor: MonitorProcess

    async def probe(self) -> dict[str, Any]:
        return await self.monitor.json("/api/probe")

    async def problems(self) -> list[dict[str, Any]]:
        health: Any = await self.monitor.json("/api/health")
        return [problem for problem in health["problems"] if problem["what"].startswith("probe")]

    async def passes(self, more: int = 1) -> None:
        """`more` probes have passed every hop since now, and the newest was one of them."""
        before = (await self.probe())["hops"][-1]["received"]

        async def passed() -> bool:
            told = await self.probe()
            return bool(told["state"] == "ok" and told["hops"][-1]["received"] >= before + more)

        await wait_until(passed, RECOVERS_S + more * INTERVAL_S, f"{more} probes pass every hop")

    async def names(self, hop: str, deadline_s: float = NAMED_S) -> float:
        """Seconds until health names the hop."""
        began = time.monotonic()

        async def named() -> bool:
            return f"probe lost at hop {hop}" in [problem["what"] for problem in await self.problems()]

        await wait_until(named, deadline_s, f"the hop {hop} is named")
        return time.monotonic() - began

    async def is_broken(self) -> None:
        async def broken() -> bool:
            return bool((await self.probe())["lost_in_a_row"] >= 2 and (await self.monitor.health()) == "broken")

        await wait_until(broken, NAMED_S + INTERVAL_S, "two lost in a row are broken")

    async def business(self) -> dict[str, float]:
        """Every sample of the three roles that is about calls."""
        urls = {
            "gateway": f"{self.gateway.ops_url}/metrics",
            "worker": f"http://127.0.0.1:{self.worker.ops_port}/metrics",
            "monitor": f"{self.monitor.url}/metrics",
        }
        found = {}
        async with httpx2.AsyncClient(timeout=10, trust_env=False) as client:
            for role, url in urls.items():
                for line in (await client.get(url)).text.splitlines():
                    if not line.startswith("#") and not TECHNICAL.match(line):
                        name, _, value = line.rpartition(" ")
                        found[f"{role} {name}"] = float(value)
        return found


@asynccontextmanager
async def running_stack(tmp_path: Path, registry_url: str, kafka: KafkaProcess) -> AsyncIterator[Stack]:
    bootstrap, (port, ops_port) = kafka.bootstrap_servers, free_ports(2)
    async with WorkerSystem(bootstrap, registry_url, tmp_path) as system:
        spool = {"GATEWAY_SPOOL_DIR": str(tmp_path / "spool"), "GATEWAY_PUBLISH_TIMEOUT_S": "1"}
        ports = {"GATEWAY_PORT": str(port), "GATEWAY_OPS_PORT": str(ops_port)}
        gateway = GatewayProcess(bootstrap, registry_url, tmp_path / "gateway.log", **spool, **ports)
        client = Client(gateway)
        try:
            worker = await system.start_worker()
            gateway.start()
            await client.wait_until_ready()
            with probing_monitor(system, tmp_path / "monitor.log", gateway.url) as monitor:
                await wait_until(monitor.is_ready, STARTS_S, "the monitor is ready")
                yield Stack(kafka, system, worker, gateway, client, monitor)
        finally:
            await client.http.aclose()
            gateway.kill()


def probing_monitor(system: WorkerSystem, log: Path, gateway_url: str) -> AbstractContextManager[MonitorProcess]:
    probing = {
        "MONITOR_PROBE_URL": gateway_url + CALL_COMPLETION_PATH,
        "MONITOR_PROBE_INTERVAL_S": str(INTERVAL_S),
        "AIRUDDER_SIGNING_KEYS": f"{KEY.id}:{KEY.secret.decode()}",
    }
    return running_monitor(system.bootstrap, system.registry_url, log, None, **probing)


async def test_probes_are_in_no_count_and_name_the_hop_that_is_cut(
    tmp_path: Path, registry_url: str, start_kafka: StartKafka
) -> None:
    async with running_stack(tmp_path, registry_url, start_kafka()) as stack:
        await _nothing_counts_them(stack)
        await _the_gateway_is_cut(stack)
        await _the_worker_is_cut(stack)
        await _kafka_is_cut_behind_a_gateway_that_spools(stack)
        for hop in (await stack.probe())["hops"]:
            assert hop["sent"] == hop["received"] + hop["lost"] + hop["in_flight"]
        assert stack.monitor.stop() == 0
        with probing_monitor(stack.system, tmp_path / "again.log", stack.gateway.url) as stack.monitor:
            await wait_until(stack.monitor.is_ready, STARTS_S, "the monitor is ready again")
            await stack.passes()
    assert KEY.secret.decode() not in (tmp_path / "monitor.log").read_text()


async def _nothing_counts_them(stack: Stack) -> None:
    for number in range(5):
        answer = await stack.client.post(to_body(delivery(detail(f"real-{number}"))))
        assert answer.status_code == 200
    windows = [await stack.system.wait_for_calls(topic, 5) for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)]
    await stack.passes()
    records = {topic.name: len(await stack.system.read(topic)) for topic in SILENT}
    business = await stack.business()

    await stack.passes(4)

    now = await stack.business()
    assert {name: (value, now.get(name)) for name, value in business.items() if now.get(name) != value} == {}
    assert now.keys() == business.keys()
    assert {topic.name: len(await stack.system.read(topic)) for topic in SILENT} == records
    assert [await stack.system.windows(topic) for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)] == windows
    for topic in (CALLBACKS, CALLS, ANSWERS, CALL_ATTEMPTS):
        probes = await stack.system.read(topic, 5, SYNTHETIC_WORKFLOW_ID)
        assert {read.headers["synthetic"] for read in probes} == {b"1"}
    assert await stack.system.read(QUARANTINE) == await stack.system.read(REKEYED_DETAILS) == []
    partitions = {read.partition for read in await stack.system.read(CALLBACKS, 5, SYNTHETIC_WORKFLOW_ID)}
    assert len(partitions) == stack.system.partitions, "every partition is visited in turn"
    outcomes: Any = await stack.monitor.json("/api/outcomes/workflows")
    assert SYNTHETIC_WORKFLOW_ID not in [value["value"] for value in outcomes["values"]]


async def _the_gateway_is_cut(stack: Stack) -> None:
    assert await stack.problems() == []
    await stack.gateway.stop()
    await stack.names("gateway")
    await stack.is_broken()
    [problem] = await stack.problems()
    assert "the gateway did not answer: ConnectError" in problem["evidence"]
    assert problem["link"] == "/#probe"
    stack.gateway.start()
    await stack.passes()
    assert await stack.problems() == []


async def _the_worker_is_cut(stack: Stack) -> None:
    os.kill(stack.worker.process.pid, signal.SIGSTOP)
    await stack.names("calls")
    await stack.is_broken()
    told = await stack.probe()
    assert [hop["state"] for hop in told["hops"]] == ["ok", "ok", "lost", "not reached", "not reached"]
    os.kill(stack.worker.process.pid, signal.SIGCONT)
    await stack.passes()
    late = [probe for probe in (await stack.probe())["probes"] if probe["state"] == "late"]
    assert late, "what comes after the deadline is told"
    assert min(probe["late_s"][LAST] for probe in late) > INTERVAL_S / 2


async def _kafka_is_cut_behind_a_gateway_that_spools(stack: Stack) -> None:
    stack.kafka.freeze()
    try:
        await stack.names("callbacks", 4 * INTERVAL_S)  # the first may wait for the gateway to give Kafka up
        states = [hop["state"] for hop in (await stack.probe())["hops"]]
        assert states[:2] == ["ok", "lost"]
    finally:
        stack.kafka.thaw()
    await stack.passes()
    assert await stack.problems() == []
