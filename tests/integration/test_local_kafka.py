"""The local broker is a real one, and what it holds outlives it."""

from __future__ import annotations

import uuid

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer  # type: ignore[import-untyped]  # 0.14.0 ships no py.typed
from aiokafka.admin import AIOKafkaAdminClient, NewTopic  # type: ignore[import-untyped]

from streams.local.kafka import LocalKafka
from tests.conftest import StartKafka


async def create_topic(bootstrap_servers: str) -> str:
    topic = f"local-{uuid.uuid4().hex}"
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap_servers)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
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


async def test_a_client_produces_and_consumes_by_group(kafka_bootstrap: str) -> None:
    topic = await create_topic(kafka_bootstrap)

    await produce(kafka_bootstrap, topic, b"one")

    assert await consume(kafka_bootstrap, topic, 1) == [b"one"]


async def test_an_unknown_topic_is_not_created_by_accident(kafka_bootstrap: str) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap) as consumer:
        consumer.subscribe(["never-declared"])
        await consumer.getmany(timeout_ms=500)

        assert "never-declared" not in await consumer.topics()


async def test_records_and_cluster_id_outlive_a_stop_and_a_kill(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    cluster_id = kafka.cluster_id
    topic = await create_topic(kafka.bootstrap_servers)
    await produce(kafka.bootstrap_servers, topic, b"before the stop")

    kafka.stop()
    kafka.start()
    await produce(kafka.bootstrap_servers, topic, b"before the kill")
    kafka.kill()
    kafka.start()

    assert await consume(kafka.bootstrap_servers, topic, 2) == [b"before the stop", b"before the kill"]
    assert cluster_id
    assert cluster_id == kafka.cluster_id


def test_another_port_finds_the_same_cluster(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    kafka.stop()

    with LocalKafka(kafka.data_dir) as moved:
        assert (kafka.port, kafka.cluster_id) != (moved.port, None)
        assert kafka.cluster_id == moved.cluster_id
