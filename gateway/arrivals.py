"""Bodies that are still arriving: each has a deadline, but no place among the requests in flight.

One source may send all of them while no other source sends any: behind a balancer all senders have one address. When
there are too many, or others need the bytes, one body is dropped: the slowest among the oldest of the source that has
most. A body that arrives with its head, or soon after, is never dropped.
"""

import time
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Final, Protocol

from gateway.deadlines import Deadline, Deadlines

OLDEST: Final = 50  # the slowest is chosen among so many
YOUNG_S: Final = 1.0  # younger bodies have no meaningful pace


class Holder(Protocol):
    """The admission of the request that the body belongs to."""

    source: str
    bytes: int

    def release_bytes(self) -> None:
        """Return the bytes that were read of the body."""


class Arrivals(Deadlines):
    """All bodies that are arriving on one event loop: `seconds` for each, and room for `max_bodies`."""

    def __init__(self, seconds: float, max_bodies: int) -> None:
        super().__init__(seconds)
        self.max_bodies = max_bodies

    def __len__(self) -> int:
        return len(self._running)

    def of(self, holder: Holder) -> "BodyDeadline":
        """A context for reading one body. Raises, on leaving: TimeoutError when it is late or was dropped."""
        if len(self._running) >= self.max_bodies:
            self._give_way(self._slowest(lambda one: 1))
        return BodyDeadline(self, holder)

    def make_room(self, holder: Holder) -> bool:
        """Drop one body, so that `holder` may have its bytes. False when only its own body could be dropped."""
        slowest = self._slowest(lambda one: one.holder.bytes)
        if slowest is None or slowest.holder is holder:
            return False
        self._give_way(slowest)
        return True

    def _slowest(self, weight: Callable[["BodyDeadline"], int]) -> "BodyDeadline | None":
        """The slowest among the oldest bodies of the source that weighs most."""
        coming = [one for one in self._running if isinstance(one, BodyDeadline)]
        held: Counter[str] = Counter()
        for one in coming:
            held[one.holder.source] += weight(one)
        most = max(held.values(), default=0)
        crowd = (one for one in coming if weight(one) and held[one.holder.source] == most)
        now = time.monotonic()
        return min(islice(crowd, OLDEST), key=lambda one: self._pace(one, now), default=None)

    def _pace(self, one: "BodyDeadline", now: float) -> tuple[bool, float]:
        """The order of dropping: by bytes a second, then the bodies too young for a pace, oldest first."""
        age = now - (self._running[one] - self.seconds)
        return (False, one.holder.bytes / age) if age > YOUNG_S else (True, -age)

    def _give_way(self, one: "BodyDeadline | None") -> None:
        if one is not None:
            one.has_given_way = True
            one.holder.release_bytes()
            self.end(one)
            one.expire()


class BodyDeadline(Deadline):
    """The deadline of one arriving body. `has_given_way`: it was dropped for others, not for being late."""

    __slots__ = ("has_given_way", "holder")

    def __init__(self, arrivals: Arrivals, holder: Holder) -> None:
        super().__init__(arrivals)
        self.holder = holder
        self.has_given_way = False
