"""docker-compose.yml says nothing that the code does not know, and leaves out nothing that it needs.

There is no container engine here: this holds the file against the code, its own cross-references and the parts of the
Compose specification it uses. That the images start is not proven.
"""

from __future__ import annotations

import re
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]  # its stubs are a package of their own, for one call
import pytest
import typer.main
import yaml

from gateway.__main__ import app as gateway_cli
from gateway.settings import NEEDED_TO_SERVE, GatewaySettings
from schemas.runtime.settings import Settings
from streams.__main__ import app as streams_cli
from streams.monitor.grafana.dashboard import dashboard
from streams.monitor.settings import MonitorSettings
from streams.settings import TopicSettings, WorkerSettings

FILE = Path(__file__).parents[2] / "docker-compose.yml"
COMPOSE: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ROLES = ("topics", "gateway", "worker", "monitor")

PINNED = re.compile(r"[a-z0-9./-]+:v?\d+\.\d+[A-Za-z0-9.-]*")
DURATION = {"type": "string", "pattern": r"^(\d+(ms|s|m|h))+$"}
STRINGS = {"type": "array", "items": {"type": "string"}}

# The parts of the Compose specification that the file uses; anything else is an error here until it is added.
SERVICE_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["image"],
    "additionalProperties": False,
    "properties": {
        "image": {"type": "string"},
        "build": {
            "type": "object",
            "required": ["context", "dockerfile_inline"],
            "additionalProperties": False,
            "properties": {
                "context": {"type": "string"},
                "args": {"type": "object", "additionalProperties": {"type": "string"}},
                "dockerfile_inline": {"type": "string"},
            },
        },
        "command": STRINGS,
        "restart": {"enum": ["no", "always", "on-failure", "unless-stopped"]},
        "stop_grace_period": DURATION,
        "init": {"type": "boolean"},
        "read_only": {"type": "boolean"},
        "tmpfs": STRINGS,
        "cap_drop": STRINGS,
        "security_opt": STRINGS,
        "environment": {"type": "object", "additionalProperties": {"type": ["string", "integer"]}},
        "ports": {"type": "array", "items": {"type": "string", "pattern": r"^(127\.0\.0\.1:)?\d+:\d+$"}},
        "volumes": {"type": "array", "items": {"type": "string", "pattern": r"^[a-z-]+:/\S+$"}},
        "configs": {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["source", "target"],
                "additionalProperties": False,
                "properties": {"source": {"type": "string"}, "target": {"type": "string", "pattern": "^/"}},
            },
        },
        "depends_on": {
            "type": "object",
            "additionalProperties": {
                "type": "object",
                "required": ["condition"],
                "additionalProperties": False,
                "properties": {
                    "condition": {"enum": ["service_started", "service_healthy", "service_completed_successfully"]}
                },
            },
        },
        "healthcheck": {
            "type": "object",
            "required": ["test", "interval", "timeout", "retries"],
            "additionalProperties": False,
            "properties": {
                "test": {**STRINGS, "contains": {"const": "CMD"}},
                "interval": DURATION,
                "timeout": DURATION,
                "start_period": DURATION,
                "retries": {"type": "integer", "minimum": 1},
            },
        },
    },
}


def environment(service: str) -> dict[str, str]:
    """The service's environment with every ${NAME:-default} at its default and every required one made up."""
    return {name: _filled(str(value)) for name, value in SERVICES[service]["environment"].items()}


def _filled(value: str) -> str:
    return re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", lambda match: match[1] or "made-up:secret", value)


def test_the_file_has_only_sections_that_compose_knows() -> None:
    assert {name for name in COMPOSE if not name.startswith("x-")} == {"name", "services", "volumes", "configs"}


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_uses_only_what_we_checked_against_the_specification(service: str) -> None:
    jsonschema.validate(SERVICES[service], SERVICE_SCHEMA)


def test_the_system_is_complete() -> None:
    assert set(SERVICES) == {"kafka", "registry", *ROLES, "prometheus", "grafana", "kafka-ui"}


@pytest.mark.parametrize("service", SERVICES)
def test_every_image_is_pinned_to_a_version(service: str) -> None:
    assert PINNED.fullmatch(SERVICES[service]["image"])


def test_kafka_and_the_registry_are_the_versions_of_the_local_stack() -> None:
    assert SERVICES["kafka"]["image"] == "apache/kafka:4.2.0"
    assert SERVICES["registry"]["image"] == "quay.io/apicurio/apicurio-registry:3.3.3"


@pytest.mark.parametrize("role", ROLES)
def test_the_roles_share_one_image_that_installs_what_is_here(role: str) -> None:
    build = SERVICES[role]["build"]
    copied = re.findall(r"^COPY (.+) \S+$", build["dockerfile_inline"], re.MULTILINE)

    assert build == SERVICES["gateway"]["build"]
    assert set(" ".join(copied).split()) == {"pyproject.toml", "README.md", "schemas", "gateway", "streams"}
    assert "FROM python:3.11-slim\n" in build["dockerfile_inline"]
    assert "pip install --no-cache-dir .\n" in build["dockerfile_inline"]


@pytest.mark.parametrize(
    ("role", "settings"),
    [("topics", TopicSettings), ("gateway", GatewaySettings), ("worker", WorkerSettings), ("monitor", MonitorSettings)],
)
def test_a_role_is_given_only_settings_that_its_code_reads(role: str, settings: type[Settings]) -> None:
    assert set(SERVICES[role]["environment"]) - {name for name, _ in settings.variables()} == set()


def test_the_roles_accept_their_settings() -> None:
    gateway = GatewaySettings.from_env(environment("gateway"), required=NEEDED_TO_SERVE)
    worker = WorkerSettings.from_env(environment("worker"))
    monitor = MonitorSettings.from_env(environment("monitor"))
    topics = TopicSettings.from_env(environment("topics"))

    assert (gateway.host, gateway.port, gateway.ops_port) == ("0.0.0.0", 8000, 8001)
    assert (monitor.app_id, monitor.window_s) == (worker.app_id, worker.window_s)
    assert {topics.app_id, monitor.app_id} == {worker.app_id}
    assert {str(worker.kafka), str(monitor.kafka)} == {str(topics.kafka)}
    assert worker.registry == monitor.registry == gateway.registry


def test_nobody_starts_with_the_default_signing_key() -> None:
    assert re.fullmatch(
        r"\$\{AIRUDDER_SIGNING_KEYS:\?.+\}", SERVICES["gateway"]["environment"]["AIRUDDER_SIGNING_KEYS"]
    )
    assert "AIRUDDER_ALLOW_DEFAULT_KEY" not in FILE.read_text(encoding="utf-8")


@pytest.mark.parametrize("role", ROLES)
def test_a_roles_command_exists(role: str) -> None:
    python, flag, module, *words = SERVICES[role]["command"]
    command: Any = typer.main.get_command({"gateway": gateway_cli, "streams": streams_cli}[module])

    assert (python, flag) == ("python", "-m")
    for word in words:
        command = getattr(command, "commands", {})[word]
    assert not hasattr(command, "commands"), "a group of commands does nothing by itself"


@pytest.mark.parametrize("service", SERVICES)
def test_what_a_service_waits_for_exists_and_can_happen(service: str) -> None:
    for other, how in SERVICES[service].get("depends_on", {}).items():
        if how["condition"] == "service_healthy":
            assert "healthcheck" in SERVICES[other]
        if how["condition"] == "service_completed_successfully":
            assert SERVICES[other]["restart"] == "no"
        assert other in SERVICES


def test_nothing_waits_for_itself_in_a_circle() -> None:
    done: set[str] = set()
    while left := [s for s in SERVICES if s not in done]:
        free = [s for s in left if set(SERVICES[s].get("depends_on", {})) <= done]
        assert free, f"a circle among {left}"
        done.update(free)


@pytest.mark.parametrize("service", [name for name in SERVICES if name != "topics"])
def test_every_service_that_stays_says_whether_it_is_well(service: str) -> None:
    assert "healthcheck" in SERVICES[service]


@pytest.mark.parametrize(
    ("role", "setting"), [("gateway", "GATEWAY_OPS_PORT"), ("worker", "STREAMS_OPS_PORT"), ("monitor", "MONITOR_PORT")]
)
def test_a_roles_health_is_asked_where_it_listens(role: str, setting: str) -> None:
    assert f"127.0.0.1:{environment(role)[setting]}/readyz" in SERVICES[role]["healthcheck"]["test"][-1]


def test_only_the_webhook_is_published_beyond_this_machine() -> None:
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]

    assert [port for port in published if not port.startswith("127.0.0.1:")] == ["8000:8000"]
    hosts = [port.rsplit(":", 1)[0].rsplit(":", 1)[-1] for port in published]
    assert len(hosts) == len(set(hosts)), "two services want the same port"


def test_named_volumes_and_configs_are_declared_and_used() -> None:
    mounted = {volume.split(":")[0] for s in SERVICES.values() for volume in s.get("volumes", [])}
    sources = {config["source"] for s in SERVICES.values() for config in s.get("configs", [])}

    assert mounted == set(COMPOSE["volumes"])
    assert sources == set(COMPOSE["configs"])


def test_records_and_state_survive_a_restart() -> None:
    volumes = [volume for s in ("kafka", "worker") for volume in SERVICES[s]["volumes"]]
    kafka, worker = SERVICES["kafka"]["environment"], SERVICES["worker"]["environment"]

    assert volumes == [f"kafka-data:{kafka['KAFKA_LOG_DIRS']}", f"worker-data:{worker['STREAMS_DATA_DIR']}"]
    assert SERVICES["registry"]["environment"]["APICURIO_STORAGE_KIND"] == "kafkasql"


def test_prometheus_scrapes_only_addresses_that_listen() -> None:
    config = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])
    targets = {
        target for job in config["scrape_configs"] for conf in job["static_configs"] for target in conf["targets"]
    }

    assert targets == {
        f"gateway:{environment('gateway')['GATEWAY_OPS_PORT']}",
        f"monitor:{environment('monitor')['MONITOR_PORT']}",
        f"worker:{environment('worker')['STREAMS_OPS_PORT']}",
    }


def test_grafanas_panels_ask_the_source_that_is_there() -> None:
    source = yaml.safe_load(COMPOSE["configs"]["grafana-datasource"]["content"])["datasources"][0]
    panels = [panel for panel in dashboard()["panels"] if panel["type"] != "row"]

    assert {panel["datasource"]["uid"] for panel in panels} == {source["uid"]}


def test_the_dashboard_is_what_the_code_makes() -> None:
    command = [sys.executable, "-m", "streams.monitor.grafana", "--check"]

    assert subprocess.run(command, cwd=FILE.parent, capture_output=True, timeout=60).returncode == 0


def test_what_is_mounted_from_the_tree_is_there_where_it_is_read() -> None:
    files = {config["file"]: name for name, config in COMPOSE["configs"].items() if "file" in config}
    rules = yaml.safe_load(COMPOSE["configs"]["prometheus"]["content"])["rule_files"]
    mounted = {config["source"]: config["target"] for s in SERVICES.values() for config in s.get("configs", [])}
    provided = yaml.safe_load(COMPOSE["configs"]["grafana-dashboards"]["content"])["providers"][0]["options"]["path"]

    assert [file for file in files if not (FILE.parent / file).is_file()] == []
    for file, name in files.items():
        wanted = [f"{provided}/*.json"] if file.endswith(".json") else rules
        assert any(fnmatch(mounted[name], pattern) for pattern in wanted)


@pytest.mark.parametrize("name", ["grafana-datasource", "grafana-dashboards", "prometheus"])
def test_an_embedded_file_is_yaml(name: str) -> None:
    assert isinstance(yaml.safe_load(COMPOSE["configs"][name]["content"]), dict)


def test_a_dollar_meant_for_the_container_is_escaped() -> None:
    text = FILE.read_text(encoding="utf-8").replace("$$", "")

    assert re.findall(r"\$(?!\{[A-Z_]+(:-[^}]*|:\?[^}]+)\})", text) == []
