"""Which offset of each partition may be committed: never past a run that is not settled. Pure.

Runs are delivered in order of offset. Offsets between and behind them that have no record (compaction, markers of
transactions, aborted records) are committed with the run before them: a group that stops short of them would seem to
have work waiting for ever.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

P = TypeVar("P")


@dataclass(slots=True)
class _Delivered:
    """One run: its last record's offset, and the offset up to which no other record follows."""

    last: int
    end: int
    is_settled: bool = False


class OffsetTracker(Generic[P]):
    """Delivered and settled runs by partition. Not safe to share between threads."""

    def __init__(self) -> None:
        self._unsettled: dict[P, deque[_Delivered]] = {}
        self._committable: dict[P, int] = {}
        self._delivered: dict[P, int] = {}

    def deliver(self, partition: P, last: int, end: int | None = None) -> None:
        """A run that ends at offset `last` was delivered to the agent. Raises ValueError when it goes back.

        end: the next offset that may have a record; the one after `last` when not given.
        """
        if last <= self._delivered.get(partition, -1):
            raise ValueError(f"offset {last} delivered after {self._delivered[partition]}")
        self._delivered[partition] = last
        self._unsettled.setdefault(partition, deque()).append(_Delivered(last, last + 1 if end is None else end))

    def step_over(self, partition: P, end: int) -> None:
        """No record lies between what was delivered and `end`. Repeat: safe."""
        if runs := self._unsettled.get(partition):
            runs[-1].end = max(runs[-1].end, end)
        else:
            self._committable[partition] = max(self._committable.get(partition, 0), end)

    def settle(self, partition: P, last: int) -> None:
        """The outputs of the run that ends at `last` are acknowledged. Repeat: safe; an unknown run is ignored."""
        runs = self._unsettled.get(partition, deque())
        for run in runs:
            if run.last == last:
                run.is_settled = True
        while runs and runs[0].is_settled:
            self._committable[partition] = runs.popleft().end

    def delivered(self, partition: P) -> int | None:
        """The last offset delivered; None for none."""
        return self._delivered.get(partition)

    def committable(self, partition: P) -> int | None:
        """The offset to commit, which is the next to read; None as long as nothing was settled or stepped over."""
        return self._committable.get(partition)

    def partitions(self) -> Iterable[P]:
        """Partitions with something to commit."""
        return list(self._committable)

    def unsettled(self) -> int:
        """Runs delivered and not yet settled, of all partitions."""
        return sum(len(runs) for runs in self._unsettled.values())

    def clear(self) -> None:
        """Drop everything: partitions were revoked, and reading starts again at the committed offsets."""
        self._unsettled.clear()
        self._committable.clear()
        self._delivered.clear()
