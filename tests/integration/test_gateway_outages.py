"""The gateway while Kafka or the registry is away: 503 within the deadline, never a hang, recovery by itself."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.registry import Registry
from schemas.topics import CALLBACKS, TOPICS
from tests.conftest import StartKafka
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import Client, end_offsets, records_since, running_gateway
from tests.support.processes.service import KafkaProcess, RegistryProcess
from tests.support.topics import create_topics
from tests.support.waiting import PATIENCE_S, wait_until

ANSWER_S = 3.5  # the default deadline of 3 s and what HTTP takes
NOT_READY_S = 5.0
RECOVERY_S = 10.0


def body_of(call_id: str) -> bytes:
    return to_body(with_detail(call_id=call_id))


async def assert_503_in_time(client: Client, body: bytes) -> None:
    started = time.monotonic()
    response = await client.post(body)

    assert time.monotonic() - started < ANSWER_S
    assert response.status_code == 503
    assert int(response.headers["retry-after"]) >= 1
    assert response.headers["content-type"] == "application/problem+json"


async def assert_not_ready_soon(client: Client) -> None:
    async def reasons() -> Any:
        response = await client.readyz()
        return response.status_code == 503 and response.json()["reasons"]

    assert "Kafka" in str(await wait_until(reasons, NOT_READY_S, "readyz to say 503"))
    assert (await client.http.get(client.gateway.ops_url + "/livez")).status_code == 200


async def assert_accepted_soon(client: Client, body: bytes) -> None:
    async def is_accepted() -> bool:
        return (await client.post(body)).status_code == 200

    await wait_until(is_accepted, RECOVERY_S, "a callback to be accepted again")
    await client.wait_until_ready(RECOVERY_S)


@pytest.fixture
async def kafka(start_kafka: StartKafka) -> KafkaProcess:
    kafka = start_kafka()
    await create_topics(kafka.bootstrap_servers)
    return kafka


async def test_a_broker_that_is_stopped_or_frozen_gives_503_and_the_gateway_recovers_each_time(
    kafka: KafkaProcess, registry_url: str, tmp_path: Path
) -> None:
    async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path) as client:
        start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
        acknowledged = ["before"]
        assert (await client.post(body_of("before"))).status_code == 200

        for outage, end, call_id in (
            (kafka.freeze, kafka.thaw, "frozen"),
            (kafka.kill, kafka.start, "killed"),
            (kafka.stop, kafka.start, "stopped"),
        ):
            await asyncio.to_thread(outage)
            await assert_503_in_time(client, body_of(call_id))
            await assert_not_ready_soon(client)
            await assert_503_in_time(client, body_of(call_id))
            await asyncio.to_thread(end)
            await assert_accepted_soon(client, body_of(call_id))
            acknowledged.append(call_id)

        keys = {record.key.decode() for record in await records_since(kafka.bootstrap_servers, start)}
        assert set(acknowledged) <= keys
        assert await client.gateway.stop() == 0


async def test_many_posts_to_a_frozen_broker_are_all_answered_in_time(
    kafka: KafkaProcess, registry_url: str, tmp_path: Path
) -> None:
    async with running_gateway(
        kafka.bootstrap_servers, registry_url, tmp_path, GATEWAY_MAX_IN_FLIGHT_REQUESTS="20"
    ) as client:
        kafka.freeze()
        try:
            started = time.monotonic()
            responses = await asyncio.gather(*(client.post(body_of(f"frozen-{n}")) for n in range(60)))
        finally:
            kafka.thaw()

        statuses = [response.status_code for response in responses]
        assert time.monotonic() - started < ANSWER_S + 1
        assert set(statuses) <= {429, 503}
        assert 503 in statuses
        assert all(int(response.headers["retry-after"]) >= 1 for response in responses)
        await assert_accepted_soon(client, body_of("frozen-0"))


async def test_sigterm_ends_the_gateway_in_time_while_the_broker_is_frozen(
    kafka: KafkaProcess, registry_url: str, tmp_path: Path
) -> None:
    async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path) as client:
        kafka.freeze()
        try:
            post = asyncio.create_task(client.post(body_of("drained")))
            await wait_until(lambda: is_in_flight(client), PATIENCE_S, "the post in flight")
            code = await client.gateway.stop()
        finally:
            kafka.thaw()

        assert code == 0
        assert (await post).status_code == 503


async def is_in_flight(client: Client) -> bool:
    return "webhook_in_flight 1.0" in (await client.http.get(client.gateway.ops_url + "/metrics")).text


async def test_a_gateway_started_before_kafka_and_registry_serves_503_and_then_200(tmp_path: Path) -> None:
    kafka, registry = KafkaProcess(tmp_path / "kafka"), RegistryProcess(tmp_path / "registry")
    async with running_gateway(kafka.bootstrap_servers, registry.url, tmp_path, is_ready=False) as client:
        await assert_503_in_time(client, body_of("early"))
        reasons = (await client.readyz()).json()["reasons"]
        assert {reason.split(" at ")[0].split(":")[0] for reason in reasons} == {"Kafka", "schema registry"}
        try:
            await asyncio.to_thread(kafka.start)
            await wait_until(lambda: names_the_missing_topic(client), RECOVERY_S, "readyz to name the missing topic")
            await create_topics(kafka.bootstrap_servers)
            await assert_503_in_time(client, body_of("early"))
            await asyncio.to_thread(registry.start)
            await wait_until(lambda: names_the_missing_schema(client), RECOVERY_S, "readyz to name the missing schema")
            await register(registry.url)
            await assert_accepted_soon(client, body_of("early"))
        finally:
            await asyncio.to_thread(registry.stop)
            await asyncio.to_thread(kafka.stop)


async def register(registry_url: str) -> None:
    """What `topics apply` does at the registry."""
    registry = Registry(registry_url)
    try:
        await registry.register(TOPICS)
    finally:
        await registry.aclose()


async def names_the_missing_schema(client: Client) -> bool:
    response: httpx2.Response = await client.readyz()
    return f"{CALLBACKS.name}-value" in response.text and "topics apply" in response.text


async def names_the_missing_topic(client: Client) -> bool:
    response: httpx2.Response = await client.readyz()
    return CALLBACKS.name in response.text and "topics apply" in response.text
