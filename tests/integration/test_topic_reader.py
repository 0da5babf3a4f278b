"""The reader of the tools on a real broker: order, bounds, and nothing created by a look."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from schemas.connection import KafkaConnection
from schemas.errors import MissingTopicsError, UnreadableTopicError
from schemas.reader import CLOCKS_DIFFER_MS, TopicReader, distance
from schemas.topics import CALLBACKS, Topic
from streams.local.ports import free_ports
from tests.conftest import StartKafka
from tests.support.topics import create_topics

HOUR_MS = int(timedelta(hours=1).total_seconds() * 1000)
T0 = 1_700_000_000_000


def topic_named(name: str) -> Topic:
    return replace(CALLBACKS, name=name)


@pytest.fixture
async def topic(kafka_bootstrap: str) -> Topic:
    """Two partitions whose records, appended at T0 + n hours by the sender's clock, alternate between them."""
    name = f"reader-{uuid4().hex[:8]}"
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka_bootstrap)
    await admin.start()
    times = {"message.timestamp.type": "CreateTime", "retention.ms": "-1"}
    await admin.create_topics([NewTopic(name, 2, 1, topic_configs=times)])
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=kafka_bootstrap)
    await producer.start()
    for number in range(8):
        at = T0 + number * HOUR_MS
        await producer.send_and_wait(name, str(number).encode(), partition=number % 2, timestamp_ms=at)
    await producer.stop()
    return topic_named(name)


async def values(reader: TopicReader, topic: Topic, **since: Any) -> list[int]:
    return [int(record.value or b"-1") async for record in reader.in_order(topic, **since)]


async def test_records_come_in_the_order_they_were_appended_whatever_their_partition(
    kafka_bootstrap: str, topic: Topic
) -> None:
    async with TopicReader(KafkaConnection(bootstrap_servers=kafka_bootstrap)) as reader:
        assert await values(reader, topic) == list(range(8))
        assert await values(reader, topic, since_ms=T0 + 5 * HOUR_MS + CLOCKS_DIFFER_MS) == [5, 6, 7]
        assert await values(reader, topic, since_ms=T0 + 900 * HOUR_MS) == []


async def test_offsets_tell_beginning_end_and_the_first_record_since_an_instant(
    kafka_bootstrap: str, topic: Topic
) -> None:
    async with TopicReader(KafkaConnection(bootstrap_servers=kafka_bootstrap), f"{topic.name}-group") as reader:
        begins, ends = await reader.beginnings(topic), await reader.ends(topic)
        since = await reader.appended_since(T0 + 7 * HOUR_MS, topic)
        read = [int(record.value or b"-1") async for record in reader.records(begins, dict.fromkeys(ends, 2))]

        assert (set(begins.values()), set(ends.values()), distance(begins, ends)) == ({0}, {4}, 8)
        assert {tp.partition: offset for tp, offset in since.items()} == {0: None, 1: 3}
        assert {tp.partition: at for tp, at in (await reader.first_appended_at(topic)).items()} == {
            0: T0,
            1: T0 + HOUR_MS,
        }
        assert sorted(read) == [0, 1, 2, 3]
        assert await reader.committed(topic) == begins


async def test_a_topic_that_is_not_there_is_named_and_not_created(kafka_bootstrap: str) -> None:
    missing = topic_named(f"reader-{uuid4().hex[:8]}")
    async with TopicReader(KafkaConnection(bootstrap_servers=kafka_bootstrap)) as reader:
        for _ in range(2):
            with pytest.raises(MissingTopicsError, match=f"topic {missing.name} is missing"):
                await reader.ends(missing)


async def test_a_broker_that_is_away_is_named() -> None:
    server = f"127.0.0.1:{free_ports(1)[0]}"
    with pytest.raises(UnreadableTopicError, match=f"Kafka at {server}: nobody listens there"):
        async with TopicReader(KafkaConnection(bootstrap_servers=server)):
            pass


async def test_one_that_follows_gets_what_comes_and_is_told_when_kafka_has_gone(
    start_kafka: StartKafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schemas.reader.QUIET_S", 0.2)
    monkeypatch.setattr("schemas.reader.ANSWER_TIMEOUT_S", 3.0)
    kafka = start_kafka()
    await create_topics(kafka.bootstrap_servers, 1)
    async with TopicReader(KafkaConnection(bootstrap_servers=kafka.bootstrap_servers)) as reader:
        following = reader.follow(await reader.ends(CALLBACKS))
        async with asyncio.timeout(60):
            coming = asyncio.ensure_future(anext(following))
            await write(kafka.bootstrap_servers, b"came")
            assert (await coming).value == b"came"

            await asyncio.to_thread(kafka.stop)
            with pytest.raises(UnreadableTopicError, match=kafka.bootstrap_servers):
                await anext(following)


async def write(bootstrap: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    await producer.send_and_wait(CALLBACKS.name, value)
    await producer.stop()
