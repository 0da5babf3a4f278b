"""How many requests may come a second, how many may be in flight, and how fast a tool publishes."""

import asyncio
import math
import time
from collections import OrderedDict, defaultdict
from collections.abc import Callable
from typing import Final, Self

from gateway.errors import OverLimitError, RateLimitedError
from gateway.sources import network_of

BURST_S: Final = 2.0
MAX_SOURCES: Final = 10_000
MAX_BATCH: Final = 200  # records that a tool publishes side by side


class InFlight:
    """Counts requests and body bytes in flight, and refuses what would exceed the limits.

    A request has a place once its body is complete. One source may have four fifths of the places; behind a balancer,
    where all senders have one address, that is the limit of all.
    """

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.max_of_source = max_requests - max_requests // 5
        self.requests = 0
        self.bytes = 0
        self.by_source: defaultdict[str, int] = defaultdict(int)
        self.make_room: Callable[[Admission], bool] = lambda admission: False  # called when bytes are short

    def require_place(self, source: str) -> None:
        """Raises: OverLimitError when there is no place for one more request."""
        if self.requests >= self.max_requests:
            raise OverLimitError(f"{self.max_requests} requests are in flight")
        if source in self.by_source and self.by_source[source] >= self.max_of_source:
            raise OverLimitError(f"{self.max_of_source} requests of this source are in flight")

    def admission(self, source: str) -> "Admission":
        """A context: what one request holds until the block ends."""
        return Admission(self, source)


class Admission:
    """One request's bytes and, once its body is complete, its place; released at the end of the block."""

    def __init__(self, in_flight: InFlight, source: str) -> None:
        self._in_flight = in_flight
        self._has_place = False
        self.source = source
        self.bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        in_flight = self._in_flight
        in_flight.bytes -= self.bytes
        if self._has_place:
            in_flight.requests -= 1
            in_flight.by_source[self.source] -= 1
            if not in_flight.by_source[self.source]:
                del in_flight.by_source[self.source]

    def take_place(self) -> None:
        """Raises: OverLimitError when there is no place."""
        self._in_flight.require_place(self.source)
        self._in_flight.requests += 1
        self._in_flight.by_source[self.source] += 1
        self._has_place = True

    def hold_bytes(self, size: int) -> None:
        """Account for bytes about to be held. Raises: OverLimitError when there is no room for them."""
        in_flight = self._in_flight
        while in_flight.bytes + size > in_flight.max_bytes:
            if not in_flight.make_room(self):
                raise OverLimitError(f"{in_flight.max_bytes} body bytes are in flight")
        in_flight.bytes += size
        self.bytes += size

    def release_bytes(self) -> None:
        """Release the bytes before the block ends: what was read is dropped."""
        self._in_flight.bytes -= self.bytes
        self.bytes = 0


class TokenBucket:
    """At most `per_s` a second, and BURST_S seconds' worth at once. The caller passes the time in seconds."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._room = max(1.0, per_s * BURST_S)
        self._tokens = self._room
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """Seconds until there is a token; 0 when there is one."""
        self._tokens = min(self._room, self._tokens + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = max(self._at_s, now_s)
        return max(0.0, (1 - self._tokens) / self._per_s)

    def spend(self) -> None:
        """Use one; only after `wait_s` has returned 0."""
        self._tokens -= 1


class RateLimits:
    """Requests a second over all and per source; 0: no limit. Keeps the MAX_SOURCES sources seen last."""

    def __init__(self, global_per_s: float, source_per_s: float) -> None:
        self._source_per_s = source_per_s
        self._all = TokenBucket(global_per_s, 0) if global_per_s else None
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()

    def count(self, address: str, now_s: float) -> None:
        """Count one request. Raises: RateLimitedError; a refused request uses up nothing.

        address: the peer's. An IPv6 address counts as its 64-bit network: a sender can choose any address in it.
        """
        source = self._source(address, now_s) if self._source_per_s else None
        for scope, bucket in (("source", source), ("global", self._all)):
            if bucket is not None and (wait_s := bucket.wait_s(now_s)) > 0:
                raise RateLimitedError(scope, max(1, math.ceil(wait_s)))
        for bucket in (source, self._all):
            if bucket is not None:
                bucket.spend()

    def _source(self, address: str, now_s: float) -> TokenBucket:
        name = network_of(address)
        bucket = self._sources.get(name)
        if bucket is None:
            bucket = self._sources[name] = TokenBucket(self._source_per_s, now_s)
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(name)
        return bucket


class Pace:
    """At most `rate` records a second, in batches; None: no limit."""

    def __init__(self, rate: float | None) -> None:
        self.batch = MAX_BATCH if rate is None else max(1, min(MAX_BATCH, int(rate / 10)))
        self._rate = rate
        self._due = time.monotonic()

    async def wait(self, count: int) -> None:
        """Until the next `count` may go."""
        if self._rate is None:
            return
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        self._due = max(self._due, time.monotonic()) + count / self._rate
