"""One reading of the broker: what lag and verdicts are computed from. No I/O."""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

RECENT_S: Final = 3600.0


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


class Unseen(NamedTuple):
    """Something that could not be read: its name, and why, in words that lead to the remedy.

    group, topic: the group or topic that is not known because of it, where it is one.
    """

    what: str
    why: str
    group: str | None = None
    topic: str | None = None


@dataclass(frozen=True)
class Ahead:
    """The first record that a reader of committed records gets from an offset on.

    offset: that record's, or the end of the search when there is none.
    appended_at: its time, epoch ms; None when there are only markers, aborted and compacted records before `offset`.
    is_open: the record belongs to a transaction that has not ended, so nobody can read it yet.
    """

    offset: int
    appended_at: int | None
    is_open: bool = False


@dataclass(frozen=True)
class GroupReading:
    """A consumer group as its coordinator describes it.

    owned: the partitions of its live members; None while that is not known (a rebalance, a foreign protocol).
    committed: the next offset to read per partition, for those ever committed.
    is_known: the broker knows the group.
    """

    name: str
    state: str
    members: int
    owned: frozenset[Partition] | None
    committed: dict[Partition, int] = field(default_factory=dict)
    is_known: bool = True


@dataclass(frozen=True)
class Reading:
    """All groups and the offsets of every partition that concerns them, at one instant (UTC epoch ms).

    begin and end: low and high water mark. `end` was read after every `committed`, so no difference is negative.
    ahead: by partition and offset, for those with a backlog that were fetched.
    unseen: what could not be read this time; everything else holds.
    dead_letters: records appended to the dead letter topic within RECENT_S, and the first one's time.
    """

    at_ms: int
    groups: list[GroupReading]
    begin: dict[Partition, int]
    end: dict[Partition, int]
    ahead: dict[tuple[Partition, int], Ahead] = field(default_factory=dict)
    unseen: tuple[Unseen, ...] = ()
    dead_letters: tuple[int, int | None] = (0, None)
