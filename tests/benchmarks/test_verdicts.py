"""The soak's verdicts and the generator's quantiles, on numbers that are known."""

from __future__ import annotations

import pytest

from tests.benchmarks.soak import lag_verdict, latency_verdict, memory_verdict
from tests.support.load.spec import latency_of, quantile


@pytest.mark.parametrize(
    ("grown_mib", "is_flat"),
    [(0.0, True), (9.0, True), (40.0, False), (-50.0, True)],
)
def test_memory_is_flat_when_it_grows_little_after_settling(grown_mib: float, is_flat: bool) -> None:
    settling = [(float(at), 50.0 + at) for at in range(50)]  # grows by as much as it will, and that is forgiven
    settled = [(50.0 + at, 100.0 + grown_mib * at / 100) for at in range(101)]

    assert memory_verdict("worker", settling + settled).is_flat == is_flat


def test_lag_that_grows_is_not_flat_however_small_it_began() -> None:
    assert lag_verdict([(float(at), 3.0) for at in range(100)], rate=100).is_flat
    assert not lag_verdict([(float(at), 3.0 * at) for at in range(100)], rate=100).is_flat


def test_latency_that_doubles_is_not_flat_and_a_spike_is() -> None:
    spike = [(float(at), 80.0 if at == 20 else 20.0) for at in range(30)]

    assert latency_verdict(spike).is_flat
    assert not latency_verdict([(float(at), 20.0 + 2 * at) for at in range(30)]).is_flat


@pytest.mark.parametrize(("q", "value"), [(0.5, 50), (0.99, 99), (0.999, 100), (1.0, 100), (0.001, 1)])
def test_a_quantile_is_the_smallest_value_that_so_many_do_not_exceed(q: float, value: float) -> None:
    assert quantile([float(n) for n in range(1, 101)], q) == value


def test_latencies_are_reported_in_milliseconds_and_none_as_zero() -> None:
    assert latency_of([0.002, 0.001]).worst == 2
    assert latency_of([]).count == 0
