"""Bodies that are still coming: they have a time, but no place among the requests in flight.

One source may have all of them while nobody else wants them: behind a balancer all senders have one address. When they
are too many, or others need the bytes, one goes: of the source that has the most, the slowest of its oldest. A body
that comes with its head, or soon after, is never that one.
"""

import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from gateway.deadlines import Deadline, Deadlines

OLDEST = 50  # looked at for the slowest
YOUNG_S = 1.0  # until then it has no pace that could be told


class Holder(Protocol):
    """Whose body it is: an Admission."""

    source: str
    bytes: int

    def give_back_bytes(self) -> None:
        """What was read of it is dropped."""


class Arrivals(Deadlines):
    """All bodies that are coming, for the tasks of one event loop: `seconds` for each, and room for `max_bodies`."""

    def __init__(self, seconds: float, max_bodies: int) -> None:
        super().__init__(seconds)
        self.max_bodies = max_bodies

    def __len__(self) -> int:
        return len(self._running)

    def of(self, holder: Holder) -> "Arrival":
        """A context for reading one body. Raises, on leaving: TimeoutError, also when it has given way."""
        if len(self._running) >= self.max_bodies:
            self._give_way(self._slowest(lambda one: 1))
        return Arrival(self, holder)

    def make_room(self, holder: Holder) -> bool:
        """Of bytes, for `holder`. False when nobody but itself can give any."""
        slowest = self._slowest(lambda one: one.holder.bytes)
        if slowest is None or slowest.holder is holder:
            return False
        self._give_way(slowest)
        return True

    def _slowest(self, weight: Callable[["Arrival"], int]) -> "Arrival | None":
        """Among the oldest of the source that weighs most."""
        coming = [one for one in self._running if isinstance(one, Arrival)]
        held: Counter[str] = Counter()
        for one in coming:
            held[one.holder.source] += weight(one)
        most = max(held.values(), default=0)
        crowd = (one for one in coming if weight(one) and held[one.holder.source] == most)
        now = time.monotonic()
        return min(islice(crowd, OLDEST), key=lambda one: self._pace(one, now), default=None)

    def _pace(self, one: "Arrival", now: float) -> tuple[bool, float]:
        """By which to sort: bytes a second, and behind them, the oldest first, those too young for one."""
        age = now - (self._running[one] - self.seconds)
        return (False, one.holder.bytes / age) if age > YOUNG_S else (True, -age)

    def _give_way(self, one: "Arrival | None") -> None:
        if one is not None:
            one.has_given_way = True
            one.holder.give_back_bytes()
            self.end(one)
            one.expire()


class Arrival(Deadline):
    """One body on its way. `has_given_way`: interrupted for others, not for its time."""

    __slots__ = ("has_given_way", "holder")

    def __init__(self, arrivals: Arrivals, holder: Holder) -> None:
        super().__init__(arrivals)
        self.holder = holder
        self.has_given_way = False
