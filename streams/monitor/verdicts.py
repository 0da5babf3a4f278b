"""Pure: a partition's offset history -> one word. No thresholds on record counts, so it means the same everywhere.

    unknown   nobody committed, or too little was seen yet to tell
    ok        nothing to read, or reading keeps up
    warn      the backlog grows, and working it off would take longer than `allowed_drain_s`
    stop      there is a backlog and no live member owns the partition
    stall     a live member owns it, there is a backlog, and the offset does not move
    rewind    the offset went back and has not been regained: records will be seen again

Source: research/monitoring.md 1.2, which starts from Burrow's rules and closes their known holes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Literal, get_args

State = Literal["ok", "warn", "stop", "stall", "rewind", "unknown"]
STATES: tuple[State, ...] = get_args(State)

STOP_AFTER_S = 5.0
"""A restart leaves a group without members for seconds; that is no stop yet."""

STALL_AFTER_S = 30.0
"""Ten times the worker's commit interval, and still named within a minute."""

ALLOWED_DRAIN_S = 60.0
MIN_SAMPLES_FOR_TREND = 5
MAX_SAMPLES_FOR_SLOPE = 16


@dataclass(frozen=True)
class Sample:
    """One look: at_ms (epoch ms), the next offset the group reads, the high water mark.

    committed: None when never committed. is_owned: a live member has the partition; None when nobody can tell.
    """

    at_ms: int
    committed: int | None
    end: int
    is_owned: bool | None = True

    @property
    def lag(self) -> int:
        """Records still to read; 0 when unknown, and for an offset beyond the end (a topic made anew)."""
        return 0 if self.committed is None else max(0, self.end - self.committed)


def verdict(history: Sequence[Sample], allowed_drain_s: float = ALLOWED_DRAIN_S) -> State:
    """The state that these samples, oldest first, add up to."""
    if not history:
        return "unknown"
    last = history[-1]
    if last.committed is None or last.committed > last.end:
        return "unknown"
    if last.lag == 0:
        return "ok"
    if last.is_owned is False and _unmoved_s(history) >= STOP_AFTER_S:
        return "stop"
    if rewound_by(history):
        return "rewind"
    if _unmoved_s(history) >= STALL_AFTER_S:
        return "stall"
    return _trend(history, allowed_drain_s)


def rewound_by(history: Sequence[Sample]) -> int:
    """How many records will be seen again: how far the offset is below the highest one in the history."""
    offsets = [sample.committed for sample in history if sample.committed is not None]
    return max(offsets) - offsets[-1] if offsets else 0


def drain_s(history: Sequence[Sample]) -> float:
    """Seconds until nothing is left at the rates of the history; infinite when the backlog does not shrink."""
    if not history or history[-1].lag == 0:
        return 0.0
    first, last = history[0], history[-1]
    produced, consumed = last.end - first.end, (last.committed or 0) - (first.committed or 0)
    if first.committed is None or consumed <= produced:
        return math.inf
    return last.lag * (last.at_ms - first.at_ms) / 1000 / (consumed - produced)


def _unmoved_s(history: Sequence[Sample]) -> float:
    """For how long there has been a backlog without the offset moving: a record just arrived makes no stall."""
    last = history[-1]
    since = last.at_ms
    for sample in reversed(history):
        if sample.committed != last.committed or sample.lag == 0:
            break
        since = sample.at_ms
    return (last.at_ms - since) / 1000


def _trend(history: Sequence[Sample], allowed_drain_s: float) -> State:
    """The offset moves, or has not stood still for long: does the reader keep up?"""
    if len(history) < MIN_SAMPLES_FOR_TREND:
        return "unknown"
    recent = history[-max(1, len(history) // 3) :]
    if any(sample.lag == 0 for sample in recent):
        return "ok"
    if _slope(history) > 0 and _backlog_s(history) > allowed_drain_s:
        return "warn"
    return "ok"


def _slope(history: Sequence[Sample]) -> float:
    """Records of lag per second: the median over pairs of samples, which single dips and bursts do not move."""
    step = max(1, len(history) // MAX_SAMPLES_FOR_SLOPE)
    samples = history[::-1][::step]
    return median(
        (newer.lag - older.lag) / max(1, newer.at_ms - older.at_ms) * 1000 for newer, older in combinations(samples, 2)
    )


def _backlog_s(history: Sequence[Sample]) -> float:
    """How long the present backlog would take at the present reading rate, if nothing new came."""
    first, last = history[0], history[-1]
    consumed = (last.committed or 0) - (first.committed or 0)
    if consumed <= 0:
        return math.inf
    return last.lag * (last.at_ms - first.at_ms) / 1000 / consumed
