"""Reading a body: its length, its bytes while they come, its time."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from gateway.arrivals import Arrivals
from gateway.errors import BodyTooLargeError, OverLimitError, SlowBodyError
from gateway.http.body import read_body, require_length
from gateway.limits import InFlight
from tests.support.requests import receive_of


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(body: AsyncIterator[bytes], in_flight: InFlight | None = None) -> bytes:
    with (in_flight or InFlight(10, 10_000_000)).admission("") as admission:
        return await read_body(receive_of(body), admission, max_bytes=10, arrivals=Arrivals(5, 10))


async def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert await read(chunks(b"12345", b"67890")) == b"1234567890"


@pytest.mark.parametrize("declared", [b"11", b"0" * 5000 + b"11"])
def test_a_declared_length_over_the_limit_is_refused(declared: bytes) -> None:
    with pytest.raises(BodyTooLargeError, match="11 bytes declared"):
        require_length({b"content-length": declared}, 10)


@pytest.mark.parametrize("headers", [{}, {b"content-length": b"10"}, {b"content-length": b"many"}])
def test_a_declared_length_within_the_limit_or_none_is_let_through(headers: dict[bytes, bytes]) -> None:
    require_length(headers, 10)


async def test_a_body_is_counted_while_it_comes() -> None:
    body = chunks(b"123456", b"78901", b"never read")
    with pytest.raises(BodyTooLargeError):
        await read(body)

    assert await anext(body) == b"never read"


@pytest.mark.parametrize("chunk_bytes", [1, 100, 65_536, 1_000_000])
async def test_a_body_takes_less_than_twice_its_size_in_chunks_of_any_size(chunk_bytes: int) -> None:
    size = 1_000_000 if chunk_bytes > 1 else 200_000
    whole = bytes(size)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, chunk_bytes):
            yield whole[start : start + chunk_bytes]

    tracemalloc.start()
    with InFlight(1, size).admission("") as admission:
        body = await read_body(receive_of(pieces()), admission, max_bytes=size, arrivals=Arrivals(60, 10))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert body == whole
    assert peak < 2 * size


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with InFlight(1, 100).admission("") as admission, pytest.raises(SlowBodyError):
        await read_body(receive_of(stalled()), admission, max_bytes=10, arrivals=Arrivals(0.01, 10))


async def test_no_more_bytes_than_the_limit_are_held_and_they_are_given_back() -> None:
    in_flight = InFlight(10, 12)
    with in_flight.admission("") as other:
        other.hold_bytes(5)
        with pytest.raises(OverLimitError):
            await read(chunks(b"1234", b"5678"), in_flight=in_flight)
        assert in_flight.bytes == 5

    assert in_flight.bytes == 0
    assert await read(chunks(b"1234", b"5678"), in_flight=in_flight) == b"12345678"
