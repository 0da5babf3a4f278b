"""A real broker and a real registry as fixtures, the marker `broker` for the tests that need them, and one Hypothesis.

Broker and registry: one per session, on free ports, in a temporary directory. The environment's KAFKA_BOOTSTRAP_SERVERS
and SCHEMA_REGISTRY_URL are never used: tests delete and break things.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

from streams.topics.schemas import apply_schemas
from tests.support.processes.service import KafkaProcess, RegistryProcess, ServiceProcess

StartKafka = Callable[[], KafkaProcess]
StartRegistry = Callable[[], RegistryProcess]

TESTS = Path(__file__).parent
JAVA_FIXTURES = frozenset({"kafka_bootstrap", "registry_url", "start_kafka", "start_registry"})
ROOMS_OF_PROCESSES = ("integration", "faults", "examples", "browser")
BROKER_TIMEOUT_S = 900
"""Beyond the deadlines within such a test together: on a busy machine the one that passed is named, not the sum."""

_OF_THE_MACHINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much)
hypothesis.settings.register_profile(
    "repeatable", deadline=None, derandomize=True, database=None, suppress_health_check=_OF_THE_MACHINE
)
hypothesis.settings.register_profile("search", hypothesis.settings.get_profile("repeatable"), derandomize=False)
hypothesis.settings.load_profile("repeatable")


def pytest_configure() -> None:
    """Let Ctrl-C reach every process that a test starts. A script starts `pytest &` with SIGINT ignored, and children
    inherit that: a program with Python's own handling of Ctrl-C could then not be interrupted.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(tryfirst=True)  # before `-m` selects
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a broker, a registry or processes of ours: by its fixtures and by its room, never by hand."""
    for item in items:
        room = item.path.relative_to(TESTS).parts[0]
        if room in ROOMS_OF_PROCESSES or JAVA_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker("broker")
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(BROKER_TIMEOUT_S))


@pytest.hookimpl(tryfirst=True)  # before fixtures are set up
def pytest_runtest_setup(item: pytest.Item) -> None:
    ServiceProcess.is_allowed = item.get_closest_marker("broker") is not None


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`127.0.0.1:port` of the session's shared broker: make your own topics and groups, leave others' alone."""
    with KafkaProcess(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SCHEMA_REGISTRY_URL of the session's shared registry, with our schemas in it: use subjects of your own."""
    with RegistryProcess(tmp_path_factory.mktemp("registry")) as registry:
        asyncio.run(apply_schemas(registry.url))
        yield registry.url


@pytest.fixture
def start_kafka(tmp_path: Path) -> Iterator[StartKafka]:
    """Call it for a broker of the test's own, to stop, kill, freeze and start again; each call is another broker."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(KafkaProcess(_next_dir(tmp_path, "kafka")))


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """Call it for a registry of the test's own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(RegistryProcess(_next_dir(tmp_path, "registry")))


def _next_dir(tmp_path: Path, name: str) -> Path:
    return next(path for i in range(100) if not (path := tmp_path / f"{name}-{i}").exists())
