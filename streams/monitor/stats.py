"""Windowed outcomes in memory: panes as the worker sent them, longer windows as exact sums of panes. No I/O."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby
from typing import Any, Literal

import msgspec

from schemas.records import LineWorkflowOutcomes, QuestionOutcomes, WindowedOutcomes
from schemas.topics import SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from streams.monitor.errors import BadRequestError, NotFoundError

Dimension = Literal["workflow", "sip_line"]
DIMENSION_OF_TOPIC: dict[str, Dimension] = {WORKFLOW_OUTCOMES.name: "workflow", SIP_LINE_OUTCOMES.name: "sip_line"}
RETENTION = timedelta(days=30)
"""As long as the topics keep them, and by the same clock: when the record was appended, not its event time."""

MAX_WINDOW_S = 31 * 86_400
UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_SUMS = tuple(f for f, t in WindowedOutcomes.__annotations__.items() if t is int and not f.endswith("_at"))
_MAPS = tuple(f for f, t in WindowedOutcomes.__annotations__.items() if t == dict[str, int])
_HISTOGRAMS = tuple(f for f, t in WindowedOutcomes.__annotations__.items() if t == list[int])
_RECORD_MAPS: tuple[tuple[str, type[QuestionOutcomes] | type[LineWorkflowOutcomes]], ...] = (
    ("questions", QuestionOutcomes),
    ("by_workflow", LineWorkflowOutcomes),
)

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(WindowedOutcomes).decode


@dataclass(frozen=True, slots=True)
class Pane:
    """One record of an outcome topic, packed: a fifth of the memory, unpacked when asked for."""

    revision: int
    is_final: bool
    appended_at: int
    packed: bytes

    def is_newer_than(self, other: Pane | None) -> bool:
        """A worker that recovers may send older revisions again."""
        return other is None or (self.revision, self.is_final) >= (other.revision, other.is_final)


class OutcomeStore:
    """The newest record of every pane, by dimension, value and window start. `changes` counts what was taken in."""

    def __init__(self) -> None:
        self._panes: dict[Dimension, dict[str, dict[int, Pane]]] = {"workflow": {}, "sip_line": {}}
        self.changes = 0

    def put(self, dimension: Dimension, record: WindowedOutcomes, appended_at: int) -> None:
        """Take a record in, unless a newer one of the same pane is there. Safe to repeat."""
        panes = self._panes[dimension].setdefault(record.value, {})
        pane = Pane(record.revision, record.is_final, appended_at, _pack(record))
        if pane.is_newer_than(panes.get(record.window_start_at)):
            panes[record.window_start_at] = pane
            self.changes += 1

    def delete(self, dimension: Dimension, key: bytes) -> None:
        """A tombstone: forget the pane of this record key (`value|window start`). Nothing happens for other keys."""
        value, _, start = key.decode("utf-8", "replace").rpartition("|")
        panes = self._panes[dimension].get(value, {})
        if start.isascii() and start.isdigit() and int(start) in panes:
            del panes[int(start)]
            self._forget_empty(dimension, value)
            self.changes += 1

    def prune(self, now_ms: int) -> int:
        """Drop panes that were appended longer ago than RETENTION; how many."""
        horizon = now_ms - int(RETENTION.total_seconds() * 1000)
        dropped = 0
        for dimension, values in self._panes.items():
            for value, panes in list(values.items()):
                for start in [s for s, pane in panes.items() if pane.appended_at < horizon]:
                    del panes[start]
                    dropped += 1
                self._forget_empty(dimension, value)
        self.changes += bool(dropped)
        return dropped

    def values(self, dimension: Dimension) -> list[str]:
        """Every workflow id or SIP line that has a pane, sorted."""
        return sorted(self._panes[dimension])

    def windows(self, dimension: Dimension, value: str, query: WindowQuery) -> list[WindowedOutcomes]:
        """The value's windows in order of time. Raises NotFoundError for a value without any pane."""
        panes = self._panes[dimension].get(value)
        if panes is None:
            raise NotFoundError(f"no outcomes of {dimension} {value!r}")
        final_until = max((s + 1 for s, pane in panes.items() if pane.is_final), default=0)
        starts = query.starts(sorted(panes))
        chosen = (_unpack(panes[start].packed) for start in starts)
        return list(merged_windows(chosen, query.window_s * 1000, final_until))

    def newest_start(self, dimension: Dimension) -> int | None:
        """The start of the newest pane of any value, epoch ms."""
        return max((max(panes) for panes in self._panes[dimension].values()), default=None)

    def __len__(self) -> int:
        return sum(len(panes) for values in self._panes.values() for panes in values.values())

    def _forget_empty(self, dimension: Dimension, value: str) -> None:
        if not self._panes[dimension].get(value, True):
            del self._panes[dimension][value]


@dataclass(frozen=True)
class WindowQuery:
    """Which windows: window_s long, aligned to the epoch, those that overlap [from_ms, to_ms), the newest `limit`."""

    window_s: int
    from_ms: int | None = None
    to_ms: int | None = None
    limit: int | None = None

    def starts(self, panes: list[int]) -> list[int]:
        """Of these sorted pane starts those whose window was asked for: windows come whole or not at all."""
        window_ms = self.window_s * 1000
        chosen = [
            start
            for start in panes
            if (self.from_ms is None or floor(start, window_ms) + window_ms > self.from_ms)
            and (self.to_ms is None or floor(start, window_ms) < self.to_ms)
        ]
        if self.limit is None:
            return chosen
        windows = sorted({floor(start, window_ms) for start in chosen})[-self.limit :]
        return [start for start in chosen if windows and start >= windows[0]]


def floor(at_ms: int, window_ms: int) -> int:
    """The start of the window around an instant, aligned to the epoch."""
    return at_ms - at_ms % window_ms


def window_seconds(text: str, pane_s: int) -> int:
    """`5m`, `1h`, `1d`, `300s` or `300` in seconds.

    Raises: BadRequestError unless it is a multiple of the pane and at most 31 days.
    """
    number, unit = (text[:-1], text[-1:]) if text[-1:] in UNITS_S else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) <= 9):
        raise BadRequestError("window must look like 5m, 15m, 1h, 1d or 300s")
    seconds = int(number) * UNITS_S[unit]
    if seconds == 0 or seconds % pane_s or seconds > MAX_WINDOW_S:
        raise BadRequestError(f"window must be a multiple of the pane, {pane_s} s, and at most {MAX_WINDOW_S} s")
    return seconds


def merged_windows(
    panes: Iterable[WindowedOutcomes], window_ms: int, final_until_ms: int = 0
) -> Iterator[WindowedOutcomes]:
    """Panes in order of time -> windows of `window_ms`.

    A window of several panes is final when all of them are and time went past its end: a pane that starts before
    final_until_ms is closed, whether anything was ever in it or not.
    """
    for start, group in groupby(panes, lambda pane: floor(pane.window_start_at, window_ms)):
        members = list(group)
        if len(members) == 1 and members[0].window_end_at - members[0].window_start_at == window_ms:
            yield members[0]
            continue
        pane_ms = members[-1].window_end_at - members[-1].window_start_at
        is_past = final_until_ms > start + window_ms - pane_ms
        yield merge(members, start, start + window_ms, is_final=is_past and all(m.is_final for m in members))


def merge(panes: list[WindowedOutcomes], start_at: int, end_at: int, *, is_final: bool) -> WindowedOutcomes:
    """The exact sum of panes of one value, in any order. The revision is a sum too: it counts changes."""
    fields: dict[str, Any] = {name: sum(getattr(pane, name) for pane in panes) for name in _SUMS}
    fields |= {name: _added_maps(getattr(pane, name) for pane in panes) for name in _MAPS}
    fields |= {name: _added_lists(getattr(pane, name) for pane in panes) for name in _HISTOGRAMS}
    fields |= {name: _added_records((getattr(pane, name) for pane in panes), kind) for name, kind in _RECORD_MAPS}
    return WindowedOutcomes(
        dimension=panes[0].dimension,
        value=panes[0].value,
        window_start_at=start_at,
        window_end_at=end_at,
        is_final=is_final,
        **fields,
    )


def _added_maps(maps: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: Counter[str] = Counter()
    for counts in maps:
        total.update(counts)
    return dict(sorted(total.items()))


def _added_lists(lists: Iterable[list[int]]) -> list[int]:
    total: list[int] = []
    for counts in lists:
        total += [0] * (len(counts) - len(total))
        for i, count in enumerate(counts):
            total[i] += count
    return total


def _added_records(
    maps: Iterable[Mapping[str, QuestionOutcomes | LineWorkflowOutcomes]],
    kind: type[QuestionOutcomes] | type[LineWorkflowOutcomes],
) -> dict[str, Any]:
    total: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for records in maps:
        for name, record in records.items():
            total[name].update(record.to_datum())
    return {name: kind(**dict.fromkeys(kind.__struct_fields__, 0) | counts) for name, counts in sorted(total.items())}
