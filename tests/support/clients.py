"""The least that a client of a broker or of a registry does, on a topic or subject of its own."""

from __future__ import annotations

import json
import urllib.request
import uuid
from collections.abc import Mapping

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

SCHEMA = {"type": "record", "name": "Call", "namespace": "airudder", "fields": [{"name": "id", "type": "string"}]}


async def create_topic(bootstrap_servers: str, config: Mapping[str, str] | None = None) -> str:
    """A topic of one partition under a new name, which is returned."""
    topic = f"local-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=dict(config or {}))])
    finally:
        await admin.close()
    return topic


async def produce(bootstrap_servers: str, topic: str, value: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap_servers, acks="all") as producer:
        await producer.send_and_wait(topic, value)


async def consume(bootstrap_servers: str, topic: str, count: int) -> list[bytes]:
    group = f"group-{uuid.uuid4().hex}"
    async with AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap_servers, group_id=group, auto_offset_reset="earliest"
    ) as consumer:
        return [(await consumer.getone()).value for _ in range(count)]


def call(url: str, body: object = None, method: str | None = None) -> object:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(
        url, data, {"Content-Type": "application/vnd.schemaregistry.v1+json"}, method=method
    )
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=20) as response:
        return json.load(response)


def register(url: str, subject: str, schema: object) -> int:
    answer = call(f"{url}/subjects/{subject}/versions", {"schema": json.dumps(schema)})
    assert isinstance(answer, dict)
    return int(answer["id"])
