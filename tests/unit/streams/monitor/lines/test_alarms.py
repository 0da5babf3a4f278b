"""The line alarm on simulated traffic of a known bad line, and on cases that a person can follow.

`python -m tests.benchmarks.line_alarms` runs the same for many weeks; streams/monitor/README.md has its figures.
"""

from __future__ import annotations

import numpy as np
import pytest

from streams.monitor.lines.alarms import Behind, LineAlarms, SpanView
from streams.monitor.lines.comparing import Against, Band, band_of, standing, with_own_past, with_peers
from streams.monitor.lines.tallies import Dials, Span
from streams.rules.bounds import OTHER
from streams.rules.proportions import Comparison
from tests.support.line_traffic import (
    DAY_PANES,
    WEEK_PANES,
    looks,
    panes_until_found,
    traffic,
    watch,
)

NOTHING: dict[str, Dials] = {}


def span(lines: dict[str, dict[str, tuple[int, int]]]) -> Span:
    """lines: of each line by workflow, (judged dials, those delivered)."""
    return Span.of(
        (line, tuple(part for name, (n, hits) in workflows.items() for part in (name, n, n, hits)))
        for line, workflows in lines.items()
    )


def alarms_of(alarms: LineAlarms, *spans: Span, start_ms: int = 0, since_ms: int = 0) -> dict[str, Behind]:
    """One look at these spans, the shortest first."""
    seconds = (300, 900, 3600)[-len(spans) :]
    views = [SpanView(length, start_ms, found) for length, found in zip(seconds, spans, strict=True)]
    alarms.update(views, lambda _: None, lambda _: since_ms, lambda _: since_ms)
    return alarms.behind


HEALTHY = {"a": {"w": (200, 170)}, "b": {"w": (200, 172)}, "c": {"w": (200, 168)}}


@pytest.mark.parametrize(
    ("dials", "in_half", "in_most"), [(200, 1, 2), (60, 3, 9), (30, 7, 11)], ids=["200", "60", "30"]
)
def test_a_line_that_lost_60_percent_is_found_within_panes(dials: int, in_half: int, in_most: int) -> None:
    found = panes_until_found(range(40), dials)

    assert np.median(found) <= in_half
    assert np.percentile(found, 95) <= in_most


@pytest.mark.parametrize("dials", [200, 60])
def test_healthy_lines_that_differ_by_some_points_raise_hardly_an_alarm(dials: int) -> None:
    """12 lines for a week, with a change of the list in the middle; 0.05 alarms a line and week would be 0.6."""
    weeks = [traffic(seed, WEEK_PANES, dials, list_from=1000 + 50 * seed, differ=0.02) for seed in range(3)]

    said = [watch(week, looks(week.panes)) for week in weeks]

    assert [week.began for week in said] == [[], [], []]
    assert [len(week.notices) for week in said] == [1, 1, 1]


def test_a_change_of_the_list_is_one_notice_and_no_alarm() -> None:
    found = traffic(3, DAY_PANES, 200, list_from=150)

    said = watch(found, looks(found.panes, per_pane=5))

    assert said.began == []
    assert [minute // 5 - 150 for minute, _ in said.notices] in ([0], [1])
    assert said.notices[0][1].lines == 4


def test_a_bad_line_is_an_alarm_and_no_notice() -> None:
    found = traffic(4, DAY_PANES, 200, bad=0.4, bad_from=150)

    said = watch(found, looks(found.panes))

    assert [line for _, line in said.began] == ["line-0"]
    assert said.ended == []
    assert said.notices == []


@pytest.mark.parametrize("bad", [0.7, 0.75, 0.8])
def test_a_line_on_the_edge_of_the_alarm_does_not_flap(bad: float) -> None:
    found = traffic(5, 2 * DAY_PANES, 200, bad=bad, bad_from=50)

    said = watch(found, looks(found.panes, per_pane=5))

    assert len([line for _, line in said.began if line == "line-0"]) <= 2


def test_a_line_that_was_mended_is_well_within_three_panes() -> None:
    found = traffic(6, 120, 200, bad=0.4, bad_from=40)
    mended = traffic(7, 120, 200)
    found.dials[:, 401:] = found.dials[:, [400]] + mended.dials[:, 401:] - mended.dials[:, [400]]
    found.delivered[:, 401:] = found.delivered[:, [400]] + mended.delivered[:, 401:] - mended.delivered[:, [400]]

    said = watch(found, looks(found.panes))

    assert [(line, 0 <= minute // 5 - 80 <= 2) for minute, line in said.ended] == [("line-0", True)]


def test_an_alarm_holds_while_too_little_is_known_and_ends_when_nothing_is() -> None:
    alarms = LineAlarms()
    dead = HEALTHY | {"a": {"w": (200, 0)}}
    few = HEALTHY | {"a": {"w": (5, 5)}}
    gone = {line: dials for line, dials in HEALTHY.items() if line != "a"}

    assert alarms_of(alarms, span(dead), since_ms=7).keys() == {"a"}
    assert alarms_of(alarms, span(few), since_ms=9)["a"].since_ms == 7
    assert alarms_of(alarms, span(gone)) == {}


def test_panes_of_before_the_fall_do_not_say_that_the_line_is_well() -> None:
    alarms = LineAlarms()
    alarms_of(alarms, span(HEALTHY | {"a": {"w": (200, 20)}}), since_ms=1000)
    few = span(HEALTHY | {"a": {"w": (9, 1)}})
    hour = span(HEALTHY | {"a": {"w": (2000, 1700)}})

    assert alarms_of(alarms, few, few, hour, start_ms=0).keys() == {"a"}
    assert alarms_of(alarms, few, few, hour, start_ms=1000).keys() == set()


def test_a_drop_that_is_sure_but_small_is_no_alarm() -> None:
    """90 % against 80 % of very many dials."""
    found = span({"a": {"w": (9000, 7200)}, "b": {"w": (9000, 8100)}})

    assert with_peers(found, "a").z < -4.5
    assert alarms_of(LineAlarms(), found) == {}


def test_a_large_drop_of_few_dials_is_no_alarm() -> None:
    assert alarms_of(LineAlarms(), span({"a": {"w": (29, 0)}, "b": {"w": (500, 490)}})) == {}


def test_a_line_with_another_mix_of_workflows_is_not_blamed() -> None:
    mixed = {"a": {"hard": (900, 450), "easy": (100, 90)}, "b": {"hard": (100, 50), "easy": (900, 810)}}

    assert alarms_of(LineAlarms(), span(mixed)) == {}


def test_a_bad_peer_is_not_the_fault_of_the_healthy_line() -> None:
    assert alarms_of(LineAlarms(), span({"a": {"w": (200, 170)}, "b": {"w": (200, 10)}})).keys() == {"b"}


def test_two_lines_of_three_that_fall_are_both_found() -> None:
    fallen = span({"a": {"w": (300, 30)}, "b": {"w": (300, 20)}, "c": {"w": (300, 260)}})

    assert alarms_of(LineAlarms(), fallen).keys() == {"a", "b"}


def test_workflows_beyond_those_named_have_no_peers() -> None:
    found = span({"a": {OTHER: (500, 0)}, "b": {OTHER: (500, 450)}})

    assert with_peers(found, "a") == Comparison()
    assert found.of_line("a").judged == 500


def test_a_line_none_of_whose_dials_rings_is_found_though_it_has_no_peers() -> None:
    alarms = LineAlarms()
    alarms_of(alarms, span({"a": {"w": (40, 0)}}), since_ms=5)

    assert (alarms.never["a"].since_ms, alarms.never["a"].dials.judged) == (5, 40)
    alarms_of(alarms, span({"a": {"w": (40, 3)}}))
    assert alarms.never.keys() == {"a"}
    alarms_of(alarms, span({"a": {"w": (40, 5)}}))
    assert alarms.never == {}


def test_twenty_nine_dials_that_fail_are_too_few_to_call_a_line_dead() -> None:
    alarms = LineAlarms()
    alarms_of(alarms, span({"a": {"w": (29, 0)}}))

    assert alarms.never == {}


def days(*shares: float) -> list[Dials]:
    return [Dials(1000, 1000, round(1000 * share)) for share in shares]


def test_without_peers_a_line_is_compared_with_its_own_same_hour_before() -> None:
    usual = days(0.9, 0.88, 0.91, 0.9, 0.87)
    band = band_of(usual)
    assert band is not None
    alarms, found = LineAlarms(), span({"a": {"w": (400, 200)}})

    alarms.update(
        [SpanView(3600, 0, found)],
        lambda line: (with_own_past(found.of_line(line), usual, band), band),
        lambda _: 3,
        lambda _: 3,
    )

    assert alarms.behind["a"].against is Against.OWN_PAST
    assert alarms.behind["a"].band == pytest.approx(Band(0.9 - 2 * 0.014826, 0.9, 0.9 + 2 * 0.014826))


def test_a_line_whose_days_differ_widely_is_within_its_band() -> None:
    usual = days(0.9, 0.2, 0.8, 0.3, 0.7)
    band = band_of(usual)

    assert band is not None
    assert standing(with_own_past(Dials(400, 400, 200), usual, band), band).value == "undecided"


def test_two_days_are_no_past() -> None:
    assert band_of([*days(0.9, 0.8), Dials(29, 29, 29)]) is None
