"""What is drawn is what is known: gaps stay gaps, bars add up, the table has the chart's numbers."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.monitor.pages.drawing import Chart, Line, Strip, shares, spans_over, spark


def test_a_sparkline_has_a_gap_where_nobody_looked() -> None:
    assert spark([1, 1, None, 1]) == ["0.0,2.0 32.0,2.0", "96.0,2.0 94.5,2.0"]
    assert spark([None, None]) == []
    assert spark([]) == []


def test_a_sparkline_begins_at_zero_and_keeps_its_top() -> None:
    assert spark([0, 5], top=10) == ["0.0,22.0 96.0,12.0"]
    assert spark([0, 0]) == ["0.0,22.0 96.0,22.0"]


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), max_size=9))
def test_the_parts_of_a_bar_fill_it_and_do_not_overlap(counts: dict[str, int]) -> None:
    parts = shares(counts)

    assert [part.count for part in parts] == [count for count in counts.values() if count]
    assert not parts or parts[-1].x + parts[-1].width == pytest.approx(100, abs=0.05)
    assert all(one.x + one.width == pytest.approx(after.x, abs=0.02) for one, after in pairwise(parts))


def test_the_table_beside_a_chart_has_its_newest_numbers_and_is_bounded() -> None:
    at_ms = [1000 * n for n in range(1000)]
    chart = Chart("Lag", at_ms, [Strip("lag", "s", [Line("lag", [float(n) for n in range(1000)])])])

    assert chart.table[0] == (999_000, [999.0])
    assert len(chart.table) <= 60
    assert json.loads(chart.json)["strips"][0]["lines"][0]["values"][-1] == 999.0


def test_what_is_shaded_is_where_the_value_was_over_the_limit() -> None:
    at_ms = [0, 10, 20, 30, 40]

    assert spans_over(at_ms, [10, 11, 12, None, 11], 10) == [(10, 30), (40, 40)]
    assert spans_over([], [], 10) == []
