"""Two gateways behind a balancer are restarted one after the other, and the sender notices nothing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from schemas.topics import CALLBACKS
from tests.support.load.steady import SteadyLoad
from tests.support.processes.gateway import Client, GatewayProcess, end_offsets, records_since
from tests.support.processes.service import KafkaProcess
from tests.support.topics import create_topics


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaProcess(tmp_path_factory.mktemp("rolling-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka.bootstrap_servers


def instance(broker: str, registry_url: str, log_path: Path, workers: int) -> GatewayProcess:
    """On ports that it keeps over a restart."""
    ports = free_ports(2)
    settings = {"GATEWAY_PORT": ports[0], "GATEWAY_OPS_PORT": ports[1], "GATEWAY_WORKERS": str(workers)}
    return GatewayProcess(broker, registry_url, log_path, **settings, GATEWAY_DRAIN_DELAY_S="5")


def free_ports(count: int) -> list[str]:
    with ExitStack() as stack:
        opened = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [str(one.getsockname()[1]) for one in opened]


@pytest.mark.parametrize("workers", [1, 2])
async def test_a_rolling_restart_under_load_breaks_refuses_and_loses_nothing(
    broker: str, registry_url: str, tmp_path: Path, workers: int
) -> None:
    start = await end_offsets(broker, CALLBACKS)
    gateways = [instance(broker, registry_url, tmp_path / f"gateway-{n}.log", workers) for n in range(2)]
    clients = [Client(gateway) for gateway in gateways]
    exit_codes = []
    try:
        for client in clients:
            client.gateway.start()
            await client.wait_until_ready()
        async with SteadyLoad(gateways, f"rolling-{workers}") as load:
            for client in clients:
                await load.go_on(150)
                exit_codes.append(await client.gateway.stop())
                await load.go_on(150)
                client.gateway.start()
                await client.wait_until_ready()
            await load.go_on(150)
    finally:
        for client in clients:
            await client.http.aclose()
            client.gateway.kill()

    stored = {dict(record.headers)["ce_id"].decode() for record in await records_since(broker, start)}
    assert exit_codes == [0, 0]
    assert (load.broken, set(load.answers)) == ([], {200})
    assert load.accepted == stored
