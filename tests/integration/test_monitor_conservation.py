"""Everything that comes in comes out, a worker that loses is found, and a monitor that is killed remembers."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from schemas.runtime import instants
from schemas.topics import CALLBACKS
from streams.monitor.history.database import FILE
from tests.support.deliveries import delivery, detail, to_body
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.monitor import MonitorProcess
from tests.support.processes.service import KafkaProcess
from tests.support.processes.worker import WorkerSystem
from tests.support.times import ended, now_ms
from tests.support.waiting import wait_until

SETTLES_S = 90
GROUP = "airudder-streams"
# Good ones, three details of one delivery, one repeated, three corrections, two late ones, one twice, two of poison.
HANDLED = 12 + 3 + 1 + 3 + 2 + 2 + 2
HOUR_MS = 3_600_000


def body(call_id: str, workflow: str = "wf-1", ended_at_ms: int | None = None, **fields: Any) -> bytes:
    return to_body(delivery(detail(call_id, ended(ended_at_ms or now_ms()), **fields), workflow=workflow))


async def send_mixed_traffic(client: Client, system: WorkerSystem) -> None:
    """Good calls, several details, a bad signature, malformed, too large, a duplicate, corrections, late, poison."""
    for number in range(12):
        assert (await client.post(body(f"good-{number}"))).status_code == 200
    several = to_body(delivery(*(detail(f"several-{n}", ended(now_ms())) for n in range(3))))
    assert (await client.post(several)).status_code == 200
    assert (await client.post(body("forged"), {"content-type": "application/json"})).status_code == 401
    for broken in (b"{", b"[]", json.dumps({"workflow_id": 5, "details": "no"}).encode()):
        assert (await client.post(broken)).status_code == 422
    assert (await client.post(b" " * 2_000_000)).status_code == 413
    again = body("repeated")
    for _ in range(3):
        assert (await client.post(again)).status_code == 200
    for talk_round in (1, 2, 3):
        assert (await client.post(body("corrected", talk_round=talk_round, call_times=talk_round))).status_code == 200
    for number in range(2):
        late = body(f"late-{number}", ended_at_ms=now_ms() - 3 * HOUR_MS)
        assert (await client.post(late)).status_code == 200
    assert (await client.post(to_body(delivery()))).status_code in (200, 422)
    twice = delivery(detail("twice", ended(now_ms())))
    for _ in range(2):
        await system.writer.write([twice], now_ms())
    await system.writer.write_raw(b"poison")
    await system.writer.write_raw(None)


async def step(monitor: MonitorProcess, name: str) -> dict[str, Any]:
    found = await monitor.json("/api/conservation")
    steps: Any = found["steps"]
    return next((step for step in steps if step["step"] == name), {})


async def settled(monitor: MonitorProcess, **differences: int) -> dict[str, dict[str, Any]]:
    """The steps, once each has this difference, exactly."""

    async def all_there() -> dict[str, dict[str, Any]]:
        found: Any = await monitor.json("/api/conservation")
        steps = {step["step"]: step for step in found["steps"]}
        known = {name: step["difference"] for name, step in steps.items() if step["is_exact"]}
        return steps if known == differences else {}

    try:
        steps: Any = await wait_until(all_there, SETTLES_S, f"the differences {differences}")
    except AssertionError as error:
        raise AssertionError(json.dumps(await monitor.json("/api/conservation"), indent=1)) from error
    return dict(steps)


class Restart:
    """Kills the monitor, if there is one, starts it, and waits until it is ready."""

    def __init__(self, start: Callable[[], MonitorProcess]) -> None:
        self._start = start
        self.monitor: MonitorProcess

    async def __call__(self) -> MonitorProcess:
        if hasattr(self, "monitor"):
            self.monitor.kill()
            self.monitor.stop()
        self.monitor = self._start()
        await wait_until(self.monitor.is_ready, SETTLES_S, "the monitor is ready")
        return self.monitor


async def test_everything_is_accounted_for_and_a_loss_shows(
    tmp_path: Path, start_kafka: Any, registry_url: str
) -> None:
    kafka: KafkaProcess = start_kafka()
    bootstrap, log = kafka.bootstrap_servers, tmp_path / "monitor.log"
    async with (
        WorkerSystem(bootstrap, registry_url, tmp_path, command=("-m", "tests.integration.losing_worker")) as system,
        running_gateway(bootstrap, registry_url, tmp_path) as client,
    ):
        worker = await system.start_worker(STREAMS_WINDOW_S="300", STREAMS_GRACE_S="60")
        settings = {
            "MONITOR_DATA_DIR": str(tmp_path / "monitor"),
            "MONITOR_GATEWAY_URLS": client.gateway.ops_url,
            "MONITOR_WORKER_URLS": f"http://127.0.0.1:{worker.ops_port}",
        }
        restart = Restart(lambda: MonitorProcess(bootstrap, registry_url, log, None, **settings))
        try:
            monitor = await restart()
            await settled(monitor, requests=0, stored=0, handled=0, counted=0)
            await send_mixed_traffic(client, system)
            await wait_until(lambda: _handled(monitor, HANDLED), SETTLES_S, "the worker handled all")
            steps = await settled(monitor, requests=0, stored=0, handled=0, counted=0)
            _all_terms_are_there(steps)

            for number in range(3):
                await client.post(body(f"dropped-{number}", "unhandled"))
            for number in range(2):
                await client.post(body(f"untold-{number}", "uncounted"))
            await settled(monitor, requests=0, stored=0, handled=3, counted=2)
            monitor = await restart()
            steps = await settled(monitor, requests=0, stored=0, handled=3, counted=0)
            assert steps["handled"]["since"] < steps["counted"]["since"], "windows are counted anew, and it says so"
            await _a_stop_is_remembered(system, restart, client, tmp_path / "monitor" / FILE)
        finally:
            restart.monitor.stop()


async def _handled(monitor: MonitorProcess, at_least: int) -> bool:
    return bool(((await step(monitor, "handled")).get("downstream") or 0) >= at_least)


def _all_terms_are_there(steps: dict[str, dict[str, Any]]) -> None:
    """Every kind of the mixed traffic is a term of some sum."""
    outcomes = steps["requests"]["parts"]
    assert outcomes["accepted"] >= 12 + 1 + 1 + 3 + 2
    assert (outcomes["duplicate"], outcomes["bad_signature"]) == (2, 1)
    assert (outcomes["malformed"], outcomes["too_large"]) == (3, 1)
    handled = steps["handled"]["parts"]
    assert (handled["corrected"], handled["duplicate"], handled["dead_letter"]) == (2, 1, 2)
    assert steps["counted"]["parts"]["late"] == 2
    assert steps["counted"]["parts"]["new_calls"] == 12 + 3 + 1 + 1 + 2 + 1


async def _a_stop_is_remembered(system: WorkerSystem, restart: Restart, client: Client, written: Path) -> None:
    """The worker ends with a backlog; the monitor is killed, and still knows since when, and what was before."""
    system.workers[0].kill()
    for number in range(3):
        await client.post(body(f"waiting-{number}"))
    monitor = restart.monitor
    since = await wait_until(lambda: _since(monitor), SETTLES_S, "the stop is a problem")
    await wait_until(lambda: _lag(monitor), SETTLES_S, "lag is in the history")
    # a kill -9 takes what was not written yet, which is up to five seconds
    await wait_until(lambda: _has_change(written, f"{GROUP}: stop"), SETTLES_S, "the stop is on the disk")
    killed_at_ms = now_ms()
    monitor = await restart()
    assert await wait_until(lambda: _since(monitor), SETTLES_S, "the stop is a problem again") == since
    path = f"/api/lag/history?group={GROUP}&topic={CALLBACKS.name}&to={instants.text(killed_at_ms)}"
    before: dict[str, Any] = await monitor.json(path)
    assert any(before["lag_seconds"]), "what was recorded before it was killed"
    assert "stop" in [change["verdict"] for change in before["verdicts"]]
    assert before["kept"] == "disk"


async def _since(monitor: MonitorProcess) -> str:
    """Since when the worker's group has stopped; empty when it has not."""
    problems: Any = (await monitor.json("/api/health"))["problems"]
    return next((problem["since"] for problem in problems if problem["what"] == f"{GROUP}: stop"), "")


def _has_change(written: Path, subject: str) -> bool:
    with closing(sqlite3.connect(f"file:{written}?mode=ro", uri=True)) as database:
        return bool(database.execute("SELECT 1 FROM change WHERE subject LIKE ?", (f"%{subject}",)).fetchone())


async def _lag(monitor: MonitorProcess) -> bool:
    found: Any = await monitor.json("/api/series?name=lag_seconds&step=10s")
    return sum(bool(value) for value in found["values"]) > 2
