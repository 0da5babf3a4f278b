"""A worker that starts without its broker or its registry waits for a while, and then says what is missing."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from schemas.errors import MissingSchemaError
from schemas.registry import Registry
from streams.errors import BrokerUnavailableError, RegistryAwayError, SchemasError
from streams.local.ports import free_ports
from streams.settings import KafkaSettings, WorkerSettings
from streams.worker import startup
from streams.worker.ops import WorkerState


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(startup, "START_DEADLINE_S", 0.5)
    monkeypatch.setattr(startup, "RETRY_PAUSE_S", 0.1)


@pytest.fixture
def nobody() -> str:
    [port] = free_ports(1)
    return f"127.0.0.1:{port}"


async def test_without_a_broker_it_ends_with_69(nobody: str) -> None:
    settings = WorkerSettings(kafka=KafkaSettings(bootstrap_servers=nobody))

    with pytest.raises(BrokerUnavailableError) as raised:
        await startup.check_kafka(settings, WorkerState())
    assert raised.value.exit_code == 69


async def test_without_a_registry_it_ends_with_69(nobody: str) -> None:
    registry = Registry(f"http://{nobody}")

    with pytest.raises(RegistryAwayError) as raised:
        await startup.check_registry(registry, WorkerState())
    assert raised.value.exit_code == 69
    await registry.aclose()


async def test_without_its_schemas_in_the_registry_it_ends_with_69_and_says_what_to_run(nobody: str) -> None:
    registry = Registry(f"http://{nobody}")
    registry.look_up = AsyncMock(side_effect=MissingSchemaError("subject x: run `topics apply`"))  # type: ignore[method-assign]

    with pytest.raises(SchemasError, match="topics apply") as raised:
        await startup.check_registry(registry, WorkerState())
    assert raised.value.exit_code == 69
    await registry.aclose()
