"""One record of a real topic: decoded and masked, or the reason why not; never what no reader gets."""

from __future__ import annotations

import json
import struct
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewTopic, RecordsToDelete

from schemas.connection import RegistryConnection
from schemas.records.kept import DeadLetter
from schemas.registry import Registry
from schemas.topics import CALLBACKS, DEAD_LETTERS, Topic
from streams.monitor.errors import NotFoundError, NotReadyError
from streams.monitor.lag.readings import Partition
from streams.monitor.records.one import RecordReader
from streams.monitor.records.one_view import record_view
from streams.monitor.settings import MonitorSettings
from streams.settings import KafkaSettings
from streams.topics.masking import MASK
from tests.support.clients import register
from tests.support.processes.monitor import admin_client, kafka_producer
from tests.support.records import callback, detail
from tests.support.waiting import wait_until

DECIDED_WITHIN_S = 15
CALLEE, SAID = "+8610000000021", "I have moved to Elm Street"
HEADERS = [("ce_id", b"0123456789abcdef"), ("x-phone", CALLEE.encode()), (CALLEE, b"1")]


class Set:
    """A set of topics under a prefix of this test, its registry, and the reader under test."""

    def __init__(self, bootstrap: str, registry_url: str) -> None:
        prefix = f"r{uuid.uuid4().hex[:8]}."
        kafka = KafkaSettings(bootstrap_servers=bootstrap, topic_prefix=prefix)
        connection = RegistryConnection(url=registry_url, topic_prefix=prefix)
        self.bootstrap, self.prefix, self.url = bootstrap, prefix, registry_url
        self.registry = Registry(connection)
        self.reader = RecordReader(MonitorSettings(kafka=kafka, registry=connection))
        self.name = kafka.names.of(CALLBACKS)
        self.names = kafka.names

    async def create(self) -> None:
        async with admin_client(self.bootstrap) as admin:
            topics = (CALLBACKS, DEAD_LETTERS)
            await admin.create_topics(
                [NewTopic(self.names.of(topic), 2, 1, topic_configs=topic.config()) for topic in topics]
            )
        await self.registry.register(topics)

    async def aclose(self) -> None:
        await self.reader.aclose()
        await self.registry.aclose()

    async def send(self, value: bytes | None, topic: Topic = CALLBACKS, partition: int = 1) -> int:
        async with kafka_producer(self.bootstrap) as producer:
            sent = await producer.send_and_wait(
                self.names.of(topic), value, CALLEE.encode(), partition=partition, headers=HEADERS
            )
            return int(sent.offset)

    async def view(self, offset: int, topic: Topic = CALLBACKS, partition: int = 1) -> dict[str, Any]:
        found = await self.reader.read(Partition(self.names.of(topic), partition), offset)
        return record_view(found, 0)


@pytest.fixture
async def topics(kafka_bootstrap: str, registry_url: str) -> AsyncIterator[Set]:
    found = Set(kafka_bootstrap, registry_url)
    await found.create()
    yield found
    await found.aclose()


def good(topics: Set) -> bytes:
    return topics.registry.encode(
        CALLBACKS, callback(detail(callee=CALLEE, variables={"address": SAID}), workflow_id="wf-9")
    )


async def test_a_record_is_decoded_with_what_is_personal_masked(topics: Set) -> None:
    data = good(topics)
    offset = await topics.send(data)
    view = await topics.view(offset)
    record = view["record"]

    assert (view["begin_offset"], view["end_offset"], view["absent"]) == (0, 1, None)
    assert (record["schema_id"], record["schema_name"]) == (topics.registry.id_of(CALLBACKS), "airudder.Callback")
    assert (record["value_bytes"], record["key_bytes"], record["error"]) == (len(data), len(CALLEE), None)
    assert record["headers"] == [
        {"name": "ce_id", "value": "0123456789abcdef"},
        {"name": MASK, "value": MASK},
        {"name": MASK, "value": MASK},
    ]
    assert (record["value"]["workflow_id"], record["value"]["details"][0]["callee"]) == ("wf-9", MASK)
    assert not {CALLEE, SAID} & set(json.dumps(view).split('"'))


async def test_a_record_that_cannot_be_decoded_says_why(topics: Set) -> None:
    data = good(topics)
    other = register(
        topics.url,
        f"{topics.prefix}other-value",
        {"type": "record", "name": "Other", "fields": [{"name": "phone", "type": "string"}]},
    )
    broken = {
        "unknown": struct.pack(">bI", 0, 2_000_000_000) + data[5:],
        "truncated": data[:-9],
        "more": data + b"xx",
        "text": b'{"phone": "' + CALLEE.encode() + b'"}',
        "short": b"\0",
    }
    views = {name: (await topics.view(await topics.send(value)))["record"] for name, value in broken.items()}
    said = {name: (view["error"]["code"], view["error"]["detail"]) for name, view in views.items()}
    foreign = await topics.view(await topics.send(struct.pack(">bI", 0, other) + b"\x1a" + CALLEE.encode()[:13]))
    tombstone = (await topics.view(await topics.send(None)))["record"]

    assert said["unknown"] == ("unknown_schema", "the schema registry does not know this id")
    assert said["truncated"] == ("undecodable", "the bytes end before the record does: it is truncated")
    assert said["more"] == ("undecodable", "2 bytes are left over after the record")
    assert "first byte is 0x7b" in said["text"][1]
    assert "1 bytes are too few" in said["short"][1]
    assert [views[name]["schema_id"] for name in broken] == [
        2_000_000_000,
        *[topics.registry.id_of(CALLBACKS)] * 2,
        None,
        None,
    ]
    assert foreign["record"]["value"] == {"phone": MASK}
    assert foreign["record"]["schema_name"] == "Other"
    assert (tombstone["value"], tombstone["value_bytes"], tombstone["error"]) == (None, None, None)


async def test_what_strangers_sent_in_a_dead_letter_stays_hidden(topics: Set) -> None:
    letter = DeadLetter(
        source_topic="t",
        source_partition=0,
        source_offset=7,
        key=CALLEE.encode(),
        value=SAID.encode(),
        headers={CALLEE: CALLEE.encode()},
    )
    offset = await topics.send(topics.registry.encode(DEAD_LETTERS, letter), DEAD_LETTERS)
    value = (await topics.view(offset, DEAD_LETTERS))["record"]["value"]

    assert value["source_offset"] == 7
    assert (value["key"], value["value"], value["headers"]) == (MASK, MASK, MASK)
    assert CALLEE not in json.dumps(value)


async def test_what_no_reader_gets_is_not_shown_and_what_follows_is(topics: Set) -> None:
    data = good(topics)
    producer = AIOKafkaProducer(bootstrap_servers=topics.bootstrap, transactional_id=topics.prefix)
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(topics.name, data, partition=1)
        undecided = await topics.view(0)
        await producer.abort_transaction()
    finally:
        await producer.stop()
    last = await topics.send(data)

    async def is_decided() -> bool:
        return (await topics.view(0))["record"] is not None

    await wait_until(is_decided, DECIDED_WITHIN_S, "the transaction has ended")
    aborted, later = await topics.view(0), await topics.view(last + 1)
    async with admin_client(topics.bootstrap) as admin:
        await admin.delete_records({TopicPartition(topics.name, 1): RecordsToDelete(before_offset=last)})
    # a new reader: one that has just looked keeps its answer for a while
    topics.reader, before = RecordReader(topics.reader._settings), topics.reader
    await before.aclose()
    removed = await topics.view(0)

    assert (undecided["record"], "transaction has not ended" in undecided["absent"]) == (None, True)
    assert (aborted["record"]["offset"], "aborted" in aborted["absent"]) == (last, True)
    assert (later["record"], later["absent"] is None) == (None, False)
    assert (removed["begin_offset"], removed["record"]["offset"], "retention" in removed["absent"]) == (
        last,
        last,
        True,
    )


async def test_what_is_not_ours_or_not_there_is_not_read(topics: Set) -> None:
    with pytest.raises(NotFoundError, match="no topic of ours"):
        await topics.reader.read(Partition("billing", 0), 0)
    with pytest.raises(NotFoundError, match="no topic of ours"):
        await topics.reader.read(Partition(CALLBACKS.name, 0), 0)
    with pytest.raises(NotFoundError, match="has no partition 2"):
        await topics.view(0, partition=2)


async def test_without_kafka_it_says_so() -> None:
    reader = RecordReader(MonitorSettings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1")))
    with pytest.raises(NotReadyError, match=r"127\.0\.0\.1:1"):
        await reader.read(Partition(CALLBACKS.name, 0), 0)
    await reader.aclose()
