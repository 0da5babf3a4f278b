"""The history gives back what was recorded: at every resolution, from memory, disk and minutes alike."""

from __future__ import annotations

from collections import defaultdict
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.history.database import FINE_FOR_S
from streams.monitor.history.history import History
from streams.monitor.history.spans import COARSE_S, FINE_S

NOW_S = 1_800_000_000
DAYS = 3
NAMES = ("lag_seconds", "lag_seconds:g:t", "rate_in:g:t")

# Seconds before now; few of them, so that samples meet in spans, minutes and steps.
ages = st.one_of(
    st.integers(0, 120), st.integers(FINE_FOR_S - 130, FINE_FOR_S + 130), st.integers(0, DAYS * 86_400 - 61)
)
samples = st.lists(st.tuples(st.sampled_from(NAMES), ages, st.integers(0, 1000)), max_size=60)
steps = st.sampled_from((10, 20, 40, 60, 90, 300, 3600))


def expected(
    recorded: list[tuple[str, int, int]], name: str, from_s: int, to_s: int, step_s: int
) -> list[float | None]:
    """A recount of the samples. Of older ones only the minute is known, which stands for each part of a short step."""
    found: dict[int, list[int]] = defaultdict(list)
    minutes: dict[int, list[int]] = defaultdict(list)
    rolled = (NOW_S - FINE_FOR_S) // COARSE_S * COARSE_S
    for other, age, value in recorded:
        at = NOW_S - age
        if other != name:
            continue
        if at < rolled and step_s % COARSE_S:
            minutes[at // COARSE_S * COARSE_S].append(value)
        else:
            found[at // step_s * step_s].append(value)
    for minute, values in minutes.items():
        for at in range(minute, minute + COARSE_S, FINE_S):
            if from_s // step_s * step_s <= at:
                found[at // step_s * step_s] += values
    starts = range(from_s // step_s * step_s, -(-to_s // step_s) * step_s, step_s)
    return [_one(name, found[start]) if found[start] else None for start in starts]


def _one(name: str, values: list[int]) -> float:
    return max(values) if name.startswith("lag") else sum(values) / len(values)


@given(samples, steps, ages, st.integers(1, 400), st.sets(st.integers(0, 59)))
def test_series_are_what_was_recorded(
    recorded: list[tuple[str, int, int]], step_s: int, from_age: int, length: int, written_after: set[int]
) -> None:
    from_s = NOW_S - from_age
    to_s = from_s + length * 10
    with TemporaryDirectory() as place, closing(History(Path(place), DAYS, lambda: float(NOW_S))) as history:
        for number, (name, age, value) in enumerate(recorded):
            history.record(name, (NOW_S - age) * 1000, value)
            if number in written_after:
                history.write()
        history._rolled_at = 0.0
        history.write()
        history.close()
        history.write()
        for name in NAMES:
            points = history.series(name, from_s * 1000, to_s * 1000, step_s)
            assert [value for _, value in points] == pytest.approx(expected(recorded, name, from_s, to_s, step_s))
            assert [at for at, _ in points] == [points[0][0] + i * step_s * 1000 for i in range(len(points))]


@given(samples, st.sets(st.integers(0, 59)))
def test_nothing_is_lost_between_two_processes(recorded: list[tuple[str, int, int]], restarts: set[int]) -> None:
    """A process that is killed loses what it had not written; all that was written is there."""
    with TemporaryDirectory() as place:
        history = History(Path(place), DAYS, lambda: float(NOW_S + FINE_S))
        for number, (name, age, value) in enumerate(recorded):
            history.record(name, (NOW_S - age) * 1000, value)
            if number in restarts:
                history.write()
                kill(history)
                history = History(Path(place), DAYS, lambda: float(NOW_S + FINE_S))
                history.write()
        for name in NAMES:
            points = history.series(name, (NOW_S - 86_000) * 1000, (NOW_S + 1) * 1000, 300)
            wanted = expected(recorded, name, NOW_S - 86_000, NOW_S + 1, 300)
            assert [value for _, value in points] == pytest.approx(wanted)
        kill(history)


def kill(history: History) -> None:
    """What the system does for a process that is gone: nothing is written."""
    history._place.leave()
    if history._database is not None:
        history._database.close()
