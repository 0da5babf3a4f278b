"""What a subscriber meets once in five years: repeats, stale revisions, new words, a newer schema, bytes of nobody."""

from __future__ import annotations

import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from io import BytesIO
from typing import Any

import fastavro
import msgspec
from aiokafka import AIOKafkaProducer

from schemas.codec import schema_text
from schemas.headers import TraceContext, headers_for
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import Topic
from tests.support.clients import register
from tests.support.topics import Read, Subscriber

NEW_FIELD = {"name": "added_later", "type": ["null", "string"], "default": None}
POISON = (b"not avro", b"\x00\x7f\xff\xff\xffunknown schema", b"", None)
PARTITIONS = 12


async def write_strangers(bootstrap: str, registry: Registry, registry_url: str, topic: Topic) -> frozenset[str]:
    """Write all of it to a topic; returns the `ce_id` of the last good record, one for each partition."""
    found = [read for read in await Subscriber(bootstrap, registry).read(topic) if _is_ours(read)]
    assert found, f"no record of ours in {topic.name}"
    await registry.look_up([topic])
    newer_id, newer = _register_newer(registry_url, topic)
    async with _writer(bootstrap) as producer:
        for read in found:
            await producer.send_and_wait(
                topic.name, read.raw, key=read.key.encode(), headers=list(read.headers.items())
            )
        for number, value in enumerate(POISON):
            await producer.send_and_wait(topic.name, value, key=f"poison-{number}".encode())
        wire = registry.encode(topic, found[0].value)
        await producer.send_and_wait(topic.name, wire[:-3], key=b"cut", headers=_headers(topic, "cut"))
        for name, record in _changed(found[-1].value):
            headers = _headers(topic, name, synthetic=name == "synthetic")
            await producer.send_and_wait(topic.name, registry.encode(topic, record), key=name.encode(), headers=headers)
        value = _encoded(newer_id, newer, {**found[-1].value.to_datum(), "added_later": "x"})
        await producer.send_and_wait(topic.name, value, key=b"newer", headers=_headers(topic, "newer"))
        await _write_stale(producer, registry, topic, found)
        return await _write_sentinels(producer, registry, topic, found[0].value)


def _is_ours(read: Read) -> bool:
    """Not of the demo."""
    return "ex-" in read.key or "wf-1" in read.key or "LINE_1" in read.key


def _changed(record: Record) -> list[tuple[str, Record]]:
    """Records with another key each: a word that nobody knows, and one of a probe."""
    words = {"disposition": "teleported", "state": "daydreamed", "dispositions": {"teleported": 1}}
    known = {name: word for name, word in words.items() if hasattr(record, name)}
    return [("new-words", msgspec.structs.replace(record, **known)), ("synthetic", record)]


async def _write_stale(producer: Any, registry: Registry, topic: Topic, found: list[Read]) -> None:
    """A lower revision after the higher one, under an id that was not there yet."""
    latest = found[-1]
    if not hasattr(latest.value, "revision"):
        return
    for name, revision in (("stale-2", 2), ("stale-1", 1)):
        record = msgspec.structs.replace(latest.value, revision=revision)
        await producer.send_and_wait(
            topic.name, registry.encode(topic, record), key=b"stale", headers=_headers(topic, name)
        )


async def _write_sentinels(producer: Any, registry: Registry, topic: Topic, record: Record) -> frozenset[str]:
    names = [f"sentinel-{number}" for number in range(PARTITIONS)]
    for number, name in enumerate(names):
        value = registry.encode(topic, record)
        headers = _headers(topic, name)
        await producer.send_and_wait(topic.name, value, key=name.encode(), partition=number, headers=headers)
    return frozenset(_id(topic, name) for name in names)


def _id(topic: Topic, name: str) -> str:
    return f"{name}-of-{topic.name}".encode().hex()


def _headers(topic: Topic, name: str, *, synthetic: bool = False) -> list[tuple[str, bytes]]:
    identity = _id(topic, name)
    return headers_for(topic.record, identity, "/stranger", 0, TraceContext("1" * 32), synthetic=synthetic)


def _register_newer(registry_url: str, topic: Topic) -> tuple[int, Any]:
    """Our schema with one field more, which the registry's rule allows."""
    schema = json.loads(schema_text(topic.record))
    newer = {**schema, "fields": [*schema["fields"], NEW_FIELD]}
    return register(registry_url, topic.subject, newer), fastavro.parse_schema(newer)


def _encoded(schema_id: int, schema: Any, datum: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    buffer.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(buffer, schema, datum)
    return buffer.getvalue()


@asynccontextmanager
async def _writer(bootstrap: str) -> AsyncIterator[Any]:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="zstd") as producer:
        yield producer
