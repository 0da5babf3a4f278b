"""Finds every record of one call: by its key where the key says the partition, and by its bytes elsewhere."""

import base64
import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any, Final, NamedTuple

from aiokafka import TopicPartition

from schemas.placement import partition_of
from schemas.reader import Offsets, TopicReader
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    QUARANTINE,
    REKEYED_DETAILS,
    Topic,
)
from streams.tools.selecting import CALL, names
from streams.topics.decoding import Decoded, Decoder

BY_KEY: Final = (CALLBACKS, REKEYED_DETAILS, CALLS, ANSWERS, CALL_ATTEMPTS, LATE_CALLS)
BY_BYTES: Final = (DEAD_LETTERS, QUARANTINE)


class Searched(NamedTuple):
    """How far one topic was searched: records and partitions, and how many partitions it has."""

    records: int = 0
    partitions: int = 0
    of: int = 0


class CallSearch:
    """One search. from_ms: records appended before are passed over; None: everything that is there."""

    def __init__(
        self, reader: TopicReader, decoder: Decoder, call_id: str, from_ms: int | None, advance: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._decoder = decoder
        self._call_id = call_id
        self._from_ms = from_ms
        self._advance = advance
        self.found: dict[Topic, list[Decoded]] = {topic: [] for topic in (*BY_KEY, *BY_BYTES)}
        self.searched: dict[Topic, Searched] = {}
        self.dial_of: set[str] = set()  # calls that have it as the id of an earlier dial

    async def run(self) -> None:
        """Search what the key says, then what nobody can know by the key. Raises: the errors of a TopicReader."""
        await self._read(BY_KEY, await self._of_key(BY_KEY, self._call_id))
        await self._read(BY_BYTES, set(await self._reader.partitions(*BY_BYTES)))
        if self._is_origin_unknown():
            await self.widen()

    async def widen(self) -> None:
        """Search the callbacks of other keys: the call may be a later detail of them."""
        others = set(await self._reader.partitions(CALLBACKS)) - await self._of_key((CALLBACKS,), self._call_id)
        await self._read((CALLBACKS,), others)

    async def window(self, topic: Topic, key: str) -> Decoded | None:
        """The latest state of one window; None when it is not there."""
        latest: Decoded | None = None
        starts = await self._starts((topic,))
        ends = await self._reader.ends(topic)
        places = await self._of_key((topic,), key)
        async for stored in self._reader.records(_only(starts, places), _only(ends, places)):
            self._advance()
            if stored.key == key.encode():
                latest = await self._decoder.decode(topic, stored)
        return latest

    def _is_origin_unknown(self) -> bool:
        """Whether a delivery is missing that some record came from, or all of them."""
        deliveries = _event_ids(self.found[CALLBACKS])
        return not deliveries or bool(_event_ids(self.found[REKEYED_DETAILS]) - deliveries)

    async def _read(self, topics: Collection[Topic], places: set[TopicPartition]) -> None:
        starts, ends = await self._starts(topics), await self._reader.ends(*topics)
        counts: Counter[str] = Counter()
        by_name = {self._reader.names.of(topic): topic for topic in topics}
        async for stored in self._reader.records(_only(starts, places), _only(ends, places)):
            self._advance()
            counts[stored.topic] += 1
            topic = by_name[stored.topic]
            if self._may_be(topic, stored.key, stored.value):
                decoded = await self._decoder.decode(topic, stored)
                if self._is(topic, decoded):
                    self.found[topic].append(decoded)
        for name, topic in by_name.items():
            before = self.searched.get(topic, Searched())
            read = sum(place.topic == name for place in places)
            of = sum(place.topic == name for place in ends)
            self.searched[topic] = Searched(before.records + counts[name], before.partitions + read, of)

    def _may_be(self, topic: Topic, key: bytes | None, value: bytes | None) -> bool:
        """Whether it is worth decoding: under the call's key, or with its call_id among the bytes."""
        call_id = self._call_id.encode()
        if key == call_id:
            return True
        return (call_id if topic == QUARANTINE else _avro_text(call_id)) in (value or b"")

    def _is(self, topic: Topic, decoded: Decoded) -> bool:
        if decoded.key == self._call_id or topic == DEAD_LETTERS:
            return True
        if topic == QUARANTINE:
            return self._call_id in _call_ids_of_body(decoded)
        if self._call_id in names(decoded.value or {}, CALL):
            return True
        self.dial_of.update(_calls_with_dial(decoded, self._call_id))
        return False

    async def _of_key(self, topics: Collection[Topic], key: str) -> set[TopicPartition]:
        places = await self._reader.partitions(*topics)
        counts = Counter(place.topic for place in places)
        return {place for place in places if place.partition == partition_of(key.encode(), counts[place.topic])}

    async def _starts(self, topics: Collection[Topic]) -> Offsets:
        if self._from_ms is None:
            return await self._reader.beginnings(*topics)
        ends = await self._reader.ends(*topics)
        since = await self._reader.appended_since(self._from_ms, *topics)
        return {place: ends[place] if offset is None else offset for place, offset in since.items()}


def _only(offsets: Offsets, places: set[TopicPartition]) -> Offsets:
    return {place: offset for place, offset in offsets.items() if place in places}


def _event_ids(records: list[Decoded]) -> set[Any]:
    return {(record.value or {}).get("event_id") for record in records}


def _avro_text(text: bytes) -> bytes:
    """The text as Avro writes it: its length as a zigzag varint before it, so that no longer id has it within."""
    number, length = len(text) * 2, b""
    while number > 0x7F:
        length, number = length + bytes([number & 0x7F | 0x80]), number >> 7
    return length + bytes([number]) + text


def _calls_with_dial(decoded: Decoded, dial_id: str) -> Iterator[str]:
    """The calls of a callback whose redials have this id."""
    for detail in (decoded.value or {}).get("details") or []:
        if any(redial.get("call_id") == dial_id for redial in detail.get("redial_calls") or []):
            yield detail["call_id"]


def _call_ids_of_body(decoded: Decoded) -> set[str]:
    """The call_ids that a refused body names; those of one that is no JSON cannot be told apart, so none."""
    try:
        document = json.loads(base64.b64decode((decoded.value or {}).get("body", "")))
    except (ValueError, RecursionError):
        return set()
    return set(_ids_within(document))


def _ids_within(document: Any) -> Iterator[str]:
    parts = [document, *(document.get("details") or [])] if isinstance(document, dict) else []
    for part in parts:
        if isinstance(part, dict) and isinstance(part.get("call_id"), str | int):
            yield str(part["call_id"])
