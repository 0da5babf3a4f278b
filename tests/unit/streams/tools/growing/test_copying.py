"""A copy goes on where it was cut off, keeps the order of each key, and refuses what would make the new set wrong."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas import codec
from schemas.codec import schema_text
from schemas.headers import REPLAYED_FROM
from schemas.placement import partition_of
from schemas.registry import Registry
from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CALLBACKS
from streams.errors import TopicsError
from streams.tools.growing.checks import check_marks, check_order
from streams.tools.growing.copying import CHUNK_RECORDS, COPIED, Copy, Target
from streams.tools.growing.marks import Mark
from tests.support.records import callback

NEXT = TopicNames("next.")
TP = TopicPartition(CALLBACKS.name, 0)
COUNT = 2 * CHUNK_RECORDS + 7


def stored(offset: int, value: bytes | None, key: bytes | None, headers: Any = ()) -> Any:
    return SimpleNamespace(topic=TP.topic, partition=0, offset=offset, key=key, value=value, headers=headers)


class Reader:
    """The callbacks of one partition."""

    def __init__(self, records: list[Any], names: TopicNames = DECLARED) -> None:
        self.names = names
        self._records = records

    async def records(self, starts: Mapping[Any, int], ends: Mapping[Any, int]) -> AsyncIterator[Any]:
        for record in self._records:
            if TP in ends and starts[TP] <= record.offset < ends[TP]:
                yield record

    async def beginnings(self, *topics: Any) -> dict[Any, int]:
        return {TP: 0}

    async def ends(self, *topics: Any) -> dict[Any, int]:
        return {TP: len(self._records)}


class Producer:
    """Acknowledges `left` records, then none."""

    def __init__(self, left: int = COUNT) -> None:
        self.left = left
        self.sent: list[Any] = []

    async def send(self, topic: str, value: Any, **more: Any) -> asyncio.Future[Any]:
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self.left -= 1
        if self.left < 0:
            future.set_exception(KafkaError("gone"))
        else:
            self.sent.append(SimpleNamespace(topic=topic, value=value, **more))
            future.set_result(None)
        return future


class Kept:
    """Marks in memory."""

    def __init__(self) -> None:
        self.marks: dict[TopicPartition, Mark] = {TP: Mark(0)}

    async def set(self, marks: Mapping[TopicPartition, Mark]) -> None:
        self.marks.update(marks)


@pytest.fixture
async def registry() -> AsyncIterator[Registry]:
    registry = Registry("http://127.0.0.1:1")
    for number, topic in enumerate(COPIED, 1):
        registry._ids[topic.name] = number
    registry._writers[1] = registry._writers[77] = codec.parse(schema_text("Callback"))
    yield registry
    await registry.aclose()


async def copy(records: list[Any], kept: Kept, producer: Producer, registry: Registry) -> int:
    reader: Any = Reader(records)
    target = Target(NEXT.all_of(COPIED), {topic.name: 24 for topic in COPIED}, registry, producer)
    marks: Any = kept
    counts = await Copy(reader, target, marks, lambda count: None, None).run(kept.marks, {TP: len(records)})
    return counts[CALLBACKS.name]


async def test_a_copy_that_was_cut_off_goes_on_and_repeats_one_chunk_at_most(registry: Registry) -> None:
    records = [stored(n, b"broken", b"key-%d" % (n % 50)) for n in range(COUNT)]
    kept, first, second = Kept(), Producer(CHUNK_RECORDS + 500), Producer()

    with pytest.raises(KafkaError):
        await copy(records, kept, first, registry)
    assert kept.marks == {TP: Mark(CHUNK_RECORDS, CHUNK_RECORDS)}
    assert await copy(records, kept, second, registry) == COUNT - CHUNK_RECORDS
    assert await copy(records, kept, second, registry) == 0

    origins = [dict(sent.headers)[REPLAYED_FROM] for sent in (*first.sent[:CHUNK_RECORDS], *second.sent)]
    assert origins == [b"airudder.callbacks.v1[0]@%d" % n for n in range(COUNT)]
    assert {sent.topic for sent in second.sent} == {"next.airudder.callbacks.v1"}
    assert all(sent.partition == partition_of(sent.key, 24) for sent in second.sent)


async def test_values_headers_and_records_without_a_key_stay_as_they_are(registry: Registry) -> None:
    ours, theirs = codec.encode(1, callback()), codec.encode(77, callback())
    headers = [("ce_id", b"1"), (REPLAYED_FROM, b"airudder.quarantine.v1[0]@3"), ("x", b"")]
    records = [stored(0, ours, b"k", headers), stored(1, theirs, b"k"), stored(2, None, None), stored(3, b"\x00", b"k")]
    producer = Producer()

    await copy(records, Kept(), producer, registry)

    assert [sent.value for sent in producer.sent] == [ours, ours, None, b"\x00"]
    assert producer.sent[0].headers == [
        ("ce_id", b"1"),
        ("x", b""),
        (REPLAYED_FROM, b"airudder.callbacks.v1[0]@0"),
    ]
    assert (producer.sent[2].key, producer.sent[2].partition) == (None, 0)


def test_a_target_that_was_made_anew_is_refused() -> None:
    marks = {TP: Mark(10, 10), TopicPartition("other", 0): Mark(99, 99)}
    ends = {TopicPartition(NEXT.of(CALLBACKS), 0): 10}
    check_marks(marks, CALLBACKS.name, ends)

    with pytest.raises(TopicsError, match=r"10 records were copied into next\.airudder\.callbacks\.v1, and it has 9"):
        check_marks(marks, CALLBACKS.name, dict.fromkeys(ends, 9))


@pytest.mark.parametrize(
    ("headers", "is_fine"),
    [
        ([(REPLAYED_FROM, b"airudder.callbacks.v1[0]@9")], True),
        ([(REPLAYED_FROM, b"former.airudder.callbacks.v1[0]@9")], True),
        ([(REPLAYED_FROM, b"next.airudder.quarantine.v1[0]@9")], False),
        ([("ce_id", b"1")], False),
    ],
)
async def test_a_callback_that_came_by_the_gateway_is_refused(headers: Any, is_fine: bool) -> None:
    reader: Any = Reader([stored(0, b"", b"k", headers)], NEXT)

    if is_fine:
        await check_order(reader)
    else:
        with pytest.raises(TopicsError, match="came by the gateway"):
            await check_order(reader)
