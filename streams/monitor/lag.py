"""Pure: readings of the broker -> lag per group, topic and partition, with verdicts. Time comes in with the reading."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from schemas.topics import CO_PARTITIONED
from streams.monitor.reading import GroupReading, Partition, Reading
from streams.monitor.verdicts import Sample, State, drain_s, rewound_by, verdict

HISTORY_S = 120.0
WORKER_TOPICS = frozenset(topic.name for topic in CO_PARTITIONED)


@dataclass(frozen=True)
class PartitionLag:
    """One partition of one group.

    current_offset: the next offset to read, None when never committed. lag: records, None when nobody can know.
    lag_seconds: age of the next unread record; 0 with nothing to read, None when never committed or not found.
    rewound_by: records that will be seen again.
    """

    topic: str
    partition: int
    current_offset: int | None
    begin_offset: int
    end_offset: int
    lag: int | None
    lag_seconds: float | None
    state: State
    rewound_by: int = 0


@dataclass(frozen=True)
class GroupLag:
    """One consumer group with all its partitions, by topic and number.

    drain_seconds: per topic, until nothing is left; infinite when not draining, absent when nobody can know.
    """

    consumergroup: str
    state: str
    members: int
    partitions: tuple[PartitionLag, ...]
    drain_seconds: dict[str, float]


@dataclass(frozen=True)
class LagSnapshot:
    """What one poll found, at as_of_ms (UTC epoch ms).

    records_lost: per (group, topic) since this process began; begin and end: water marks of all partitions looked at.
    """

    as_of_ms: int
    groups: tuple[GroupLag, ...]
    records_lost: dict[tuple[str, str], int]
    begin: dict[Partition, int]
    end: dict[Partition, int]


def concerns(group: GroupReading, worker: str, existing: set[Partition]) -> set[Partition]:
    """The partitions to show for a group: committed, owned, and for the worker's group whatever it should read.

    A changelog is owned but never committed: it is read once, on recovery, so no lag can be told of it.
    """
    own_changelogs = {p for p in group.owned or () if is_changelog(p.topic, group.name)}
    wanted = set(group.committed) | ((group.owned or frozenset()) - own_changelogs)
    if group.name == worker:
        wanted |= {partition for partition in existing if partition.topic in WORKER_TOPICS}
    return wanted & existing


def is_changelog(topic: str, group: str) -> bool:
    """True for the changelog of a table of the Faust app `group`, by Faust's naming."""
    return topic.startswith(f"{group}-") and topic.endswith("-changelog")


class LagTracker:
    """Turns successive readings into snapshots; keeps the histories that verdicts need."""

    def __init__(self, worker: str) -> None:
        self._worker = worker
        self._histories: dict[tuple[str, Partition], deque[Sample]] = {}
        self._accounted: dict[tuple[str, Partition], int] = {}
        self._lost: dict[tuple[str, str], int] = defaultdict(int)

    def update(self, reading: Reading) -> LagSnapshot:
        """The snapshot of this reading. Histories of partitions that are gone are forgotten."""
        known = set(reading.end)
        shown = {group.name: concerns(group, self._worker, known) for group in reading.groups}
        alive = {(name, partition) for name, partitions in shown.items() for partition in partitions}
        self._histories = {key: history for key, history in self._histories.items() if key in alive}
        groups = tuple(self._group(group, shown[group.name], reading) for group in reading.groups)
        return LagSnapshot(reading.at_ms, groups, dict(self._lost), reading.begin, reading.end)

    def _group(self, group: GroupReading, shown: set[Partition], reading: Reading) -> GroupLag:
        rows = tuple(self._partition(group, partition, reading) for partition in sorted(shown))
        drains: dict[str, float] = {}
        for topic, partitions in groupby(sorted(shown), lambda partition: partition.topic):
            if total := _summed([self._histories[group.name, partition] for partition in partitions]):
                drains[topic] = drain_s(total)
        return GroupLag(group.name, group.state, group.members, rows, drains)

    def _partition(self, group: GroupReading, partition: Partition, reading: Reading) -> PartitionLag:
        begin, end = reading.begin[partition], reading.end[partition]
        committed = group.committed.get(partition)
        self._count_lost(group.name, partition, committed, begin)
        effective = _effective_offset(group, partition, begin, end)
        history = self._remember(group.name, partition, _sample(group, partition, effective, end, reading.at_ms))
        return PartitionLag(
            partition.topic,
            partition.partition,
            committed,
            begin,
            end,
            None if effective is None or effective > end else end - effective,
            _lag_seconds(partition, committed, end, reading),
            verdict(history),
            rewound_by(history),
        )

    def _remember(self, group: str, partition: Partition, sample: Sample) -> list[Sample]:
        history = self._histories.setdefault((group, partition), deque())
        history.append(sample)
        while sample.at_ms - history[0].at_ms > HISTORY_S * 1000:
            history.popleft()
        return list(history)

    def _count_lost(self, group: str, partition: Partition, committed: int | None, begin: int) -> None:
        """Records that retention took before the group read them, each once."""
        key = (group, partition)
        if committed is None:
            return
        lost = begin - max(committed, self._accounted.get(key, 0))
        if lost > 0:
            self._accounted[key] = begin
        self._lost[group, partition.topic] += max(0, lost)


def _effective_offset(group: GroupReading, partition: Partition, begin: int, end: int) -> int | None:
    """Where the group will read next: what it committed, else the beginning for a group that exists; None: unknown.

    A group without members that never touched an empty partition has no lag of 0, for nobody looked.
    """
    committed = group.committed.get(partition)
    if committed is not None:
        return committed
    is_owned = group.owned is not None and partition in group.owned
    return begin if group.is_known and (is_owned or begin < end) else None


def _sample(group: GroupReading, partition: Partition, effective: int | None, end: int, at_ms: int) -> Sample:
    is_owned = None if group.owned is None else partition in group.owned
    return Sample(at_ms, effective, end, is_owned)


def _lag_seconds(partition: Partition, committed: int | None, end: int, reading: Reading) -> float | None:
    if committed is None or committed > end:
        return None
    if committed == end:
        return 0.0
    appended_at = reading.appended_at.get((partition, committed))
    return None if appended_at is None else max(0.0, (reading.at_ms - appended_at) / 1000)


def _summed(histories: Iterable[deque[Sample]]) -> list[Sample]:
    """One history for a topic, over the looks that all of its partitions share."""
    chosen = [history for history in histories if history[-1].committed is not None]
    length = min((len(history) for history in chosen), default=0)
    tails = [list(history)[-length:] for history in chosen]
    return [
        Sample(samples[0].at_ms, sum(s.committed or 0 for s in samples), sum(s.end for s in samples))
        for samples in zip(*tails, strict=True)
    ]
