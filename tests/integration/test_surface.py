"""An operator meets one product: all three roles give the same answers, log lines, metrics and exit codes.

Most of it is asked of roles that run without Kafka, so that none is ready.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.runtime import exits
from schemas.runtime.build import this_build
from streams.local.ports import free_ports
from tests.conftest import StartKafka
from tests.support.processes.gateway import GatewayProcess
from tests.support.processes.monitor import running_monitor
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

STARTS_S = 60.0
ENDS_S = 60.0
OURS = ("KAFKA_", "SCHEMA_REGISTRY_", "AIRUDDER_", "GATEWAY_", "STREAMS_", "MONITOR_")
NOWHERE = {"KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "SCHEMA_REGISTRY_URL": "http://127.0.0.1:1"}
SECRET = "not-to-be-shown"
COMMANDS = {"gateway": ("gateway", "serve"), "worker": ("streams", "worker"), "monitor": ("streams", "monitor")}
PORT_SETTINGS = {"gateway": "GATEWAY_OPS_PORT", "worker": "STREAMS_OPS_PORT", "monitor": "MONITOR_PORT"}
EVENT = re.compile(r"[a-z_]+(\.[a-z_]+)+")


@dataclass(frozen=True)
class Running:
    """A role that runs: where its health is, and what it has logged."""

    role: str
    url: str
    log: Path

    def get(self, path: str) -> httpx2.Response:
        return httpx2.get(self.url + path, timeout=10)

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def environment(**settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return {**inherited, **NOWHERE, "AIRUDDER_SIGNING_KEYS": f"k:{SECRET}", **settings}


@pytest.fixture(scope="module")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """All three, started side by side."""
    folder, started, running = tmp_path_factory.mktemp("roles"), [], {}
    for (role, command), port in zip(COMMANDS.items(), free_ports(3), strict=True):
        settings = {PORT_SETTINGS[role]: str(port), "STREAMS_DATA_DIR": str(folder / "data")}
        environ = environment(**{"GATEWAY_PORT": "0", **settings})
        log = folder / f"{role}.log"
        with log.open("wb") as output:
            arguments = [sys.executable, "-m", *command]
            started.append(subprocess.Popen(arguments, env=environ, stdout=output, stderr=output))
        running[role] = Running(role, f"http://127.0.0.1:{port}", log)
    try:
        for one in running.values():
            wait_until_it_listens(one)
        yield running
    finally:
        for process in started:
            process.kill()
            process.wait()


def wait_until_it_listens(running: Running) -> None:
    deadline = time.monotonic() + STARTS_S
    while time.monotonic() < deadline:
        try:
            running.get("/livez")
            return
        except httpx2.TransportError:
            time.sleep(0.1)
    raise AssertionError(f"the {running.role} does not listen:\n{running.log.read_text()[-2000:]}")


@pytest.mark.parametrize("role", COMMANDS)
def test_it_is_alive_without_kafka(roles: dict[str, Running], role: str) -> None:
    answer = roles[role].get("/livez")

    assert (answer.status_code, answer.json()) == (200, {"status": "alive"})
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")


@pytest.mark.parametrize("role", COMMANDS)
def test_it_is_not_ready_without_kafka_and_says_why(roles: dict[str, Running], role: str) -> None:
    answer = roles[role].get("/readyz")
    body = answer.json()

    assert answer.status_code == 503
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("application/json", "no-store")
    assert list(body) == ["status", "reasons", "notes"]
    assert body["status"] == "not ready"
    assert body["reasons"]
    assert all(isinstance(text, str) for text in [*body["reasons"], *body["notes"]])


@pytest.mark.parametrize("role", COMMANDS)
def test_its_metrics_say_which_build_runs(roles: dict[str, Running], role: str) -> None:
    build = this_build()
    told = roles[role].get("/metrics").text

    assert f'airudder_build_info{{commit="{build.commit}",role="{role}",version="{build.version}"}} 1.0' in told


@pytest.mark.parametrize("role", COMMANDS)
def test_its_first_line_says_what_runs_and_with_which_settings(roles: dict[str, Running], role: str) -> None:
    first = roles[role].lines()[0]

    assert (first["event"], first["role"], first["level"]) == ("role.started", role, "info")
    assert (first["version"], first["commit"]) == this_build()
    assert first["settings"]["KAFKA_BOOTSTRAP_SERVERS"] == NOWHERE["KAFKA_BOOTSTRAP_SERVERS"]
    assert first["settings"]["AIRUDDER_LOG_LEVEL"] == "info"
    assert isinstance(first["notes"], list)


@pytest.mark.parametrize("role", COMMANDS)
def test_every_line_is_json_with_time_level_and_an_event(roles: dict[str, Running], role: str) -> None:
    for line in roles[role].lines():
        assert datetime.fromisoformat(line["timestamp"]).tzinfo is not None
        assert line["level"] in ("debug", "info", "warning", "error", "critical")
        assert "logger" in line or EVENT.fullmatch(line["event"]), line


@pytest.mark.parametrize("role", COMMANDS)
def test_no_line_shows_a_secret(roles: dict[str, Running], role: str) -> None:
    assert SECRET not in roles[role].log.read_text()


@pytest.mark.parametrize("level", ["error", "INFO"])
@pytest.mark.parametrize("role", COMMANDS)
def test_the_log_level_is_a_setting(roles: dict[str, Running], role: str, level: str, tmp_path: Path) -> None:
    taken = {PORT_SETTINGS[role]: roles[role].url.rpartition(":")[2], "STREAMS_DATA_DIR": str(tmp_path)}
    environ = environment(**{"GATEWAY_PORT": "0", **taken, "AIRUDDER_LOG_LEVEL": level})
    ended = subprocess.run(
        [sys.executable, "-m", *COMMANDS[role]], env=environ, capture_output=True, text=True, timeout=ENDS_S
    )
    lines = [json.loads(line) for line in ended.stdout.splitlines()]

    assert ended.returncode == exits.PORT_TAKEN, ended.stderr
    assert lines[-1]["event"] == f"{role}.refused"
    assert "the port is taken" in lines[-1]["reason"]
    assert lines[-1]["exit_code"] == exits.PORT_TAKEN
    assert ("role.started" in [line["event"] for line in lines]) is (level == "INFO")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("role", COMMANDS)
def test_its_last_line_says_which_signal_stopped_it(role: str, number: signal.Signals, tmp_path: Path) -> None:
    port, log = free_ports(1)[0], tmp_path / "log"
    settings = {PORT_SETTINGS[role]: str(port), "STREAMS_DATA_DIR": str(tmp_path / "data")}
    environ = environment(**{"GATEWAY_PORT": "0", "GATEWAY_DRAIN_DELAY_S": "0", **settings})
    running = Running(role, f"http://127.0.0.1:{port}", log)
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", *COMMANDS[role]], env=environ, stdout=output, stderr=output)
    try:
        wait_until_it_listens(running)
        process.send_signal(number)
        exit_code = process.wait(ENDS_S)
    finally:
        process.kill()
        process.wait()
    last = running.lines()[-1]

    assert exit_code == 0
    assert {name: last[name] for name in ("event", "level", "reason")} == {
        "event": f"{role}.stopped",
        "level": "info",
        "reason": number.name,
    }


async def test_all_three_are_ready_in_one_form(start_kafka: StartKafka, registry_url: str, tmp_path: Path) -> None:
    bootstrap = start_kafka().bootstrap_servers
    async with WorkerSystem(bootstrap, registry_url, tmp_path) as system:
        worker = await system.start_worker()
        gateway = GatewayProcess(bootstrap, registry_url, tmp_path / "gateway.log").start()
        try:
            with running_monitor(bootstrap, registry_url, tmp_path / "monitor.log") as monitor:
                for url in (gateway.ops_url, f"http://127.0.0.1:{worker.ops_port}", monitor.url):
                    answer: Any = await wait_until(partial(ready_answer, url), STARTS_S, f"{url} is ready")
                    assert answer.json() == {"status": "ready", "reasons": [], "notes": answer.json()["notes"]}
                    assert answer.headers["content-type"] == "application/json"
        finally:
            await gateway.stop()


async def ready_answer(url: str) -> httpx2.Response | None:
    """The answer of /readyz once it is 200."""
    try:
        async with httpx2.AsyncClient() as client:
            answer = await client.get(url + "/readyz")
    except httpx2.HTTPError:
        return None
    return answer if answer.status_code == 200 else None


TOOLS = {
    "quarantine list": ("gateway", "quarantine", "list"),
    "topics check": ("streams", "topics", "check"),
    "dead-letters list": ("streams", "dead-letters", "list"),
    "recount": ("streams", "recount"),
    "lag": ("streams", "lag"),
}


@pytest.mark.parametrize("name", TOOLS)
def test_a_tool_ends_with_one_code_when_kafka_is_away(name: str) -> None:
    command = [sys.executable, "-m", *TOOLS[name]]
    ended = subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=ENDS_S)

    assert ended.returncode == exits.UNAVAILABLE, ended.stderr
    assert "127.0.0.1:1" in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize("package", ["gateway", "streams"])
def test_a_command_says_its_version_and_commit(package: str) -> None:
    told = subprocess.run([sys.executable, "-m", package, "--version"], capture_output=True, text=True, timeout=ENDS_S)
    build = this_build()

    assert told.stdout == f"airudder-kafka {build.version} (commit {build.commit})\n"
    assert re.fullmatch(r"[0-9a-f]{40}", build.commit)
