"""The dead letters on Kafka: find them, plan a replay, send their records back.

A record goes back to the topic and partition where it was read, with its key, its value and its headers, and one header
more: see `decisions`.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import Any, Final

from schemas.errors import DecodeError
from schemas.headers import REPLAYED_FROM
from schemas.reader import Offsets, TopicReader
from schemas.records.kept import DeadLetter
from schemas.registry import Registry
from schemas.topics import DEAD_LETTERS, TOPICS, Topic
from streams.rules.dimensions import DIMENSIONS
from streams.tools.dead_letters.decisions import CLOCKS_DIFFER_MS, Failure, ReplayMarks, ReplayPlan, decision_on
from streams.tools.dead_letters.letters import LetterFilter, Origin, headers_again, origin_of
from streams.tools.kafka import pace

AT_ONCE: Final = 100
BATCHES_A_SECOND: Final = 10
INTERNAL: Final = tuple(dimension.changes for dimension in DIMENSIONS)

SourceMarks = dict[tuple[str, int], ReplayMarks]


class DeadLetters:
    """The letters of one deployment. `on_progress` is called for every record read or sent.

    letters, unreadable: how many records the last `find` read, and how many of them it could not decode.
    """

    def __init__(self, reader: TopicReader, registry: Registry, on_progress: Callable[[], None] = lambda: None) -> None:
        self._reader = reader
        self._registry = registry
        self._on_progress = on_progress
        self.letters = 0
        self.unreadable = 0

    async def find(self, wanted: LetterFilter, ends: Offsets | None = None) -> AsyncIterator[DeadLetter]:
        """The letters that match, in order within a partition, up to `ends` or where the topic ends now."""
        starts = await self._reader.beginnings(DEAD_LETTERS)
        self.unreadable = self.letters = 0
        async for record in self._reader.records(starts, ends or await self._reader.ends(DEAD_LETTERS)):
            self._on_progress()
            self.letters += 1
            try:
                if record.value is None:
                    raise DecodeError("the value is null")
                letter = await self._registry.decode(record.value, DeadLetter)
            except DecodeError:
                self.unreadable += 1
                continue
            if wanted.matches(letter):
                yield letter

    async def plan(self, wanted: LetterFilter, ends: Offsets, *, again: bool) -> ReplayPlan:
        """What a replay does with each letter that matches."""
        partitions = {(tp.topic, tp.partition) for tp in await self._reader.partitions(*TOPICS)}
        failures: dict[Origin, Failure] = {}
        async for letter in self.find(wanted, ends):
            origin = origin_of(letter)
            can_be_sent = (letter.key, letter.value) != (None, None) and origin[:2] in partitions
            is_internal = self._reader.names.topic(origin.topic) in INTERNAL
            failures.setdefault(origin, Failure(origin, letter.failed_at, can_be_sent, letter.is_cut, is_internal))
        marks = {} if again else await self._marks_for([f for f in failures.values() if f.can_be_sent])
        return ReplayPlan(
            {
                origin: decision_on(failure, marks.get(origin[:2], ReplayMarks()), wanted, again=again)
                for origin, failure in failures.items()
            }
        )

    async def replay(
        self, wanted: LetterFilter, ends: Offsets, due: set[Origin], producer: Any, rate: float | None = None
    ) -> int:
        """Send each record in `due` once, in order. Returns how many the broker has acknowledged: all of them.

        rate: at most so many a second. Removes from `due` what is acknowledged.
        Raises: aiokafka's errors when one is not acknowledged. Repeat: safe; it goes on from there.
        """
        size = AT_ONCE if rate is None else max(1, min(AT_ONCE, int(rate / BATCHES_A_SECOND)))
        total, free_at = len(due), time.monotonic()
        batch: dict[Origin, DeadLetter] = {}
        async for letter in self.find(wanted, ends):
            if origin_of(letter) in due:
                batch.setdefault(origin_of(letter), letter)
            if len(batch) == size:
                free_at = await pace(free_at, size, rate)
                await self._send(batch.values(), producer, due)
                batch = {}
        await pace(free_at, len(batch), rate)
        await self._send(batch.values(), producer, due)
        return total - len(due)

    async def _send(self, letters: Iterable[DeadLetter], producer: Any, due: set[Origin]) -> None:
        """Send, await every acknowledgement, then raise the first error."""
        sent = [(origin_of(letter), await self._hand_over(letter, producer)) for letter in letters]
        results = await asyncio.gather(*(future for _, future in sent), return_exceptions=True)
        errors = [result for result in results if isinstance(result, BaseException)]
        due.difference_update(o for (o, _), r in zip(sent, results, strict=True) if not isinstance(r, BaseException))
        if errors:
            raise errors[0]

    async def _hand_over(self, letter: DeadLetter, producer: Any) -> Any:
        self._on_progress()
        return await producer.send(
            letter.source_topic,
            letter.value,
            key=letter.key,
            partition=letter.source_partition,
            headers=headers_again(letter),
        )

    async def _marks_for(self, failures: Sequence[Failure]) -> SourceMarks:
        """The marks in the source partitions of these failures."""
        found: SourceMarks = {}
        for topic in TOPICS:
            name = self._reader.names.of(topic)
            if times := [failure.failed_at for failure in failures if failure.origin.topic == name]:
                found |= await self._marks(topic, min(times) - CLOCKS_DIFFER_MS)
        return found

    async def _marks(self, topic: Topic, since_ms: int) -> SourceMarks:
        ends = await self._reader.ends(topic)
        appended = await self._reader.appended_since(since_ms, topic)
        starts = {tp: ends[tp] if offset is None else offset for tp, offset in appended.items()}
        marks: dict[int, set[str]] = {tp.partition: set() for tp in ends}
        async for record in self._reader.records(starts, ends):
            self._on_progress()
            named = (value.decode("latin-1") for name, value in record.headers if name == REPLAYED_FROM)
            marks[record.partition].update(named)
        beginnings = await self._reader.beginnings(topic)
        firsts = await self._reader.first_appended_at(topic)
        now_ms = time.time_ns() // 1_000_000
        since = {tp: (firsts[tp] or now_ms) if beginning > 0 else None for tp, beginning in beginnings.items()}
        return {(tp.topic, tp.partition): ReplayMarks(frozenset(marks[tp.partition]), since[tp]) for tp in ends}
