"""Bodies within size and time, requests within the limits of what may be in flight."""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import AsyncIterator

import pytest

from gateway.errors import BodyTooLargeError, OverLimitError, RateLimitedError, SlowBodyError
from gateway.http.arrivals import Arrivals
from gateway.limits import MAX_SOURCES, InFlight, RateLimits, read_body
from tests.support.samples import next_chunk_of


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def read(body: AsyncIterator[bytes], declared: int | None = None, in_flight: InFlight | None = None) -> bytes:
    with (in_flight or InFlight(10, 10_000_000)).admission("") as admission:
        return await read_body(
            next_chunk_of(body), admission, declared=declared, max_bytes=10, arrivals=Arrivals(5, 10)
        )


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


@pytest.mark.parametrize("chunk_bytes", [1, 100, 65_536, 1_000_000])
async def test_a_body_takes_less_than_twice_its_size_in_chunks_of_any_size(chunk_bytes: int) -> None:
    size = 1_000_000 if chunk_bytes > 1 else 200_000
    whole = bytes(size)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, size, chunk_bytes):
            yield whole[start : start + chunk_bytes]

    tracemalloc.start()
    with InFlight(1, size).admission("") as admission:
        body = await read_body(
            next_chunk_of(pieces()), admission, declared=None, max_bytes=size, arrivals=Arrivals(60, 10)
        )
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert body == whole
    assert peak < 2 * size


async def test_a_body_that_stops_coming_is_given_up() -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with InFlight(1, 100).admission("") as admission, pytest.raises(SlowBodyError):
        await read_body(next_chunk_of(stalled()), admission, declared=None, max_bytes=10, arrivals=Arrivals(0.01, 10))


def test_no_more_requests_than_the_limit_are_admitted() -> None:
    in_flight = InFlight(1, 10)
    with in_flight.admission("one") as first, in_flight.admission("other") as second:
        first.take_place()
        with pytest.raises(OverLimitError):
            second.take_place()

        assert in_flight.requests == 1
    assert in_flight.requests == 0


async def test_no_more_bytes_than_the_limit_are_held_and_they_are_given_back() -> None:
    in_flight = InFlight(10, 12)
    with in_flight.admission("") as other:
        other.take(5)
        with pytest.raises(OverLimitError):
            await read(chunks(b"1234", b"5678"), in_flight=in_flight)
        assert in_flight.bytes == 5

    assert in_flight.bytes == 0
    assert await read(chunks(b"1234", b"5678"), in_flight=in_flight) == b"12345678"


@pytest.mark.parametrize(
    ("per_s", "taken_at", "refused_at", "retry_after_s"),
    [
        (1.0, [0, 0], 0, 1),
        (1.0, [0, 0, 1.5], 1.6, 1),
        (0.1, [0], 0, 10),
        (0.1, [0], 0.5, 10),
        (0.1, [0], 9.99, 1),
        (0.1, [0, 10], 10, 10),
        (5.0, [0] * 10, 0.1, 1),
    ],
)
def test_a_rate_lets_two_seconds_worth_through_at_once_and_then_says_when_to_come_again(
    per_s: float, taken_at: list[float], refused_at: float, retry_after_s: int
) -> None:
    limits = RateLimits(per_s, 0)
    for now_s in taken_at:
        limits.take("192.0.2.1", now_s)

    with pytest.raises(RateLimitedError) as caught:
        limits.take("192.0.2.1", refused_at)

    assert (caught.value.scope, caught.value.retry_after_s) == ("global", retry_after_s)
    limits.take("192.0.2.1", refused_at + retry_after_s)


def test_one_source_over_its_rate_leaves_the_others_and_the_global_rate_alone() -> None:
    limits = RateLimits(global_per_s=1, source_per_s=0.5)
    limits.take("192.0.2.1", 0)
    for _ in range(100):
        with pytest.raises(RateLimitedError, match="source"):
            limits.take("192.0.2.1", 0)

    limits.take("192.0.2.2", 0)
    with pytest.raises(RateLimitedError, match="global"):
        limits.take("192.0.2.3", 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8::ffff:2"), ("::ffff:192.0.2.1", "192.0.2.1"), ("", "not an address")],
)
def test_addresses_that_one_sender_can_choose_between_share_a_rate(one: str, other: str) -> None:
    limits = RateLimits(0, 0.5)
    limits.take(one, 0)

    with pytest.raises(RateLimitedError):
        limits.take(other, 0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limits = RateLimits(0.5, 0)
    limits.take("192.0.2.1", 100)
    for now_s in (0, 50, 100):
        with pytest.raises(RateLimitedError):
            limits.take("192.0.2.1", now_s)


def test_many_sources_take_no_more_memory_than_the_ones_remembered() -> None:
    limits = RateLimits(0, 1)
    tracemalloc.start()
    for number in range(20_000):
        limits.take(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1", number / 1000)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert len(limits._sources) == MAX_SOURCES
    assert used < 5_000_000


def test_without_limits_nothing_is_remembered() -> None:
    limits = RateLimits(0, 0)
    for _ in range(1000):
        limits.take("192.0.2.1", 0)
    assert not limits._sources
