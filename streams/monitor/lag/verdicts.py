"""Pure: the history of a group's offset in a partition -> one word.

No rule depends on a number of records alone, so a word means the same for every topic. The rules start from Burrow's
(linkedin/Burrow, "Consumer Lag Evaluation Rules") and add the ages of records, rewinds, and groups that commit seldom.
streams/monitor/README.md has them as a table.
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations, islice
from statistics import median
from typing import Final, Literal, get_args

LagVerdict = Literal["ok", "behind", "warn", "stop", "stall", "rewind", "beyond", "unknown"]
VERDICTS: Final[tuple[LagVerdict, ...]] = get_args(LagVerdict)
WORST_FIRST: Final[tuple[LagVerdict, ...]] = ("stop", "stall", "beyond", "rewind", "warn", "behind", "unknown", "ok")

LAG_SLO_S: Final = 10.0
ALLOWED_DRAIN_S: Final = 60.0

# Said by the command's help, by its last lines, by the health's evidence and by the README.
MEANINGS: Final[dict[LagVerdict, str]] = {
    "ok": "nothing to read, or reading keeps up",
    "behind": f"the next record is over {LAG_SLO_S:.0f} s old, or the backlog takes over {ALLOWED_DRAIN_S:.0f} s",
    "warn": f"the backlog grows, and reading it would take over {ALLOWED_DRAIN_S:.0f} s",
    "rewind": "the offset went back: records are read again",
    "beyond": "committed beyond the end: nothing is read until the end has passed it",
    "stall": "records wait, a member has the partition, and its offset does not move",
    "stop": "records wait, and no member has the partition: nobody reads",
    "unknown": "never committed, or not watched for long enough",
}

# What to do about it. README.md has the same as a table.
REMEDIES: Final[dict[LagVerdict, str]] = {
    "ok": "nothing",
    "behind": "wait, or add readers",
    "warn": "add readers",
    "rewind": "records are read again: find out who reset the offset",
    "beyond": "the topic was made anew or cut short: set the group's offset to where reading is to go on",
    "stall": "read the reader's log: it cannot process the record below, or it hangs",
    "stop": "start the reader",
    "unknown": "wait 10 s; then see whether the group ever ran",
}

# A restart leaves a group without members for seconds; that is no stop yet.
STOP_AFTER_S: Final = 5.0

# Ten times the worker's commit interval, and still named within a minute.
STALL_AFTER_S: Final = 30.0

STALL_SPACINGS: Final = 3
# How many of its own commit intervals a group may take. Some commit once a minute, and that is well.
BEHIND_SPACINGS: Final = 2

MIN_SAMPLES_FOR_TREND: Final = 5
MAX_SAMPLES_FOR_SLOPE: Final = 16
KEPT_SPACINGS: Final = 8
MAX_SPACING_S: Final = 600.0


@dataclass(frozen=True)
class Sample:
    """One reading: at_ms (epoch ms), the next offset the group reads, the high water mark.

    committed: None when never committed. is_owned: a live member has the partition; None when not known.
    age_s: of the next unread record; None when unknown. unread: records left for it, where more is known than that
    the offsets differ: there may be nothing but markers, or retention may have taken some.
    """

    at_ms: int
    committed: int | None
    end: int
    is_owned: bool | None = True
    age_s: float | None = None
    unread: int | None = None

    @property
    def lag(self) -> int:
        """Records still to read; 0 when unknown, and for an offset beyond the end."""
        if self.unread is not None:
            return self.unread
        return 0 if self.committed is None else max(0, self.end - self.committed)


@dataclass
class Memory:
    """What a verdict needs from before its history: the highest offset not regained, and how a group commits.

    learns: false for a group whose commit interval is known, so that a long stall is not taken for its habit.
    spacings_s: how long records waited until the offset moved, the newest last; idle times are no spacing.
    """

    learns: bool = True
    highest: int | None = None
    spacings_s: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT_SPACINGS))
    _last: Sample | None = None
    _waiting_since: int | None = None

    def add(self, sample: Sample) -> None:
        """Add the next sample."""
        before, self._last = self._last, sample
        if sample.committed is None:
            return
        if before is not None and before.committed != sample.committed and self._waiting_since is not None:
            self.spacings_s.append((sample.at_ms - self._waiting_since) / 1000)
            self._waiting_since = None
        if sample.lag == 0:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = sample.at_ms
        self.highest = max(sample.committed, min(self.highest or 0, sample.end))

    @property
    def spacing_s(self) -> float:
        """The median time between commits under load; 0 as long as it is not known."""
        return min(median(self.spacings_s), MAX_SPACING_S) if self.learns and self.spacings_s else 0.0

    @property
    def rewound_by(self) -> int:
        """How many records are read again: how far the offset is below the highest one there was."""
        if self._last is None or self._last.committed is None or self.highest is None:
            return 0
        return max(0, self.highest - self._last.committed)


def memory_of(history: Sequence[Sample]) -> Memory:
    """The memory after this history alone."""
    memory = Memory()
    for sample in history:
        memory.add(sample)
    return memory


def verdict(
    history: Sequence[Sample], memory: Memory | None = None, allowed_drain_s: float = ALLOWED_DRAIN_S
) -> LagVerdict:
    """The verdict on these samples, oldest first."""
    if not history:
        return "unknown"
    last, memory = history[-1], memory or memory_of(history)
    if last.committed is None:
        return "unknown"
    if last.committed > last.end:
        return "beyond"
    if last.lag == 0:
        return "ok"
    if last.is_owned is False and unmoved_s(history) >= STOP_AFTER_S:
        return "stop"
    if memory.rewound_by:
        return "rewind"
    if unmoved_s(history) >= max(STALL_AFTER_S, STALL_SPACINGS * memory.spacing_s):
        return "stall"
    return _trend(history, memory, allowed_drain_s)


def drain_s(history: Sequence[Sample]) -> float:
    """Seconds until nothing is left at the rates of the history; infinite when the backlog does not shrink."""
    if not history or history[-1].lag == 0:
        return 0.0
    first, last = history[0], history[-1]
    produced, consumed = last.end - first.end, (last.committed or 0) - (first.committed or 0)
    if first.committed is None or consumed <= produced:
        return math.inf
    return last.lag * (last.at_ms - first.at_ms) / 1000 / (consumed - produced)


def unmoved_s(history: Sequence[Sample]) -> float:
    """How long there has been a backlog without the offset moving. A record that has just arrived makes no stall."""
    last = history[-1]
    since = last.at_ms
    for sample in reversed(history):
        if sample.committed != last.committed or sample.lag == 0:
            break
        since = sample.at_ms
    return (last.at_ms - since) / 1000


def _trend(history: Sequence[Sample], memory: Memory, allowed_drain_s: float) -> LagVerdict:
    """The verdict on an offset that moves, or has not stood still for long: does the reader keep up?"""
    last = history[-1]
    allowed_age_s = max(LAG_SLO_S, BEHIND_SPACINGS * memory.spacing_s)
    allowed_drain_s = max(allowed_drain_s, BEHIND_SPACINGS * memory.spacing_s)
    is_old = last.age_s is not None and last.age_s > allowed_age_s
    if len(history) < MIN_SAMPLES_FOR_TREND:
        is_known = last.age_s is not None and last.is_owned is not False
        return "behind" if is_old else "ok" if is_known else "unknown"
    backlog_s = _backlog_s(history)
    # the cheapest question first: with ten thousand partitions most are answered by it
    if backlog_s <= allowed_drain_s or _read_all_lately(history):
        return "behind" if is_old else "ok"
    if slope(history) > 0:
        return "warn"
    is_far = last.age_s is None and backlog_s < math.inf
    return "behind" if is_old or is_far else "ok"


def _read_all_lately(history: Sequence[Sample]) -> bool:
    """Whether nothing was left to read at some look of the last third."""
    return any(sample.lag == 0 for sample in islice(reversed(history), max(1, len(history) // 3)))


def slope(history: Sequence[Sample]) -> float:
    """Records of lag per second: the median over pairs of samples, which single dips and bursts do not move."""
    step = max(1, len(history) // MAX_SAMPLES_FOR_SLOPE)
    samples = list(history)[::-1][::step]
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
