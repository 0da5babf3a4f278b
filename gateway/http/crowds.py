"""Who makes room when too many connections are open. Pure.

One source may have all of them while nobody else wants them: behind a balancer all senders have one address. When they
are all taken, those who wait go: of the source that has the most, first who has shown nothing or was refused, and of
these who has waited longest. Whoever is being worked on stays.
"""

from collections import Counter
from collections.abc import Iterable
from functools import lru_cache
from heapq import nsmallest
from ipaddress import ip_address
from operator import itemgetter
from typing import NamedTuple, Protocol, TypeVar

UNPROVED = 0  # nothing sent, half a head, refused, or an answer that is not read
PROVED = 1  # idle after a request that was accepted


class Wait(NamedTuple):
    """What a connection waits for, and since when, on any one clock."""

    merit: int
    since_s: float


class Guest(Protocol):
    """A connection."""

    @property
    def source(self) -> str: ...

    @property
    def wait(self) -> Wait | None:
        """None while a request is worked on."""


G = TypeVar("G", bound=Guest)


def leaving(guests: Iterable[G], count: int) -> list[G]:
    """Up to `count` that can be missed best, all of sources with equally many."""
    guests = list(guests)
    held = Counter(guest.source for guest in guests)
    waiting = [(guest, wait) for guest in guests if (wait := guest.wait)]
    most = max((held[guest.source] for guest, _ in waiting), default=0)
    crowd = [(wait, guest) for guest, wait in waiting if held[guest.source] == most]
    return [guest for _, guest in nsmallest(count, crowd, key=itemgetter(0))]


def source_of(address: str) -> str:
    """Who counts as one sender: an IPv4 address, or the network of 64 bits of an IPv6 one, which a sender has whole."""
    return _remembered_network(address) if ":" in address else address


def network_of(address: str) -> str:
    """The same for any text; what is no address is one sender, too."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else f"{int(parsed) >> 64:x}/64"


_remembered_network = lru_cache(maxsize=1000)(network_of)
