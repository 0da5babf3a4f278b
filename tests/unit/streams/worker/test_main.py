"""A worker that starts without its broker or its registry waits for a while, and then says what is missing."""

from __future__ import annotations

import pytest

from schemas.registry import Registry
from streams.errors import BrokerUnavailableError
from streams.local.ports import free_ports
from streams.settings import KafkaSettings, WorkerSettings
from streams.snapshot import RegistryAwayError
from streams.worker import main
from streams.worker.ops import WorkerState


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(main, "START_DEADLINE_S", 0.5)
    monkeypatch.setattr(main, "RETRY_PAUSE_S", 0.1)


@pytest.fixture
def nobody() -> str:
    [port] = free_ports(1)
    return f"127.0.0.1:{port}"


async def test_without_a_broker_it_ends_with_69(nobody: str) -> None:
    settings = WorkerSettings(kafka=KafkaSettings(bootstrap_servers=nobody))

    with pytest.raises(BrokerUnavailableError) as raised:
        await main._wait_for_topics(settings, WorkerState())
    assert raised.value.exit_code == 69


async def test_without_a_registry_it_ends_with_69(nobody: str) -> None:
    registry = Registry(f"http://{nobody}")

    with pytest.raises(RegistryAwayError) as raised:
        await main._register(registry, WorkerState())
    assert raised.value.exit_code == 69
    await registry.aclose()
