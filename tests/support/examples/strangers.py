"""What a subscriber meets once in five years: repeats, stale revisions, new words, a newer schema, bytes of nobody."""

from __future__ import annotations

import json
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

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

PARTITIONS: Final = 12
POISON: Final = (b"not avro", b"\x00\x7f\xff\xff\xffunknown schema", b"", None)
NEW_FIELD: Final = {"name": "added_later", "type": ["null", "string"], "default": None}
NEW_WORDS: Final = {"disposition": "teleported", "state": "daydreamed", "dispositions": {"teleported": 1}}
OWNERS: Final = {"Call": "call_id", "Answer": "call_id", "CallAttempt": "final_call_id", "WindowedOutcomes": "value"}


async def write_strangers(bootstrap: str, registry: Registry, registry_url: str, topic: Topic) -> frozenset[str]:
    """Write all of it to a topic; returns the `ce_id` of the last good record, one for each partition."""
    found = [read for read in await Subscriber(bootstrap, registry).read(topic) if _is_ours(read)]
    assert found, f"no record of ours in {topic.name}"
    await registry.look_up([topic])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", compression_type="zstd") as producer:
        stranger = _Stranger(producer, registry, topic, found[0].value)
        await stranger.repeat(found)
        await stranger.write_poison()
        await stranger.write("new-words", **stranger.new_words())
        await stranger.write("synthetic", headers=stranger.headers("synthetic", synthetic=True))
        await stranger.write("newer", value=stranger.newer(registry_url))
        await stranger.write("stale", revision=2)
        await stranger.write("stale", headers=stranger.headers("stale-1"))
        for number in range(PARTITIONS):
            await stranger.write(f"sentinel-{number}", partition=number)
    return frozenset(stranger.id_of(f"sentinel-{number}") for number in range(PARTITIONS))


def _is_ours(read: Read) -> bool:
    """Not of the demo."""
    return "ex-" in read.key or "wf-1" in read.key or "LINE_1" in read.key


@dataclass(frozen=True)
class _Stranger:
    """Writes to one topic; the records are `template` under other names, as their first revision."""

    producer: Any
    registry: Registry
    topic: Topic
    template: Record

    async def write(
        self,
        name: str,
        *,
        value: bytes | None = None,
        headers: list[tuple[str, bytes]] | None = None,
        partition: int | None = None,
        **changes: Any,
    ) -> None:
        """One record under that key: the template with these changes, unless other bytes are given."""
        wire = self.registry.encode(self.topic, self.named(name, **changes)) if value is None else value
        named = self.headers(name) if headers is None else headers
        await self.producer.send_and_wait(
            self.topic.name, wire, key=self._key(name), headers=named, partition=partition
        )

    async def repeat(self, found: Sequence[Read]) -> None:
        """Each record once more, as it is."""
        for read in found:
            headers = list(read.headers.items())
            await self.producer.send_and_wait(self.topic.name, read.raw, key=read.key.encode(), headers=headers)

    async def write_poison(self) -> None:
        """What no reader can take: no Avro, no known schema, nothing at all, cut short, or without an id of its own."""
        for number, value in enumerate(POISON):
            name = f"poison-{number}"
            for headers in ([], self.headers(name)):
                await self.producer.send_and_wait(self.topic.name, value, key=name.encode(), headers=headers)
        await self.write("cut", value=self.registry.encode(self.topic, self.named("cut"))[:-3])
        await self.write("nameless", headers=[])

    def named(self, name: str, **changes: Any) -> Record:
        return msgspec.structs.replace(self.template, **{OWNERS[self.topic.record]: name, "revision": 1, **changes})

    def new_words(self) -> dict[str, Any]:
        """What to change: words that nobody knows, in the fields that it has."""
        return {name: word for name, word in NEW_WORDS.items() if hasattr(self.template, name)}

    def headers(self, name: str, *, synthetic: bool = False) -> list[tuple[str, bytes]]:
        trace = TraceContext("1" * 32)
        return headers_for(self.topic.record, self.id_of(name), "/stranger", 0, trace, synthetic=synthetic)

    def id_of(self, name: str) -> str:
        return f"{name} of {self.topic.name}".encode().hex()

    def newer(self, registry_url: str) -> bytes:
        """A record of a schema with one field more, which the registry's rule allows."""
        schema = json.loads(schema_text(self.topic.record))
        schema["fields"].append(NEW_FIELD)
        buffer = BytesIO(struct.pack(">bI", 0, register(registry_url, self.topic.subject, schema)))
        buffer.seek(0, 2)
        datum = {**self.named("newer").to_datum(), "added_later": "x"}
        fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), datum)
        return buffer.getvalue()

    def _key(self, name: str) -> bytes:
        start = getattr(self.template, "window_start_at", None)
        return (name if start is None else f"{name}|{start}").encode()
