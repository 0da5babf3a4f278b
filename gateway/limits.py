"""How much may be in flight, and reading a body within size and time."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from gateway.errors import BodyTooLargeError, OverLimitError, SlowBodyError


class InFlight:
    """Counts requests and body bytes in flight, and refuses what would exceed the limits."""

    def __init__(self, max_requests: int, max_bytes: int) -> None:
        self.max_requests = max_requests
        self.max_bytes = max_bytes
        self.requests = 0
        self.bytes = 0

    @contextmanager
    def admit(self) -> "Iterator[Admission]":
        """Hold a place until the block ends. Raises OverLimitError when there is none."""
        if self.requests >= self.max_requests:
            raise OverLimitError(f"{self.max_requests} requests are in flight")
        admission = Admission(self)
        self.requests += 1
        try:
            yield admission
        finally:
            self.requests -= 1
            self.bytes -= admission.bytes


class Admission:
    """One request's place; its bytes are given back when it leaves."""

    def __init__(self, in_flight: InFlight) -> None:
        self._in_flight = in_flight
        self.bytes = 0

    def take(self, size: int) -> None:
        """Account for bytes about to be held. Raises OverLimitError when there is no room for them."""
        if self._in_flight.bytes + size > self._in_flight.max_bytes:
            raise OverLimitError(f"{self._in_flight.max_bytes} body bytes are in flight")
        self._in_flight.bytes += size
        self.bytes += size


async def read_body(
    chunks: AsyncIterator[bytes], admission: Admission, *, declared: int | None, max_bytes: int, timeout_s: float
) -> bytes:
    """The whole body, joined as it comes so that one-byte chunks cost one byte each.

    declared: Content-Length, None when chunked. timeout_s: for the whole body.
    Raises: BodyTooLargeError before more than max_bytes are held, SlowBodyError, OverLimitError.
    """
    if declared is not None and declared > max_bytes:
        raise BodyTooLargeError(f"{declared} bytes declared, the limit is {max_bytes}")
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in chunks:
                if len(body) + len(chunk) > max_bytes:
                    raise BodyTooLargeError(f"over {max_bytes} bytes")
                admission.take(len(chunk))
                body += chunk
    except TimeoutError:
        raise SlowBodyError(f"not complete within {timeout_s:g} s") from None
    return bytes(body)
