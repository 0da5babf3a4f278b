"""Which connections close when too many are open. Pure.

One source may hold all of them while no other wants one: behind a balancer all senders have one address. When all are
taken, idle connections of the source that has the most close: first those that sent nothing or were refused, and of
these the one that has waited longest. A connection whose request is being processed stays.
"""

from collections import Counter
from collections.abc import Iterable
from heapq import nsmallest
from operator import itemgetter
from typing import Final, NamedTuple, Protocol, TypeVar

UNPROVED: Final = 0  # it sent nothing or half a head, was refused, or does not read its answer
PROVED: Final = 1  # idle after an accepted request


class Wait(NamedTuple):
    """How long a connection has been idle. `since_s`: on any one clock."""

    merit: int
    since_s: float


class Guest(Protocol):
    """An open connection."""

    @property
    def source(self) -> str: ...

    @property
    def wait(self) -> Wait | None:
        """None while a request is processed."""


G = TypeVar("G", bound=Guest)


def leaving(guests: Iterable[G], count: int) -> list[G]:
    """Up to `count` connections to close, all of the sources that hold most of those that are idle."""
    guests = list(guests)
    held = Counter(guest.source for guest in guests)
    waiting = [(guest, wait) for guest in guests if (wait := guest.wait)]
    most = max((held[guest.source] for guest, _ in waiting), default=0)
    crowd = [(wait, guest) for guest, wait in waiting if held[guest.source] == most]
    return [guest for _, guest in nsmallest(count, crowd, key=itemgetter(0))]
