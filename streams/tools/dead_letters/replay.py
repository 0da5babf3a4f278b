"""`python -m streams dead-letters list|replay`: what could not be processed, and giving it to the worker again.

A replayed record goes back to the topic and partition where it was read, key, value and headers as they were, with one
header more: `replayed_from: topic[partition]@offset` of the record that failed. That header is the mark: it is written
with the record, so there is no moment in which a record is sent but not marked, nor the other way round. A second
replay reads the source topic and leaves out whatever is marked there. Left out are also
- `unsure`: the source topic no longer reaches back to the failure, so who can tell (--again sends all);
- `internal`: a window change, which the worker could take for a repeat of its own (sent when its topic is named);
- `impossible`: neither key nor value, or no such partition any more;
- `cut`: the record was too large to be kept whole, and half a record must not be processed: the whole one stands at its
  origin, for as long as that topic keeps it.
Nothing here prints a value, a key or a header: they hold personal data.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from enum import Enum
from typing import Any, Final, NamedTuple

from schemas.errors import DecodeError
from schemas.headers import Headers, rfc3339
from schemas.reader import Offsets, TopicReader
from schemas.records.kept import DeadLetter
from schemas.registry import Registry
from schemas.topics import BY_NAME, DEAD_LETTERS, OUTCOMES_BY_SIP_LINE, OUTCOMES_BY_WORKFLOW, Topic

REPLAYED_FROM: Final = "replayed_from"
AT_ONCE: Final = 100
BATCHES_A_SECOND: Final = 10
CLOCKS_DIFFER_MS: Final = 60 * 60 * 1000
INTERNAL: Final = frozenset((OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name))
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class Origin(NamedTuple):
    """Where a failed record was read. Written as `topic[partition]@offset`."""

    topic: str
    partition: int
    offset: int

    def __str__(self) -> str:
        return f"{self.topic}[{self.partition}]@{self.offset}"


class Filter(NamedTuple):
    """Which letters; None: any. They failed in [from_ms, until_ms), epoch ms."""

    reason: str | None = None
    topic: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None

    def matches(self, letter: DeadLetter) -> bool:
        """True when this letter is wanted."""
        return (
            self.reason in (None, letter.reason)
            and self.topic in (None, letter.source_topic)
            and (self.from_ms is None or letter.failed_at >= self.from_ms)
            and (self.until_ms is None or letter.failed_at < self.until_ms)
        )


class Line(NamedTuple):
    """One letter as it may be printed. `value_bytes`: None for a record without a value."""

    failed_at: str
    origin: Origin
    value_bytes: int | None
    reason: str
    detail: str


class Fate(Enum):
    """What becomes of a letter in a replay."""

    DUE = "due"
    REPLAYED = "replayed before"
    UNSURE = "unsure"
    INTERNAL = "internal"
    IMPOSSIBLE = "impossible"
    CUT = "cut, the whole record is at its origin only"


class Plan(NamedTuple):
    """What a replay would do, by origin: several letters of one record are one."""

    fates: dict[Origin, Fate]

    @property
    def due(self) -> set[Origin]:
        """What would be sent."""
        return {origin for origin, fate in self.fates.items() if fate is Fate.DUE}

    def counts(self) -> Counter[Fate]:
        """How many of each."""
        return Counter(self.fates.values())


def origin_of(letter: DeadLetter) -> Origin:
    """Where the failed record was read."""
    return Origin(letter.source_topic, letter.source_partition, letter.source_offset)


def line_of(letter: DeadLetter) -> Line:
    """The letter without anything personal; control characters are blanked, so that a terminal stays as it is."""
    size = None if letter.value is None else letter.value_bytes if letter.is_cut else len(letter.value)
    return Line(rfc3339(letter.failed_at), origin_of(letter), size, *(_CONTROL.sub(" ", t) for t in _texts(letter)))


def _texts(letter: DeadLetter) -> tuple[str, str]:
    cut = f" (cut; SHA-256 of the value: {letter.value_sha256})" if letter.is_cut else ""
    return letter.reason, letter.detail + cut


def headers_again(letter: DeadLetter) -> Headers:
    """The record's headers with the mark of this replay; that of an earlier one is replaced."""
    as_they_came = [(header.name, header.value or b"") for header in letter.all_headers]
    kept = [(name, value) for name, value in as_they_came or letter.headers.items() if name != REPLAYED_FROM]
    return [*kept, (REPLAYED_FROM, str(origin_of(letter)).encode())]


class Failure(NamedTuple):
    """What a plan needs to know of a letter. `can_be_sent`: there is something to send, and a partition for it."""

    origin: Origin
    failed_at: int
    can_be_sent: bool
    is_cut: bool = False


class Marks(NamedTuple):
    """What a source partition tells: the marks in it, and since when (epoch ms) nothing has left it; None: ever."""

    found: frozenset[str] = frozenset()
    known_since: int | None = None


def fate_of(failure: Failure, marks: Marks, wanted: Filter, *, again: bool) -> Fate:
    """What a replay does with a letter, by the marks of its source partition."""
    if failure.is_cut:
        return Fate.CUT
    if not failure.can_be_sent:
        return Fate.IMPOSSIBLE
    if failure.origin.topic in INTERNAL and wanted.topic != failure.origin.topic:
        return Fate.INTERNAL
    if again:
        return Fate.DUE
    if str(failure.origin) in marks.found:
        return Fate.REPLAYED
    is_sure = marks.known_since is None or failure.failed_at - CLOCKS_DIFFER_MS >= marks.known_since
    return Fate.DUE if is_sure else Fate.UNSURE


class Tools:
    """The tools over Kafka. `on_progress` is told of every record read or sent."""

    def __init__(self, reader: TopicReader, registry: Registry, on_progress: Callable[[], None] = lambda: None) -> None:
        self._reader = reader
        self._registry = registry
        self._on_progress = on_progress
        self.letters = 0
        self.unreadable = 0

    async def find(self, wanted: Filter, ends: Offsets | None = None) -> AsyncIterator[DeadLetter]:
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

    async def plan(self, wanted: Filter, ends: Offsets, *, again: bool) -> Plan:
        """What a replay would do with each letter that matches."""
        partitions = {(tp.topic, tp.partition) for tp in await self._reader.partitions(*BY_NAME.values())}
        failures: dict[Origin, Failure] = {}
        async for letter in self.find(wanted, ends):
            origin = origin_of(letter)
            can_be_sent = (letter.key, letter.value) != (None, None) and origin[:2] in partitions
            failures.setdefault(origin, Failure(origin, letter.failed_at, can_be_sent, letter.is_cut))
        marks = {} if again else await self._marks_for([f for f in failures.values() if f.can_be_sent])
        return Plan(
            {o: fate_of(failure, marks.get(o[:2], Marks()), wanted, again=again) for o, failure in failures.items()}
        )

    async def replay(
        self, wanted: Filter, ends: Offsets, due: set[Origin], producer: Any, rate: float | None = None
    ) -> int:
        """Send each record in `due` once, in order. Returns how many the broker has acknowledged: all of them.

        rate: at most so many a second. Takes what is acknowledged out of `due`.
        Raises: aiokafka's errors when one is not acknowledged; running it again goes on from there.
        """
        size = AT_ONCE if rate is None else max(1, min(AT_ONCE, int(rate / BATCHES_A_SECOND)))
        total, free_at = len(due), time.monotonic()
        batch: dict[Origin, DeadLetter] = {}
        async for letter in self.find(wanted, ends):
            if origin_of(letter) in due:
                batch.setdefault(origin_of(letter), letter)
            if len(batch) == size:
                free_at = await _pace(free_at, size, rate)
                await self._send(batch.values(), producer, due)
                batch = {}
        await _pace(free_at, len(batch), rate)
        await self._send(batch.values(), producer, due)
        return total - len(due)

    async def _send(self, letters: Iterable[DeadLetter], producer: Any, due: set[Origin]) -> None:
        """Send, await every acknowledgement, then raise the first fault."""
        sent = [(origin_of(letter), await self._hand_over(letter, producer)) for letter in letters]
        results = await asyncio.gather(*(future for _, future in sent), return_exceptions=True)
        faults = [result for result in results if isinstance(result, BaseException)]
        due.difference_update(o for (o, _), r in zip(sent, results, strict=True) if not isinstance(r, BaseException))
        if faults:
            raise faults[0]

    async def _hand_over(self, letter: DeadLetter, producer: Any) -> Any:
        self._on_progress()
        return await producer.send(
            letter.source_topic,
            letter.value,
            key=letter.key,
            partition=letter.source_partition,
            headers=headers_again(letter),
        )

    async def _marks_for(self, failures: Sequence[Failure]) -> dict[tuple[str, int], Marks]:
        """What the source partitions of these failures tell."""
        found: dict[tuple[str, int], Marks] = {}
        for name in {failure.origin.topic for failure in failures}:
            earliest = min(failure.failed_at for failure in failures if failure.origin.topic == name)
            found |= await self._marks(BY_NAME[name], earliest - CLOCKS_DIFFER_MS)
        return found

    async def _marks(self, topic: Topic, since_ms: int) -> dict[tuple[str, int], Marks]:
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
        return {(tp.topic, tp.partition): Marks(frozenset(marks[tp.partition]), since[tp]) for tp in ends}


async def _pace(free_at: float, count: int, rate: float | None) -> float:
    """Wait for the turn of the next `count`; when the ones after them have theirs."""
    if rate is None:
        return free_at
    await asyncio.sleep(max(0.0, free_at - time.monotonic()))
    return max(free_at, time.monotonic()) + count / rate
