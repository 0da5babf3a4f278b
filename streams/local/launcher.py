"""`streams up`: the whole system on this machine, in order, watched, and stopped in order.

lock the data directory -> check the ports -> download once
    -> broker | registry -> topics apply -> gateway, worker, monitor -> `ready` -> demo
"""

import asyncio
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from schemas.errors import SettingsError
from schemas.runtime import exits
from streams.local.artifacts import Artifacts, ensure_artifacts
from streams.local.console import Console
from streams.local.data_dir import hold_data_dir
from streams.local.env_file import tools_environment, without_own_services, write_env_file
from streams.local.errors import EXIT_INTERRUPTED, LocalError, PortTakenError
from streams.local.kafka import LocalKafka
from streams.local.ports import FREE, LOOPBACK, claim_port, is_free
from streams.local.reaper import Reaper
from streams.local.registry import LocalRegistry
from streams.local.roles import Endpoints, Roles, role_environment, system_roles
from streams.local.system import System
from streams.settings import UpSettings


@dataclass(frozen=True, slots=True)
class UpOptions:
    """The options of `python -m streams up`. A port of 0 is a free one."""

    demo: bool = False
    data_dir: Path = Path(".data")
    kafka_port: int = 9092
    registry_port: int = 8081
    gateway_port: int = 8000
    gateway_ops_port: int = 8001
    monitor_port: int = 8080


@dataclass(frozen=True, slots=True)
class Plan:
    """What will be started: None for the services that the environment names."""

    endpoints: Endpoints
    kafka: LocalKafka | None
    registry: LocalRegistry | None


MakeRoles = Callable[[UpOptions, Plan, Path], Roles]


def up(options: UpOptions, make_roles: MakeRoles | None = None) -> int:
    """Run everything until Ctrl-C, SIGTERM or a failure; returns the exit code (see `errors`).

    Blocks; must run in the main thread. All children have ended when it returns.
    """
    console = Console()
    try:
        return _up(options, make_roles if make_roles is not None else plan_roles, console)
    except SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return exits.SETTINGS
    except LocalError as error:
        console.error(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED


def _up(options: UpOptions, make_roles: MakeRoles, console: Console) -> int:
    data_dir = options.data_dir.resolve()
    env_file = data_dir / "env"
    settings = _settings(without_own_services(os.environ, env_file), console)
    with hold_data_dir(data_dir, console) as lock_fd:
        plan = make_plan(options, data_dir, settings)
        _describe_plan(plan, data_dir, console)
        roles = make_roles(options, plan, data_dir)
        reaper = Reaper(inherited_fds=(lock_fd,))
        try:
            services = [service for service in (plan.kafka, plan.registry) if service is not None]
            _write_env_file(env_file, plan, data_dir)
            asyncio.run(System(services, roles, plan.endpoints, reaper, console, env_file).run())
        finally:
            reaper.close()
    return 0


def plan_roles(options: UpOptions, plan: Plan, data_dir: Path) -> Roles:
    """The roles of the real system, for this plan."""
    return system_roles(
        plan.endpoints,
        data_dir,
        local_kafka=plan.kafka is not None,
        local_registry=plan.registry is not None,
        demo=options.demo,
    )


def _write_env_file(path: Path, plan: Plan, data_dir: Path) -> None:
    services = {"KAFKA_BOOTSTRAP_SERVERS": plan.kafka is not None, "SCHEMA_REGISTRY_URL": plan.registry is not None}
    of_roles = role_environment(
        plan.endpoints, data_dir, local_kafka=plan.kafka is not None, local_registry=plan.registry is not None
    )
    started_here = [name for name, is_ours in services.items() if is_ours]
    write_env_file(path, tools_environment(os.environ, of_roles), started_here)


def _settings(environ: Mapping[str, str], console: Console) -> UpSettings:
    """What the environment says. Raises: SettingsError, before anything is downloaded or started."""
    settings = UpSettings.from_env(environ)
    for note in settings.notes:
        console.say(note)
    return settings


def make_plan(options: UpOptions, data_dir: Path, settings: UpSettings) -> Plan:
    """Settle every port, and have Kafka and the registry on disk when they are to run here.

    Raises: PortTakenError, DownloadError, LocalDiskError.
    """
    ports = _claim_ports(options, settings)
    artifacts = None if settings.has_kafka and settings.has_registry else ensure_artifacts()
    kafka = None if settings.has_kafka else _local_kafka(data_dir, ports["--kafka-port"], artifacts)
    registry = None if settings.has_registry else _local_registry(data_dir, ports["--registry-port"], artifacts)
    endpoints = Endpoints(
        bootstrap_servers=settings.kafka.bootstrap_servers if kafka is None else kafka.bootstrap_servers,
        registry_url=settings.registry.url if registry is None else registry.url,
        gateway_host=settings.gateway.host,
        gateway_port=ports["--gateway-port"],
        gateway_ops_host=settings.gateway.ops_host or settings.gateway.host,
        gateway_ops_port=ports["--gateway-ops-port"],
        streams_ops_host=settings.worker.ops_host,
        streams_ops_port=ports["STREAMS_OPS_PORT"],
        monitor_host=settings.monitor.host,
        monitor_port=ports["--monitor-port"],
    )
    return Plan(endpoints, kafka, registry)


def _claim_ports(options: UpOptions, settings: UpSettings) -> dict[str, int]:
    """Option -> port number; only what will listen on this machine is claimed."""
    gateway = settings.gateway
    wanted = {
        "--gateway-port": (options.gateway_port, gateway.host),
        "--gateway-ops-port": (options.gateway_ops_port, gateway.ops_host or gateway.host),
        "--monitor-port": (options.monitor_port, settings.monitor.host),
        "STREAMS_OPS_PORT": (worker_port(options, settings), settings.worker.ops_host),
    }
    if not settings.has_kafka:
        wanted["--kafka-port"] = (options.kafka_port, LOOPBACK)
    if not settings.has_registry:
        wanted["--registry-port"] = (options.registry_port, LOOPBACK)
    _refuse_equal_ports({option: port for option, (port, _) in wanted.items() if port != FREE})
    return {option: claim_port(port, option, host) for option, (port, host) in wanted.items()}


def worker_port(options: UpOptions, settings: UpSettings) -> int:
    """The worker's ops port: the environment's, else 8002 when nothing has or gets it, else 0, any free one.

    Also any free one when the gateway's ops port is: two systems that start at once would both find 8002 free.
    """
    worker, gateway_ops = settings.worker, options.gateway_ops_port
    if settings.has_ops_port:
        return worker.ops_port
    others = (options.kafka_port, options.registry_port, options.gateway_port, gateway_ops, options.monitor_port)
    is_ours = gateway_ops != FREE and worker.ops_port not in others and is_free(worker.ops_port, worker.ops_host)
    return worker.ops_port if is_ours else FREE


def _refuse_equal_ports(ports: dict[str, int]) -> None:
    taken: dict[int, str] = {}
    for option, port in ports.items():
        if port in taken:
            raise PortTakenError(f"{taken[port]} and {option} are both {port}: change one of them")
        taken[port] = option


def _local_kafka(data_dir: Path, port: int, artifacts: Artifacts | None) -> LocalKafka:
    log_path = data_dir / "logs" / "kafka.log"
    return LocalKafka(data_dir / "kafka", port, log_path=log_path, artifacts=artifacts)


def _local_registry(data_dir: Path, port: int, artifacts: Artifacts | None) -> LocalRegistry:
    log_path = data_dir / "logs" / "registry.log"
    return LocalRegistry(data_dir / "registry", port, log_path=log_path, artifacts=artifacts)


def _describe_plan(plan: Plan, data_dir: Path, console: Console) -> None:
    console.say(f"data and logs in {data_dir}")
    if plan.kafka is None:
        console.say(f"using Kafka at {plan.endpoints.bootstrap_servers} (KAFKA_BOOTSTRAP_SERVERS): not started here")
    if plan.registry is None:
        console.say("using the schema registry of SCHEMA_REGISTRY_URL: not started here")
