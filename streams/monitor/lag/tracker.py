"""Pure: readings of the broker -> lag and verdict per group, topic and partition. Time comes with the reading."""

from collections import deque
from collections.abc import Iterable, Set
from dataclasses import dataclass, field
from itertools import groupby
from typing import Final, NamedTuple

from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CO_PARTITIONED
from streams.monitor.lag.losses import Losses
from streams.monitor.lag.readings import Ahead, GroupReading, Partition, Reading, Unseen
from streams.monitor.lag.verdicts import LagVerdict, Memory, Sample, drain_s, unmoved_s, verdict

HISTORY_S: Final = 120.0


class Worker(NamedTuple):
    """The worker's group and the topics that it should read, by their real names."""

    group: str
    topics: frozenset[str]

    @classmethod
    def of(cls, group: str, names: TopicNames = DECLARED) -> "Worker":
        """The worker of one deployment."""
        return cls(group, frozenset(map(names.of, CO_PARTITIONED)))


@dataclass(frozen=True)
class PartitionLag:
    """One partition of one group.

    current_offset: the next offset to read; None when never committed.
    lag: records to read; None when nobody can know. Records that retention took are not in it, nor those at its head
    that no reader can see (markers, aborted records).
    lag_seconds: age of the next unread record; 0 with nothing to read, None when never committed or not known.
    rewound_by: records that are read again. unmoved_s: how long a backlog has been there without a commit.
    """

    topic: str
    partition: int
    current_offset: int | None
    begin_offset: int
    end_offset: int
    lag: int | None
    lag_seconds: float | None
    verdict: LagVerdict
    rewound_by: int = 0
    unmoved_s: float = 0.0

    @property
    def has_records(self) -> bool:
        """True unless the partition is empty. An empty one that was never committed has no lag to know."""
        return self.begin_offset < self.end_offset


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
    is_known: bool = True


@dataclass(frozen=True)
class LagSnapshot:
    """What one poll found, at as_of_ms (UTC epoch ms).

    records_lost: per (group, topic) since this process began; begin and end: watermarks of all partitions read.
    unseen: what did not answer. lost_at_ms: when records_lost last grew. dead_letters: recent ones, and since when.
    """

    as_of_ms: int
    groups: tuple[GroupLag, ...]
    records_lost: dict[tuple[str, str], int]
    begin: dict[Partition, int]
    end: dict[Partition, int]
    unseen: tuple[Unseen, ...] = ()
    lost_at_ms: dict[tuple[str, str], int] = field(default_factory=dict)
    dead_letters: tuple[int, int | None] = (0, None)


def concerns(group: GroupReading, worker: Worker, existing: Set[Partition]) -> set[Partition]:
    """The partitions to show for a group: committed, owned, and for the worker's group whatever it should read.

    A changelog is owned but never committed: it is read once, on recovery, so it has no lag.
    """
    own_changelogs = {p for p in group.owned or () if is_changelog(p.topic, group.name)}
    wanted = set(group.committed) | ((group.owned or frozenset()) - own_changelogs)
    if group.name == worker.group:
        wanted |= {partition for partition in existing if partition.topic in worker.topics}
    return {partition for partition in wanted if partition in existing}


def is_changelog(topic: str, group: str) -> bool:
    """True for the changelog of a table of the Faust app `group`, by Faust's naming."""
    return topic.startswith(f"{group}-") and topic.endswith("-changelog")


class LagTracker:
    """Turns successive readings into snapshots; keeps the histories that verdicts need."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._histories: dict[tuple[str, Partition], deque[Sample]] = {}
        self._memories: dict[tuple[str, Partition], Memory] = {}
        self.losses = Losses()

    def update(self, reading: Reading) -> LagSnapshot:
        """The snapshot of this reading. Groups that are gone are dropped, but not those that could not be read now."""
        known = set(reading.end)
        shown = {group.name: concerns(group, self._worker, known) for group in reading.groups}
        self._drop_gone(shown, reading.unseen)
        groups = tuple(self._group(group, shown[group.name], reading) for group in reading.groups)
        return LagSnapshot(
            reading.at_ms,
            groups,
            dict(self.losses.counts),
            reading.begin,
            reading.end,
            reading.unseen,
            dict(self.losses.grew_at_ms),
            reading.dead_letters,
        )

    def _drop_gone(self, shown: dict[str, set[Partition]], unseen: tuple[Unseen, ...]) -> None:
        alive = {(name, partition) for name, partitions in shown.items() for partition in partitions}
        groups, topics = {missing.group for missing in unseen}, {missing.topic for missing in unseen}
        gone = {
            key for key in self._histories if key not in alive and key[0] not in groups and key[1].topic not in topics
        }
        for key in gone:
            del self._histories[key], self._memories[key]
        self.losses.keep(self._histories.keys() | alive, groups, topics)

    def _group(self, group: GroupReading, shown: set[Partition], reading: Reading) -> GroupLag:
        self.losses.count(group, shown & group.committed.keys(), reading)
        rows = tuple(self._partition(group, partition, reading) for partition in sorted(shown))
        drains: dict[str, float] = {}
        for topic, partitions in groupby(sorted(shown), lambda partition: partition.topic):
            if total := _summed([self._histories[group.name, partition] for partition in partitions]):
                drains[topic] = drain_s(total)
        return GroupLag(group.name, group.state, group.members, rows, drains, group.is_known)

    def _partition(self, group: GroupReading, partition: Partition, reading: Reading) -> PartitionLag:
        begin, end = reading.begin[partition], reading.end[partition]
        committed = group.committed.get(partition)
        effective = effective_offset(group, partition, begin, end, self._worker)
        ahead = None if effective is None else reading.ahead.get((partition, effective))
        lag = _lag(effective, end, ahead)
        seconds = None if committed is None else _lag_seconds(lag, ahead, reading.at_ms)
        is_owned = None if group.owned is None else partition in group.owned
        sample = Sample(reading.at_ms, effective if committed is None else committed, end, is_owned, seconds, lag)
        history = self._remember(group.name, partition, sample)
        memory = self._memories[group.name, partition]
        return PartitionLag(
            partition.topic,
            partition.partition,
            committed,
            begin,
            end,
            lag,
            seconds,
            verdict(history, memory),
            memory.rewound_by,
            unmoved_s(history),
        )

    def _remember(self, group: str, partition: Partition, sample: Sample) -> deque[Sample]:
        key = (group, partition)
        self._memories.setdefault(key, Memory(learns=group != self._worker.group)).add(sample)
        history = self._histories.setdefault(key, deque())
        history.append(sample)
        while sample.at_ms - history[0].at_ms > HISTORY_S * 1000:
            history.popleft()
        return history


def effective_offset(group: GroupReading, partition: Partition, begin: int, end: int, worker: Worker) -> int | None:
    """Where the group will read next; None: unknown.

    It is the committed offset, or the low water mark once retention has passed that. Our own worker begins a partition
    at its beginning; where other groups begin without a commit is not known. For a group without members that never
    committed an empty partition it is unknown too.
    """
    committed = group.committed.get(partition)
    if committed is not None:
        return max(committed, begin)
    is_owned = group.owned is not None and partition in group.owned
    is_ours = group.name == worker.group and group.is_known
    return begin if is_ours and (is_owned or begin < end) else None


def _lag(effective: int | None, end: int, ahead: Ahead | None) -> int | None:
    if effective is None or effective > end:
        return None
    return end - effective if ahead is None else max(0, end - ahead.offset)


def _lag_seconds(lag: int | None, ahead: Ahead | None, at_ms: int) -> float | None:
    if lag == 0:
        return 0.0
    if lag is None or ahead is None or ahead.appended_at is None:
        return None
    return max(0.0, (at_ms - ahead.appended_at) / 1000)


def _summed(histories: Iterable[deque[Sample]]) -> list[Sample]:
    """The first and the last sample of a topic, over the looks that all of its partitions share."""
    chosen = [history for history in histories if history[-1].committed is not None]
    length = min((len(history) for history in chosen), default=0)
    return [_sum_of([history[-back] for history in chosen]) for back in (length, 1) if length]


def _sum_of(samples: list[Sample]) -> Sample:
    return Sample(samples[0].at_ms, sum(s.committed or 0 for s in samples), sum(s.end for s in samples))
