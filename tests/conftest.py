"""A real broker and a real registry for whoever asks: one per session, on free ports, in a temporary directory.

The environment's KAFKA_BOOTSTRAP_SERVERS and SCHEMA_REGISTRY_URL are never used: tests delete and break things.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from streams.local.kafka import LocalKafka
from streams.local.registry import LocalRegistry
from streams.topics.schemas import apply_schemas

StartKafka = Callable[[], LocalKafka]
StartRegistry = Callable[[], LocalRegistry]


@pytest.fixture(scope="session")
def kafka_bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """`127.0.0.1:port` of the session's shared broker: make your own topics and groups, leave others' alone."""
    with LocalKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap_servers


@pytest.fixture(scope="session")
def registry_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """SCHEMA_REGISTRY_URL of the session's shared registry, with our schemas in it: use subjects of your own."""
    with LocalRegistry(tmp_path_factory.mktemp("registry")) as registry:
        asyncio.run(apply_schemas(registry.url))
        yield registry.url


@pytest.fixture
def start_kafka(tmp_path: Path) -> Iterator[StartKafka]:
    """Call it for a broker of the test's own, to stop, kill, freeze and start again; each call is another broker."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(LocalKafka(_next_dir(tmp_path, "kafka")))


@pytest.fixture
def start_registry(tmp_path: Path) -> Iterator[StartRegistry]:
    """Call it for a registry of the test's own."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(LocalRegistry(_next_dir(tmp_path, "registry")))


def _next_dir(tmp_path: Path, name: str) -> Path:
    return next(path for i in range(100) if not (path := tmp_path / f"{name}-{i}").exists())
