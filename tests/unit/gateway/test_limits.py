"""Bodies within size and time, requests within the limits of what may be in flight."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from gateway.errors import BodyTooLargeError, OverLimitError, SlowBodyError
from gateway.limits import InFlight, read_body


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(body: AsyncIterator[bytes], declared: int | None = None, in_flight: InFlight | None = None) -> bytes:
    with (in_flight or InFlight(10, 10_000_000)).admit() as admission:
        return await read_body(body, admission, declared=declared, max_bytes=10, timeout_s=5)


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert await read(chunks(b"12345", b"67890"), declared=10) == b"1234567890"


async def test_a_declared_length_over_the_limit_is_refused_before_reading() -> None:
    body = chunks(b"x")
    with pytest.raises(BodyTooLargeError):
        await read(body, declared=11)

    assert await anext(body) == b"x"


@pytest.mark.parametrize("declared", [None, 5])
async def test_a_body_is_counted_while_it_comes_whatever_it_declared(declared: int | None) -> None:
    body = chunks(b"123456", b"78901", b"never read")
    with pytest.raises(BodyTooLargeError):
        await read(body, declared)

    assert await anext(body) == b"never read"


async def test_one_byte_chunks_cost_one_byte_each() -> None:
    size = 200_000

    async def single_bytes() -> AsyncIterator[bytes]:
        for _ in range(size):
            yield b"x"

    tracemalloc.start()
    with InFlight(1, size).admit() as admission:
        body = await read_body(single_bytes(), admission, declared=None, max_bytes=size, timeout_s=60)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert len(body) == size
    assert peak < 4 * size


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with InFlight(1, 100).admit() as admission, pytest.raises(SlowBodyError):
        await read_body(stalled(), admission, declared=None, max_bytes=10, timeout_s=0.01)


def test_no_more_requests_than_the_limit_are_admitted() -> None:
    in_flight = InFlight(1, 10)
    with in_flight.admit(), pytest.raises(OverLimitError), in_flight.admit():
        pass

    with in_flight.admit():
        assert in_flight.requests == 1
    assert in_flight.requests == 0


async def test_no_more_bytes_than_the_limit_are_held_and_they_are_given_back() -> None:
    in_flight = InFlight(10, 12)
    with in_flight.admit() as other:
        other.take(5)
        with pytest.raises(OverLimitError):
            await read(chunks(b"1234", b"5678"), in_flight=in_flight)
        assert in_flight.bytes == 5

    assert in_flight.bytes == 0
    assert await read(chunks(b"1234", b"5678"), in_flight=in_flight) == b"12345678"
