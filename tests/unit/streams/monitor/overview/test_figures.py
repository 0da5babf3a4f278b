"""The five numbers compare a range with as long before it, and say nothing that nobody saw."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from streams.monitor.outcomes.totals import Totals
from streams.monitor.overview.figures import Figure, PaneRange, figures
from streams.monitor.overview.strip import strip
from streams.rules.dimensions import SIP_LINE
from tests.support.panes import PANE_MS, pane

START = 1_800_000_000_000
QUARTER = 3 * PANE_MS
NOW = START + 2 * QUARTER + 120_000


class Recorded:
    """A history: one value for every step of 10 s of each series."""

    def __init__(self, **values: dict[int, float]) -> None:
        self._values = values

    def __call__(self, name: str, from_ms: int, to_ms: int, step_s: int) -> Sequence[tuple[int, float | None]]:
        step = step_s * 1000
        found = self._values.get(name, {})
        steps = range(from_ms // step * step, to_ms, step)
        return [(at, max((v for t, v in found.items() if at <= t < at + step), default=None)) for at in steps]


def filled(*panes: tuple[int, int, int]) -> Totals:
    totals = Totals(30)
    for number, answered, failed in panes:
        dials = {"answered": answered, "pre_alert_failure": failed, "no_answer": 10}
        counts = {"attempts": answered + failed + 10, "attempt_dispositions": dials}
        totals.observe(SIP_LINE, None, pane(START + number * PANE_MS, dimension="sip_line", **counts))
    return totals


def made(series: Recorded, totals: Totals, to_ms: int = NOW) -> dict[str, Figure]:
    return {figure.name: figure for figure in figures(series, totals, to_ms - QUARTER, to_ms, PANE_MS, NOW)}


def test_ratios_are_of_whole_panes_up_to_the_one_that_lasts_against_as_many_before() -> None:
    totals = filled((0, 40, 50), (1, 40, 50), (3, 40, 50), (4, 40, 0), (5, 50, 0), (6, 60, 0))
    found = made(Recorded(), totals)

    assert (found["asr"].value, found["asr"].n) == (round(150 / 180, 6), 180)
    assert (found["asr"].before, found["asr"].n_before) == (0.4, 200)
    assert found["failure_ratio"].value == 0
    assert found["ner"].before == 0.5
    assert (found["ner"].low or 0) < 1 == found["ner"].high
    assert [value for value in found["ner"].hour if value is not None] == [0.5, 0.5, 0.5, 1, 1, 1]


def test_below_thirty_dials_there_is_no_ratio_but_its_n() -> None:
    figure = made(Recorded(), filled((6, 19, 0)))["asr"]
    assert (figure.value, figure.n, figure.low) == (None, 29, None)


def test_readings_have_the_mean_or_the_worst_of_the_range_and_the_newest_while_it_is_new() -> None:
    ends = (NOW - 10_000, NOW - 60_000, NOW - QUARTER - 10_000)
    series = Recorded(
        received_per_s=dict(zip(ends, (2.0, 4.0, 9.0), strict=True)),
        lag_seconds=dict(zip(ends, (1.0, 30.0, 2.0), strict=True)),
    )
    found = made(series, Totals(30))
    rate, lag = found["received_per_s"], found["lag_seconds"]
    assert (rate.now, rate.value, rate.before) == (2, 3, 9)
    assert (lag.now, lag.value, lag.before) == (1, 30, 2)

    old = Recorded(lag_seconds={NOW - 60_000: 30.0})
    assert made(old, Totals(30))["lag_seconds"].now is None


def test_what_nobody_saw_is_not_zero() -> None:
    found = made(Recorded(), Totals(30))
    assert {figure.value for figure in found.values()} == {None}
    assert all(value is None for figure in found.values() for value in figure.hour)


@pytest.mark.parametrize(("length", "panes"), [(QUARTER, 3), (PANE_MS, 1), (1000, 1), (4 * QUARTER, 12)])
def test_a_range_is_as_many_whole_panes_as_it_is_long(length: int, panes: int) -> None:
    found = PaneRange.around(NOW - length, NOW, PANE_MS)
    assert found.end_ms - PANE_MS <= NOW < found.end_ms
    assert found.end_ms - found.start_ms == panes * PANE_MS
    assert found.before() == PaneRange(found.start_ms - panes * PANE_MS, found.start_ms)


def test_the_strip_is_shaded_where_the_worker_was_behind() -> None:
    lags = {NOW - minutes * 60_000: lag for minutes, lag in ((10, 9.9), (9, 11.0), (8, 500.0), (7, 1.0), (3, 12.0))}
    found = strip(Recorded(lag_seconds=lags), NOW - QUARTER, NOW)

    minute = NOW // 60_000 * 60_000
    assert found.over_slo == [
        (minute - 9 * 60_000, minute - 7 * 60_000),
        (minute - 3 * 60_000, minute - 2 * 60_000),
    ]
    assert found.at_ms[-1] - found.at_ms[0] == 59 * 60_000
    assert {len(values) for values in found.values.values()} == {len(found.at_ms)}


def test_the_strip_begins_with_the_first_reading_of_six_hours() -> None:
    long_ago = Recorded(lag_seconds={NOW - 3 * 3_600_000: 1.0, NOW - 7 * 3_600_000: 1.0}, ner={NOW: 0.9})
    found = strip(long_ago, NOW - QUARTER, NOW)
    assert found.at_ms[0] == (NOW - 3 * 3_600_000) // 60_000 * 60_000
    assert len(strip(Recorded(), NOW - 24 * 3_600_000, NOW).at_ms) == 24 * 3_600 // 300 + 1
