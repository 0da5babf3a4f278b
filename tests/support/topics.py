"""Reading whole topics, and writing callbacks straight into theirs: for tests that look at Kafka itself."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.producer.message_accumulator import BatchBuilder
from aiokafka.record.util import calc_crc32c

from schemas import topics
from schemas.headers import TraceContext, headers_for
from schemas.records.types import TYPES
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.topic_names import TopicNames
from schemas.topics import Topic
from streams.settings import KafkaSettings, TopicSettings
from streams.topics.admin import apply_topics
from tests.support.provider import read_callback


async def create_topics(bootstrap: str, partitions: int = 3, prefix: str = "") -> None:
    """Every topic and changelog of one deployment, as `python -m streams topics apply` makes them. Repeat: safe."""
    kafka = KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=prefix)
    await apply_topics(TopicSettings(kafka=kafka, partitions=partitions, replication_factor=1))


@dataclass(frozen=True)
class Read:
    """One record as a subscriber sees it."""

    topic: str
    partition: int
    offset: int
    key: str
    value: Any
    raw: bytes | None
    headers: dict[str, bytes]

    @property
    def ce_id(self) -> str:
        """The record's own id."""
        return self.headers["ce_id"].decode()


class Subscriber:
    """Reads topics from their beginning to where they end now."""

    def __init__(self, bootstrap: str, registry: Registry, prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._names = TopicNames(prefix)
        self._registry = registry

    async def read(self, topic: Topic) -> list[Read]:
        """Every record of a topic, partition by partition."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await consumer.start()
        try:
            return [await self._decoded(topic, record) for record in await all_records(consumer, self._names.of(topic))]
        finally:
            await consumer.stop()

    async def _decoded(self, topic: Topic, record: Any) -> Read:
        kind = TYPES[topic.record]
        value = None if record.value is None else await self._registry.decode(record.value, kind)
        headers = dict(record.headers)
        return Read(
            record.topic,
            record.partition,
            record.offset,
            record.key.decode("utf-8", "surrogateescape"),
            value,
            record.value,
            headers,
        )


async def all_records(consumer: AIOKafkaConsumer, topic: str) -> list[Any]:
    """Every record of a topic as it stands, by partition and offset."""
    numbers = await consumer._client._wait_on_metadata(topic)
    partitions = [TopicPartition(topic, number) for number in sorted(numbers)]
    ends = await consumer.end_offsets(partitions)
    consumer.assign(partitions)
    await consumer.seek_to_beginning(*partitions)
    found: list[Any] = []
    while not all([await consumer.position(tp) >= ends[tp] for tp in partitions]):
        for fetched in (await consumer.getmany(timeout_ms=500)).values():
            found.extend(fetched)
    return sorted(found, key=lambda record: (record.partition, record.offset))


class _OddlyNamed(BatchBuilder):  # type: ignore[misc]  # aiokafka has no types
    ASKED, SENT = b"odd-name", b"odd\xff\xfeame"

    def _build(self) -> bytes:
        data = bytearray(super()._build().replace(self.ASKED, self.SENT))
        data[17:21] = calc_crc32c(bytes(data[21:])).to_bytes(4, "big")
        return bytes(data)


class CallbackWriter:
    """Writes deliveries into the callbacks topic as the gateway does, without HTTP in between."""

    def __init__(self, bootstrap: str, registry: Registry, prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._registry = registry
        self._names = TopicNames(prefix)
        self._producer: Any = None

    async def __aenter__(self) -> CallbackWriter:
        await self._registry.register([topics.CALLBACKS])
        self._producer = AIOKafkaProducer(bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True)
        await self._producer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._producer.stop()

    async def write(self, deliveries: Iterable[dict[str, Any]], received_at: int) -> list[Callback]:
        """Write deliveries (the provider's JSON) in order, all received at one time; returns what was written."""
        callbacks, sent = [], []
        for delivery in deliveries:
            callback = callback_of(delivery, received_at)
            key = (callback.details[0].call_id if callback.details else None) or callback.event_id
            headers = headers_for(
                "Callback", callback.event_id, "/airudder/gateway", received_at, TraceContext(callback.event_id[:32])
            )
            value = self._registry.encode(topics.CALLBACKS, callback)
            sent.append(
                await self._producer.send(self._names.of(topics.CALLBACKS), value, key=key.encode(), headers=headers)
            )
            callbacks.append(callback)
        for future in sent:
            await future
        return callbacks

    async def write_raw(self, value: bytes | None, key: bytes = b"poison", topic: Topic = topics.CALLBACKS) -> None:
        """Write any bytes."""
        await self._producer.send_and_wait(self._names.of(topic), value, key=key)

    async def write_with_odd_header(
        self, value: bytes, key: bytes = b"poison", topic: Topic = topics.CALLBACKS
    ) -> None:
        """Write any bytes with a header whose name is no UTF-8. Python's clients refuse one, so the batch is forged."""
        batch = _OddlyNamed(1_000_000, 0, is_transactional=False)
        batch.append(key=key, value=value, timestamp=None, headers=[(_OddlyNamed.ASKED.decode(), b"1")])
        await (await self._producer.send_batch(batch, self._names.of(topic), partition=0))


def callback_of(delivery: dict[str, Any], received_at: int) -> Callback:
    """The callback that the gateway would make of a delivery."""
    body = json.dumps(delivery, ensure_ascii=False).encode()
    return read_callback(
        body,
        event_id=sha256(body).hexdigest(),
        received_at=received_at,
        signature_scheme="hmac-sha256",
        signature_key_id="default",
    )
