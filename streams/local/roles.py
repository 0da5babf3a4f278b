"""The roles of the system as this machine runs them: `python -m gateway serve` and its like, never an import.

The names of the settings are the contract's (section 5).
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from schemas.connection import KafkaConnection, RegistryConnection, Variables, may_be_in_file
from schemas.runtime.environment import FILE
from schemas.topics import CALL_COMPLETION_PATH
from streams.local.ports import LOOPBACK
from streams.local.probes import http_status
from streams.local.process import Command

READYZ = "/readyz"
ANY_ADDRESS = frozenset({"", "0.0.0.0", "::"})


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything listens or will listen. No port is 0."""

    bootstrap_servers: str
    registry_url: str
    gateway_host: str
    gateway_port: int
    gateway_ops_host: str
    gateway_ops_port: int
    streams_ops_host: str
    streams_ops_port: int
    monitor_host: str
    monitor_port: int


@dataclass(frozen=True, slots=True)
class Role:
    """One of our own programs. Without `ready_port` it is ready as soon as it runs."""

    name: str
    argv: tuple[str, ...]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    ready_port: int | None = None
    ready_host: str = LOOPBACK
    may_finish: bool = False

    def prepare(self) -> None:
        """Nothing to prepare."""

    def command(self) -> Command:
        return Command(self.name, self.argv, self.log_path, self.environment)

    def is_ready(self) -> bool:
        return self.ready_port is None or http_status(self.ready_port, READYZ, self.ready_host) == 200


@dataclass(frozen=True, slots=True)
class Roles:
    """What `up` runs besides broker and registry: `topics` to its end, then `serving`, then `demo`.

    Stopped in the order `demo`, then `serving` as listed.
    """

    topics: Role
    serving: tuple[Role, ...]
    demo: tuple[Role, ...] = ()


def system_roles(
    endpoints: Endpoints, data_dir: Path, *, local_kafka: bool, demo: bool, local_registry: bool = False
) -> Roles:
    """The real command table."""
    logs = data_dir / "logs"
    environment = role_environment(endpoints, data_dir, local_kafka=local_kafka, local_registry=local_registry)

    def role(name: str, *arguments: str, host: str = LOOPBACK, port: int | None = None) -> Role:
        argv = (sys.executable, "-m", *arguments)
        return Role(name, argv, logs / f"{name}.log", environment, port, probe_host(host), port is None)

    return Roles(
        topics=role("topics", "streams", "topics", "apply"),
        serving=(
            role("gateway", "gateway", "serve", host=endpoints.gateway_ops_host, port=endpoints.gateway_ops_port),
            role("worker", "streams", "worker", host=endpoints.streams_ops_host, port=endpoints.streams_ops_port),
            role("monitor", "streams", "monitor", host=endpoints.monitor_host, port=endpoints.monitor_port),
        ),
        demo=(role("demo", "gateway", "simulate"),) if demo else (),
    )


def role_environment(
    endpoints: Endpoints, data_dir: Path, *, local_kafka: bool, local_registry: bool = False
) -> dict[str, str]:
    """The variables of every role, on top of our own environment.

    A broker or a registry of ours takes no credentials, whatever the environment was made for: emptied is unset.
    """
    unset = _emptied(KafkaConnection, "KAFKA_SASL_", "KAFKA_SSL_") if local_kafka else {}
    unset |= _emptied(RegistryConnection, "SCHEMA_REGISTRY_") if local_registry else {}
    protocol = {"KAFKA_SECURITY_PROTOCOL": "PLAINTEXT"} if local_kafka else {}
    return (
        unset
        | protocol
        | {
            "PYTHONUNBUFFERED": "1",
            "KAFKA_BOOTSTRAP_SERVERS": endpoints.bootstrap_servers,
            "SCHEMA_REGISTRY_URL": endpoints.registry_url,
            "SCHEMA_REGISTRY_URL" + FILE: "",  # its content is the line above
            "GATEWAY_HOST": endpoints.gateway_host,
            "GATEWAY_PORT": str(endpoints.gateway_port),
            "GATEWAY_OPS_HOST": endpoints.gateway_ops_host,
            "GATEWAY_OPS_PORT": str(endpoints.gateway_ops_port),
            "STREAMS_DATA_DIR": str(data_dir / "worker"),
            "STREAMS_OPS_HOST": endpoints.streams_ops_host,
            "STREAMS_OPS_PORT": str(endpoints.streams_ops_port),
            "MONITOR_HOST": endpoints.monitor_host,
            "MONITOR_PORT": str(endpoints.monitor_port),
            "MONITOR_PROBE_URL": http_url(endpoints.gateway_host, endpoints.gateway_port) + CALL_COMPLETION_PATH,
            "MONITOR_DATA_DIR": str(data_dir / "monitor"),
            "MONITOR_GATEWAY_URLS": http_url(endpoints.gateway_ops_host, endpoints.gateway_ops_port),
            "MONITOR_WORKER_URLS": http_url(endpoints.streams_ops_host, endpoints.streams_ops_port),
        }
    )


def _emptied(group: type[Variables], *prefixes: str) -> dict[str, str]:
    fields = [(name, field) for name, field in group.variables() if name.startswith(prefixes)]
    in_files = [name + FILE for name, field in fields if may_be_in_file(field)]
    return dict.fromkeys([*(name for name, _ in fields), *in_files], "")


def http_url(host: str, port: int) -> str:
    """The address of a server of ours, for a client on this machine."""
    reached = probe_host(host)
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def probe_host(host: str) -> str:
    """Where to reach a server that listens on `host`: 0.0.0.0 is no address to connect to."""
    return LOOPBACK if host in ANY_ADDRESS else host
