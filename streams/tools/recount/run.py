"""One recount: read the topics as of one moment, count again, compare.

A running worker must not look wrong, so the order of reading matters:

1. what the worker has committed; 2. where the results end; 3. the calls; 4. every record not committed at step 1.

A window that a record of step 4 touches may have been published before or after it: it is `moving`, not different. The
result of any other window was complete at step 2, as far as the calls of that time go.
"""

import time
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol, TypeVar

from schemas.errors import DecodeError
from schemas.headers import is_synthetic
from schemas.reader import Offsets, TopicReader, distance, only
from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import OutcomeChange, WindowedOutcomes
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLS,
    CO_PARTITIONED,
    LATE_CALLS,
    SYNTHETIC_WORKFLOW_ID,
    Topic,
)
from streams.rules.dimensions import DIMENSIONS
from streams.tools.recount.comparison import Evidence, WindowComparison, WindowState, compare
from streams.tools.recount.ledger import Ledger, WindowKey

R = TypeVar("R", bound=Record)

# Calls first: the ledger takes the records of the other topics for calls that it has.
CALL_TOPICS: Final[dict[Topic, type[Record]]] = {
    CALLS: Call,
    LATE_CALLS: Call,
    ANSWERS: Answer,
    CALL_ATTEMPTS: CallAttempt,
}
RESULT_TOPICS: Final = tuple(dimension.results for dimension in DIMENSIONS)
CLOCKS_DIFFER_MS: Final = 60 * 60 * 1000  # between the clocks of provider, gateway and broker, generously


class ReadingProgress(Protocol):
    """Receives how far the reading is. One topic at a time."""

    def begin(self, what: str, total: int) -> None:
        """The records of `what` are read from now on, `total` offsets."""

    def advance(self) -> None:
        """One record more was read."""

    def end(self) -> None:
        """Everything of it was read."""


class RecountReport(NamedTuple):
    """What a recount found: the windows compared, how many calls were read, how many records could not be decoded.

    other_sizes: published windows of another length than STREAMS_WINDOW_S, which are left out.
    """

    windows: list[WindowComparison]
    calls: int
    unreadable: int
    other_sizes: int

    def count(self, state: WindowState) -> int:
        """How many windows are in this state."""
        return sum(window.state is state for window in self.windows)

    @property
    def exit_code(self) -> int:
        """1 when a window differs without an explanation or a record cannot be read, else 0."""
        return exits.NO if self.count(WindowState.DIFFERENT) or self.unreadable else 0


class Recount:
    """One recount over Kafka. Reads only. Build it, `run` it once."""

    def __init__(self, reader: TopicReader, registry: Registry, ledger: Ledger, progress: ReadingProgress) -> None:
        self._reader = reader
        self._names = reader.names
        self._changes = {self._names.of(dimension.changes) for dimension in DIMENSIONS}
        self._registry = registry
        self._ledger = ledger
        self._progress = progress
        self._published: dict[WindowKey, WindowedOutcomes] = {}
        self._moving: set[WindowKey] = set()
        self._unreadable = 0
        self._other_sizes: set[WindowKey] = set()

    async def run(self) -> RecountReport:
        """Read and compare. Raises: MissingTopicsError, UnreadableTopicError, RegistryError."""
        committed = await self._reader.committed(*CO_PARTITIONED)
        result_ends = await self._reader.ends(*RESULT_TOPICS)
        call_ends = await self._reader.ends(*CALL_TOPICS)
        for topic in CALL_TOPICS:
            await self._read_calls(topic, only([self._names.of(topic)], call_ends))
        await self._read_results(result_ends)
        await self._read_unsettled(committed, await self._reader.ends(*CO_PARTITIONED))
        evidence = Evidence(
            self._published,
            frozenset(self._moving),
            await self._whole_since(*CALL_TOPICS),
            await self._whole_since(*RESULT_TOPICS),
        )
        windows = compare(self._ledger, evidence)
        return RecountReport(windows, len(self._ledger), self._unreadable, len(self._other_sizes))

    async def _read_calls(self, topic: Topic, ends: Offsets) -> None:
        async for record in self._decoded(
            self._names.of(topic), await self._starts(ends, topic), ends, CALL_TOPICS[topic]
        ):
            match record:
                case Call() if topic is CALLS and record.workflow_id != SYNTHETIC_WORKFLOW_ID:
                    self._ledger.add_call(record)
                case Call() if topic is LATE_CALLS:
                    self._ledger.add_late(record)
                case Answer():
                    self._ledger.add_answer(record)
                case CallAttempt():
                    self._ledger.add_attempt(record)

    async def _read_results(self, ends: Offsets) -> None:
        window_ms = self._ledger.settings.window_ms
        starts = await self._starts(ends, *RESULT_TOPICS)
        async for result in self._decoded("results", starts, ends, WindowedOutcomes):
            key = WindowKey(result.dimension, result.value, result.window_start_at)
            if result.window_end_at - result.window_start_at != window_ms or key.start % window_ms:
                self._other_sizes.add(key)
                continue
            newest = self._published.get(key)
            if newest is None or (result.revision, result.is_final) >= (newest.revision, newest.is_final):
                self._published[key] = result

    async def _read_unsettled(self, committed: Offsets, ends: Offsets) -> None:
        """Read what the worker had not committed at the beginning: the windows that it touches are moving."""
        for kind, is_change in ((Callback, False), (OutcomeChange, True)):
            theirs = {tp: end for tp, end in ends.items() if (tp.topic in self._changes) is is_change}
            async for record in self._decoded("not yet processed", committed, theirs, kind):
                match record:
                    case Callback():
                        for detail in record.details:
                            self._moving |= self._ledger.keys_of_call(detail.call_id or "")
                    case OutcomeChange():
                        for outcome in filter(None, (record.removed, record.added)):
                            self._moving.update(self._ledger.keys_of(outcome))

    async def _starts(self, ends: Offsets, *topics: Topic) -> Offsets:
        """Where to begin: a window's records are all appended after its start, as far as clocks agree."""
        since = self._ledger.scope.from_ms
        if since is None:
            return await self._reader.beginnings(*topics)
        found = await self._reader.appended_since(since - CLOCKS_DIFFER_MS, *topics)
        return {tp: ends[tp] if offset is None else offset for tp, offset in found.items()}

    async def _decoded(self, what: str, starts: Offsets, ends: Offsets, kind: type[R]) -> AsyncIterator[R]:
        self._progress.begin(what, distance(starts, ends))
        async for record in self._reader.records(starts, ends):
            self._progress.advance()
            if record.value is None or is_synthetic(record.headers):
                continue
            try:
                yield await self._registry.decode(record.value, kind)
            except DecodeError:
                self._unreadable += kind not in (Callback, OutcomeChange)  # the worker makes dead letters of those
        self._progress.end()

    async def _whole_since(self, *topics: Topic) -> int | None:
        """Since when (epoch ms) nothing has left any of the topics; None when nothing ever has.

        What has left a partition was appended before its first record; before the retention, where none is left.
        """
        retention = {self._names.of(topic): int(topic.retention.total_seconds() * 1000) for topic in topics}
        beginnings = await self._reader.beginnings(*topics)
        firsts = await self._reader.first_appended_at(*topics)
        now_ms = time.time_ns() // 1_000_000
        since = [
            first if (first := firsts[tp]) is not None else now_ms - retention[tp.topic]
            for tp, beginning in beginnings.items()
            if beginning > 0
        ]
        return max(since, default=None)
