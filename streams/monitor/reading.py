"""What one look at the broker brought: the facts that lag and verdicts are computed from. No I/O."""

from dataclasses import dataclass, field
from typing import NamedTuple


class Partition(NamedTuple):
    """One partition of a topic."""

    topic: str
    partition: int


@dataclass(frozen=True)
class GroupReading:
    """A consumer group as its coordinator describes it.

    owned: the partitions of its live members; None while nobody can tell (a rebalance, a foreign protocol).
    committed: the next offset to read per partition, for those ever committed.
    is_known: the broker has heard of the group.
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
    appended_at: epoch ms of the first record at or after an offset, for the lagging ones; None when there is none.
    """

    at_ms: int
    groups: list[GroupReading]
    begin: dict[Partition, int]
    end: dict[Partition, int]
    appended_at: dict[tuple[Partition, int], int | None]
