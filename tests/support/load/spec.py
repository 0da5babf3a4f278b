"""What the load generator is asked for, and what it tells of a run."""

from __future__ import annotations

import msgspec

from tests.support.load.bodies import Shape


class Spec(msgspec.Struct, forbid_unknown_fields=True):
    """One run. seconds: measured, after the warm-up; at_most: requests of a closed loop, which ends with them.

    is_live: each call ends when its request is due, and requests are built a second ahead; for long runs.
    answers: file for the CLOCK_MONOTONIC nanoseconds of each 200 by number, 0 without one, as native 64-bit integers.
    slice_s: also tell latencies by so many seconds.
    """

    port: int
    shape: Shape
    prefix: str
    seconds: float
    warm_up_s: float = 1.0
    rate: float | None = None
    connections: int = 64
    at_most: int = 100_000
    is_live: bool = False
    answers: str | None = None
    slice_s: float | None = None


class Latency(msgspec.Struct):
    """Milliseconds, of `count` answers."""

    count: int
    p50: float
    p99: float
    p999: float
    worst: float


class Result(msgspec.Struct):
    """What came of a run. Counts and latencies are of requests due (closed loop: answered) after the warm-up.

    total: 200s from the very first request on. sender_late_ms: p99 from due to written, for want of a free connection
    or of time; cores: what the generator used of the machine.
    """

    seconds: float
    statuses: dict[str, int]
    per_s: float
    latency: Latency
    slices: list[Latency]
    total: int
    unanswered: int
    broken: int
    sender_late_ms: float
    cores: float


def latency_of(seconds: list[float]) -> Latency:
    """The quantiles of some latencies."""
    ordered = sorted(seconds)
    p50, p99, p999, worst = (round(quantile(ordered, q) * 1000, 2) for q in (0.5, 0.99, 0.999, 1.0))
    return Latency(len(ordered), p50, p99, p999, worst)


def quantile(ordered: list[float], q: float) -> float:
    """The smallest value that at least q of all do not exceed; 0 without any."""
    return ordered[min(len(ordered) - 1, max(0, -int(-q * len(ordered) // 1) - 1))] if ordered else 0.0
