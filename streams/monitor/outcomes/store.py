"""Windowed outcomes in memory: panes as the worker sent them, longer windows as exact sums of panes. No I/O."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Final, NamedTuple, Self

import msgspec

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.errors import ImplausibleRecordError, NotFoundError
from streams.monitor.outcomes.packing import restored, shrunk
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.plausible import fault_of
from streams.monitor.outcomes.workflow_names import WorkflowNames
from streams.rules.dimensions import DIMENSIONS, WORKFLOW, Dimension
from streams.rules.merging import merge

# As long as the topics keep them, by the same clock: when the record was appended, not its event time.
RETENTION: Final = timedelta(days=30)
# Some 1 GB: far more than 30 days of a thousand workflows and lines that call for a third of the day.
MAX_PANES: Final = 2_000_000
HOUR_MS: Final = 3_600_000

MAX_DIGITS: Final = 18
MAX_ECHO: Final = 100

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(WindowedOutcomes).decode


@dataclass(frozen=True, slots=True)
class StoredPane:
    """One record of an outcome topic. It is kept packed and shrunk, and unpacked for each answer.

    like: the packed first pane of its value, by which it was shrunk; None for that pane itself.
    """

    revision: int
    is_final: bool
    appended_at: int
    end_at: int
    length_ms: int
    kept: bytes
    like: bytes | None = None

    @property
    def packed(self) -> bytes:
        """The record, packed."""
        return self.kept if self.like is None else restored(self.kept, self.like)

    def unpacked(self) -> WindowedOutcomes:
        """The record."""
        return _unpack(self.packed)

    def is_newer_than(self, other: Self | None) -> bool:
        """True unless `other` has a higher revision: a worker that recovers may send older ones again."""
        return other is None or (self.revision, self.is_final) >= (other.revision, other.is_final)


# Told of each change: the pane that was there, and the record in its place; None where there was or is none.
Observer = Callable[[Dimension, StoredPane | None, WindowedOutcomes | None], None]


class Laid(NamedTuple):
    """A window before it is added up: its bounds, its panes in order, and whether its last pane is past."""

    start_at: int
    end_at: int
    panes: list[StoredPane]
    is_past: bool

    def window(self) -> WindowedOutcomes:
        """The sum of the panes; a window of one pane is that pane."""
        members = [pane.unpacked() for pane in self.panes]
        if len(members) == 1 and (members[0].window_start_at, members[0].window_end_at) == (self.start_at, self.end_at):
            return members[0]
        is_final = self.is_past and all(pane.is_final for pane in self.panes)
        return merge(members, self.start_at, self.end_at, is_final=is_final)


class OutcomeStore:
    """The newest record of every pane, by dimension, value and window start. `changes` counts what was put in.

    One thread writes; others may read at the same time, for they read copies.
    """

    def __init__(self) -> None:
        self._panes: dict[Dimension, dict[str, dict[int, StoredPane]]] = {dimension: {} for dimension in DIMENSIONS}
        self._likes: dict[Dimension, dict[str, bytes]] = {dimension: {} for dimension in DIMENSIONS}
        self._final_until: dict[Dimension, int] = dict.fromkeys(DIMENSIONS, 0)
        self._observers: list[Observer] = []
        self.names = WorkflowNames()
        self.changes = 0
        self.count = 0

    def observe(self, observer: Observer) -> None:
        """Tell the observer of every pane that is there, and from now on of each that comes, changes or is deleted.

        Not of those that expire: they are long past.
        """
        for dimension, values in self._panes.items():
            for panes in values.values():
                for pane in panes.values():
                    observer(dimension, None, pane.unpacked())
        self._observers.append(observer)

    def put(self, dimension: Dimension, record: WindowedOutcomes, appended_at: int) -> None:
        """Keep a record, unless a newer one of the same pane is there. Repeat: safe.

        Raises: ImplausibleRecordError for what no worker sends: one such record must not falsify the others.
        """
        if fault := fault_of(record, dimension.name, appended_at):
            raise ImplausibleRecordError(fault)
        panes = self._panes[dimension].setdefault(record.value, {})
        end, length = record.window_end_at, record.window_end_at - record.window_start_at
        packed = _pack(record)
        like = self._likes[dimension].setdefault(record.value, packed)
        kept = (packed, None) if like is packed else (shrunk(packed, like), like)
        pane = StoredPane(record.revision, record.is_final, appended_at, end, length, *kept)
        if pane.is_newer_than(before := panes.get(record.window_start_at)):
            panes[record.window_start_at] = pane
            self.changes += 1
            self.count += before is None
            if dimension is WORKFLOW:
                self.names.learn(record)
            self._tell(dimension, before, record)
        if record.is_final:
            # the worker closes panes by one clock for all values: where one is final, the others are past
            self._final_until[dimension] = max(self._final_until[dimension], record.window_start_at + 1)

    def delete(self, dimension: Dimension, key: bytes) -> None:
        """A tombstone: drop the pane of this record key, `value|window start`. Other keys change nothing."""
        value, _, start = key.decode("utf-8", "replace").rpartition("|")
        panes = self._panes[dimension].get(value, {})
        if start.isascii() and start.isdigit() and len(start) <= MAX_DIGITS and int(start) in panes:
            before = panes.pop(int(start))
            self.count -= 1
            self._drop_empty(dimension, value)
            self.changes += 1
            self._tell(dimension, before, None)

    def expire(self, now_ms: int, retention: timedelta = RETENTION) -> int:
        """Drop the panes that were appended longer ago than that. Returns how many."""
        return self._drop_before(now_ms - int(retention.total_seconds() * 1000))

    def trim(self, most: int = MAX_PANES) -> int | None:
        """With more than `most` panes, drop those that were appended first, by whole hours, until there are no more.

        Returns the instant (epoch ms) before which there is nothing left; None when nothing had to go.
        """
        if self.count <= most:
            return None
        hours = Counter(pane.appended_at // HOUR_MS for pane in self._all())
        left = self.count
        for hour in sorted(hours):
            left -= hours[hour]
            if left <= most:
                break
        horizon: int = (hour + 1) * HOUR_MS
        self._drop_before(horizon)
        return horizon

    def _all(self) -> Iterator[StoredPane]:
        return (pane for values in self._panes.values() for panes in values.values() for pane in panes.values())

    def _drop_before(self, horizon: int) -> int:
        dropped = 0
        for dimension, values in self._panes.items():
            for value, panes in list(values.items()):
                for start in [s for s, pane in panes.items() if pane.appended_at < horizon]:
                    del panes[start]
                    dropped += 1
                self._drop_empty(dimension, value)
        self.count -= dropped
        self.changes += bool(dropped)
        return dropped

    def values(self, dimension: Dimension) -> list[str]:
        """Every workflow id or SIP line that has a pane, sorted."""
        return sorted(self._panes[dimension])

    def has(self, dimension: Dimension, value: str) -> bool:
        """Whether this value has a pane: the word `other` of a full map has none of its own."""
        return bool(self._panes[dimension].get(value))

    def check(self, dimension: Dimension, value: str) -> None:
        """Raises NotFoundError for a value without any pane."""
        if not self.has(dimension, value):
            raise NotFoundError(f"no outcomes of {dimension.name} {value[:MAX_ECHO]!r}")

    def laid(self, dimension: Dimension, value: str, query: WindowQuery) -> list[Laid]:
        """The value's windows in order of time, not yet added up; none for a value without any pane."""
        panes = dict(self._panes[dimension].get(value, {}))
        found = []
        final_until = self._final_until[dimension]
        for (start, end), group in groupby(query.starts(sorted(panes)), query.bounds):
            members = [panes[pane_start] for pane_start in group]
            found.append(Laid(start, end, members, final_until > end - members[-1].length_ms))
        return found

    def trailing(self, dimension: Dimension, value: str, starts: Iterable[int]) -> list[WindowedOutcomes]:
        """The value's panes that begin at these instants, where there are any."""
        panes = self._panes[dimension].get(value, {})
        return [pane.unpacked() for start in starts if (pane := panes.get(start))]

    def kept(self, dimension: Dimension, value: str, starts: Iterable[int]) -> list[tuple[int, StoredPane]]:
        """The value's panes that begin at these instants with their starts, packed: to unpack only what one needs.

        A range costs no more than the value has panes, however long it is.
        """
        panes = self._panes[dimension].get(value, {})
        if isinstance(starts, range) and len(starts) > len(panes):
            starts = sorted(start for start in list(panes) if start in starts)
        return [(start, pane) for start in starts if (pane := panes.get(start))]

    def newest_end(self, dimension: Dimension, value: str | None = None) -> int | None:
        """Where the newest pane of this value, or of any, ends, epoch ms."""
        kept = self._panes[dimension]
        chosen = list(kept.values()) if value is None else [kept.get(value, {})]
        newest = [panes[max(panes)].end_at for panes in map(dict, chosen) if panes]
        return max(newest, default=None)

    def _tell(self, dimension: Dimension, before: StoredPane | None, now: WindowedOutcomes | None) -> None:
        for observer in self._observers:
            observer(dimension, before, now)

    def _drop_empty(self, dimension: Dimension, value: str) -> None:
        if not self._panes[dimension].get(value, True):
            del self._panes[dimension][value]
            self._likes[dimension].pop(value, None)
            if dimension is WORKFLOW:
                self.names.forget(value)
