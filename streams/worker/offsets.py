"""Which offset of each partition may be committed: never past a run that is not settled. Pure.

A run is a stretch of records of one partition that is handled as one. Runs are delivered in order of offset; holes
between them (compaction, control records) belong to nobody and are stepped over.
"""

from collections import deque
from collections.abc import Iterable
from typing import Generic, TypeVar

P = TypeVar("P")


class OffsetTracker(Generic[P]):
    """Delivered and settled runs by partition. Not safe to share between threads."""

    def __init__(self) -> None:
        self._unsettled: dict[P, deque[list[int]]] = {}
        self._committable: dict[P, int] = {}
        self._delivered: dict[P, int] = {}

    def deliver(self, partition: P, last: int) -> None:
        """A run ending at offset `last` was handed to the agent. Raises ValueError when it goes back."""
        if last <= self._delivered.get(partition, -1):
            raise ValueError(f"offset {last} delivered after {self._delivered[partition]}")
        self._delivered[partition] = last
        self._unsettled.setdefault(partition, deque()).append([last, False])

    def settle(self, partition: P, last: int) -> None:
        """The run ending at `last` is done: its outputs are acknowledged. Repeat: safe; an unknown run is ignored."""
        runs = self._unsettled.get(partition, deque())
        for run in runs:
            if run[0] == last:
                run[1] = True
        while runs and runs[0][1]:
            self._committable[partition] = runs.popleft()[0] + 1

    def delivered(self, partition: P) -> int | None:
        """The last offset delivered; None for none."""
        return self._delivered.get(partition)

    def committable(self, partition: P) -> int | None:
        """The offset to commit, which is the next to read; None as long as nothing was settled."""
        return self._committable.get(partition)

    def partitions(self) -> Iterable[P]:
        """Partitions with something to commit."""
        return list(self._committable)

    def unsettled(self) -> int:
        """Runs delivered and not yet settled, of all partitions."""
        return sum(len(runs) for runs in self._unsettled.values())

    def clear(self) -> None:
        """Forget everything: partitions were revoked, and reading starts again at the committed offsets."""
        self._unsettled.clear()
        self._committable.clear()
        self._delivered.clear()
