"""The rate of callbacks is that of the provider's: our own probes are no traffic."""

from __future__ import annotations

import pytest

from streams.monitor.history.recorder import samples
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import LagSnapshot


def polled(at_ms: int, end: int) -> LagSnapshot:
    place = Partition("callbacks", 0)
    return LagSnapshot(at_ms, (), {}, {place: 0}, {place: end})


@pytest.mark.parametrize(
    ("records", "probes", "rate"),
    [(10, 0, 5.0), (10, 1, 4.5), (1, 1, 0.0), (0, 1, 0.0)],  # the last was seen at the poll before
)
def test_probes_that_came_in_between_are_taken_off(records: int, probes: int, rate: float) -> None:
    found = dict(samples(polled(3_000, 100 + records), polled(1_000, 100), "worker", "callbacks", probes))

    assert found == {"received_per_s": rate}
