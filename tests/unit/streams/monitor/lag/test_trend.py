"""Whether a backlog grows or shrinks, in one word, as the page and the terminal say it."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from rich.console import Console

from streams.monitor.lag.table import lag_table
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.trend import Trend, Trends, trend_of


def look(at_s: int, *lags: int | None, topic: str = "orders") -> LagSnapshot:
    rows = tuple(PartitionLag(topic, n, 0, 0, lag or 0, lag, None, "ok") for n, lag in enumerate(lags))
    return LagSnapshot(at_s * 1000, (GroupLag("g", "Stable", 1, rows, {}),), {}, {}, {})


@pytest.mark.parametrize(
    ("before", "after", "word"),
    [
        ([100, 100], [111, 111], "growing"),
        ([100], [89], "shrinking"),
        ([100], [109], "steady"),
        ([100], [91], "steady"),
        ([0], [1], "steady"),
        ([0], [2], "growing"),
        ([], [5], ""),
        ([5], [], ""),
    ],
)
def test_a_tenth_or_a_record_more_is_growing(before: list[float], after: list[float], word: Trend) -> None:
    assert trend_of(before, after) == word


@pytest.mark.parametrize(
    ("lag", "word"),
    [
        (lambda s: 10 * s, "growing"),
        (lambda s: 5000 - 10 * s, "shrinking"),
        (lambda s: 7, "steady"),
        (lambda s: None, ""),
    ],
)
def test_the_partitions_of_a_topic_together_have_one_trend(lag: Callable[[int], int | None], word: Trend) -> None:
    trends = Trends()
    for second in range(0, 300, 2):
        trends.add(look(second, lag(second), lag(second)))

    assert trends.of("g", "orders") == word


def test_the_first_seconds_have_no_trend_and_long_ago_has_no_say() -> None:
    trends = Trends()
    for second in range(0, 20, 2):
        trends.add(look(second, 10 * second))
    early = trends.of("g", "orders")
    for second in range(20, 600, 2):
        trends.add(look(second, 200))

    assert (early, trends.of("g", "orders")) == ("", "steady")


def test_a_topic_that_is_gone_is_forgotten() -> None:
    trends = Trends()
    for second in range(0, 60, 2):
        trends.add(look(second, 10 * second))
    trends.add(look(60, 1, topic="bills"))

    assert (trends.of("g", "orders"), trends.of("nobody", "orders")) == ("", "")


def test_the_terminal_has_the_word_in_a_column() -> None:
    trends = Trends()
    for second in range(0, 60, 2):
        trends.add(look(second, 10 * second))
    console = Console(file=StringIO(), width=80)
    console.print(lag_table(look(60, 600), trends=trends))
    assert isinstance(console.file, StringIO)
    [head, row] = console.file.getvalue().splitlines()

    assert (head.split()[-1], row.split()[-1]) == ("trend", "growing")
