"""How many requests may come, how much may be in flight, and reading a body within size and time."""

import math
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from io import BytesIO
from ipaddress import ip_address
from typing import Self

from gateway.deadlines import Deadlines
from gateway.errors import BodyTooLargeError, OverLimitError, RateLimitedError, SlowBodyError

BURST_S = 2.0
MAX_SOURCES = 10_000  # about 3 MB

NextChunk = Callable[[], Awaitable[tuple[bytes, bool]]]
"""Gives the next part of a body, and whether there is more. Not an async iterator: each costs the loop a finalizer."""


class InFlight:
    """Counts requests and body bytes in flight, and refuses what would exceed the limits."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    def require_place(self) -> None:
        """Raises OverLimitError when there is none for one more request."""
        if self.requests >= self.max_requests:
            raise OverLimitError(f"{self.max_requests} requests are in flight")

    def admit(self) -> "Admission":
        """Hold a place until the block ends. Entering raises OverLimitError when there is none."""
        return Admission(self)


class Admission:
    """One request's place; its bytes are given back when it leaves."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.bytes = 0

    def __enter__(self) -> Self:
        self._in_flight.require_place()
        self._in_flight.requests += 1
        return self

    def __exit__(self, *error: object) -> None:
        self._in_flight.requests -= 1
        self._in_flight.bytes -= self.bytes

    def take(self, size: int) -> None:
        """Account for bytes about to be held. Raises OverLimitError when there is no room for them."""
        if self._in_flight.bytes + size > self._in_flight.max_bytes:
            raise OverLimitError(f"{self._in_flight.max_bytes} body bytes are in flight")
        self._in_flight.bytes += size
        self.bytes += size


class TokenBucket:
    """At most `per_s` a second, and BURST_S seconds' worth at once. Time comes in, in seconds."""

    def __init__(self, per_s: float, now_s: float) -> None:
        self._per_s = per_s
        self._room = max(1.0, per_s * BURST_S)
        self._tokens = self._room
        self._at_s = now_s

    def wait_s(self, now_s: float) -> float:
        """How long until there is a token; 0 when there is one."""
        self._tokens = min(self._room, self._tokens + max(0.0, now_s - self._at_s) * self._per_s)
        self._at_s = max(self._at_s, now_s)
        return max(0.0, (1 - self._tokens) / self._per_s)

    def take(self) -> None:
        """Use one; after `wait_s` has answered 0."""
        self._tokens -= 1


class RateLimits:
    """Requests a second over all and per source; 0: no limit. Remembers the MAX_SOURCES sources seen last."""

    def __init__(self, global_per_s: float, source_per_s: float) -> None:
        self._source_per_s = source_per_s
        self._all = TokenBucket(global_per_s, 0) if global_per_s else None
        self._sources: OrderedDict[str, TokenBucket] = OrderedDict()

    def take(self, address: str, now_s: float) -> None:
        """Count one request. Raises RateLimitedError; a refused one uses up nothing, so that waiting helps.

        address: the peer's; of IPv6 the network of 64 bits counts, since a sender has all of it to choose from.
        """
        source = self._source(address, now_s) if self._source_per_s else None
        for scope, bucket in (("source", source), ("global", self._all)):
            if bucket is not None and (wait_s := bucket.wait_s(now_s)) > 0:
                raise RateLimitedError(scope, max(1, math.ceil(wait_s)))
        for bucket in (source, self._all):
            if bucket is not None:
                bucket.take()

    def _source(self, address: str, now_s: float) -> TokenBucket:
        name = _network(address)
        bucket = self._sources.get(name)
        if bucket is None:
            bucket = self._sources[name] = TokenBucket(self._source_per_s, now_s)
            if len(self._sources) > MAX_SOURCES:
                self._sources.popitem(last=False)
        self._sources.move_to_end(name)
        return bucket


def _network(address: str) -> str:
    try:
        parsed = ip_address(address)
    except ValueError:
        return ""  # unknown peers share one bucket
    if parsed.version == 4:
        return address
    mapped = parsed.ipv4_mapped
    return str(mapped) if mapped else f"{int(parsed) >> 64:x}/64"


async def read_body(
    next_chunk: NextChunk, admission: Admission, *, declared: int | None, max_bytes: int, deadlines: Deadlines
) -> bytes:
    """The whole body, joined as it comes so that one-byte chunks cost one byte each, and given out without a copy.

    declared: Content-Length, None when chunked. deadlines: for the whole body.
    Raises: BodyTooLargeError before more than max_bytes are held, SlowBodyError, OverLimitError.
    """
    if declared is not None and declared > max_bytes:
        raise BodyTooLargeError(f"{declared} bytes declared, the limit is {max_bytes}")
    body, is_more = BytesIO(), True
    try:
        with deadlines.one():
            while is_more:
                chunk, is_more = await next_chunk()
                if body.tell() + len(chunk) > max_bytes:
                    raise BodyTooLargeError(f"over {max_bytes} bytes")
                admission.take(len(chunk))
                body.write(chunk)
    except TimeoutError:
        raise SlowBodyError(f"not complete within {deadlines.seconds:g} s") from None
    return body.getvalue()
