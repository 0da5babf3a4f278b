"""The rights of `topics acls` are enough: with exactly these, every role does its work on a real broker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from schemas.topic_names import DECLARED
from schemas.topics import CALLS, WORKFLOW_OUTCOMES
from streams.topics.acls import ROLES, Deployment, Role, granted
from tests.support.deliveries import delivery, detail
from tests.support.processes.gateway import running_gateway
from tests.support.processes.secured_kafka import PASSWORD, Rule, SecuredKafka
from tests.support.processes.tools import Ran, run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import PATIENCE_S, wait_until

GROUP = "airudder-streams"
SUBSCRIBER_S = 30


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[SecuredKafka]:
    with SecuredKafka(tmp_path / "kafka", ROLES) as kafka:
        yield kafka


def allow(kafka: SecuredKafka, role: Role) -> None:
    for right in granted(role, Deployment(DECLARED, GROUP), "{role}").rights:
        operation = {"DescribeConfigs": "DESCRIBE_CONFIGS", "AlterConfigs": "ALTER_CONFIGS"}.get(right.operation)
        kafka.allow(
            Rule(role, operation or right.operation.upper(), right.resource.upper(), right.name, right.is_prefix)
        )


def environ(kafka: SecuredKafka, role: Role) -> dict[str, str]:
    """How a role comes to the broker."""
    return {
        "KAFKA_BOOTSTRAP_SERVERS": kafka.servers("SASL_PLAINTEXT"),
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_USERNAME": role,
        "KAFKA_SASL_PASSWORD": PASSWORD,
    }


async def test_with_exactly_these_rights_every_role_does_its_work(
    kafka: SecuredKafka, registry_url: str, tmp_path: Path
) -> None:
    system = WorkerSystem(kafka.bootstrap_servers, registry_url, tmp_path)

    async def tool(role: Role, *arguments: str) -> Ran:
        return await run(system, *arguments, **environ(kafka, role))

    assert (await tool("topics", "topics", "apply")).code == 69  # nobody may do anything yet
    for role in ROLES:
        allow(kafka, role)

    async def is_applied() -> bool:
        return (await tool("topics", "topics", "apply")).code == 0

    await wait_until(is_applied, PATIENCE_S, "the rules are known")
    assert (await tool("topics", "topics", "check")).code == 0
    async with system:
        async with running_gateway("", registry_url, tmp_path, is_ready=True, **environ(kafka, "gateway")) as client:
            answer = await client.post(json.dumps(delivery(detail("c1"))).encode())
            assert answer.status_code == 200
        await system.start_worker("w1", **environ(kafka, "worker"))
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 1)
        await wait_until_committed(system)
        commands: list[tuple[Role, list[str]]] = [
            ("monitor", ["lag"]),
            ("operator", ["recount"]),
            ("operator", ["dead-letters", "list"]),
        ]
        for role, arguments in commands:
            ran = await tool(role, *arguments)
            assert ran.code == 0, (role, arguments, ran)
        assert await first_call(kafka) is not None


async def first_call(kafka: SecuredKafka) -> bytes | None:
    """The first record of calls, as a subscriber reads it in a group of its own."""
    consumer = AIOKafkaConsumer(
        CALLS.name,
        bootstrap_servers=kafka.servers("SASL_PLAINTEXT"),
        security_protocol="SASL_PLAINTEXT",
        sasl_plain_username="subscriber",
        sasl_plain_password=PASSWORD,
        group_id="subscriber-of-calls",
        auto_offset_reset="earliest",
    )
    async with consumer, asyncio.timeout(SUBSCRIBER_S):
        record = await consumer.getone()
        await consumer.commit()
        return bytes(record.value) if record.value else None
