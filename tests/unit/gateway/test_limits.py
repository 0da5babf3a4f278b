"""Requests within the limits of what may come and what may be in flight."""

from __future__ import annotations

import tracemalloc

import pytest

from gateway.errors import OverLimitError, RateLimitedError
from gateway.limits import MAX_SOURCES, InFlight, RateLimits


def test_no_more_requests_than_the_limit_are_admitted() -> None:
    in_flight = InFlight(1, 10)
    with in_flight.admission("one") as first, in_flight.admission("other") as second:
        first.take_place()
        with pytest.raises(OverLimitError):
            second.take_place()

        assert in_flight.requests == 1
    assert in_flight.requests == 0


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
        limits.count("192.0.2.1", now_s)

    with pytest.raises(RateLimitedError) as caught:
        limits.count("192.0.2.1", refused_at)

    assert (caught.value.scope, caught.value.retry_after_s) == ("global", retry_after_s)
    limits.count("192.0.2.1", refused_at + retry_after_s)


def test_one_source_over_its_rate_leaves_the_others_and_the_global_rate_alone() -> None:
    limits = RateLimits(global_per_s=1, source_per_s=0.5)
    limits.count("192.0.2.1", 0)
    for _ in range(100):
        with pytest.raises(RateLimitedError, match="source"):
            limits.count("192.0.2.1", 0)

    limits.count("192.0.2.2", 0)
    with pytest.raises(RateLimitedError, match="global"):
        limits.count("192.0.2.3", 0)


@pytest.mark.parametrize(
    ("one", "other"),
    [("2001:db8::1", "2001:db8::ffff:2"), ("::ffff:192.0.2.1", "192.0.2.1"), ("", "not an address")],
)
def test_addresses_that_one_sender_can_choose_between_share_a_rate(one: str, other: str) -> None:
    limits = RateLimits(0, 0.5)
    limits.count(one, 0)

    with pytest.raises(RateLimitedError):
        limits.count(other, 0)


def test_a_clock_that_goes_back_gives_nothing_away() -> None:
    limits = RateLimits(0.5, 0)
    limits.count("192.0.2.1", 100)
    for now_s in (0, 50, 100):
        with pytest.raises(RateLimitedError):
            limits.count("192.0.2.1", now_s)


def test_many_sources_take_no_more_memory_than_the_ones_remembered() -> None:
    limits = RateLimits(0, 1)
    tracemalloc.start()
    for number in range(20_000):
        limits.count(f"2001:db8:{number >> 16:x}:{number & 0xFFFF:x}::1", number / 1000)
    used = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()

    assert len(limits._sources) == MAX_SOURCES
    assert used < 5_000_000


def test_without_limits_nothing_is_remembered() -> None:
    limits = RateLimits(0, 0)
    for _ in range(1000):
        limits.count("192.0.2.1", 0)
    assert not limits._sources
