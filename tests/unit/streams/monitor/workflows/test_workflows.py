"""What the views of workflows add up: funnel, redials, lines, history; and which is the worst, and why."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records.outcomes import QuestionState
from streams.monitor.errors import NotFoundError
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.workflows import spans
from streams.monitor.workflows.detail import MAX_POINTS, workflow_view
from streams.monitor.workflows.lines_used import lines_by_workflow
from streams.monitor.workflows.ranking import HOURS, VERDICTS, by_hour, compared, ranking_view
from streams.monitor.workflows.spans import Span
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.kpis import Z_95, ratio
from streams.rules.proportions import two_proportion_z
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane
from tests.support.records import outcome

SPAN = Span.around(NOON_MS, NOON_MS + 3 * PANE_MS, 300)
HOUR_MS = 3_600_000


def stored(**calls: list[tuple[int, int, int]]) -> OutcomeStore:
    """Panes of workflows: (number of the pane, calls, answered)."""
    store = OutcomeStore()
    for value, panes in calls.items():
        for number, count, answered in panes:
            start = NOON_MS + number * PANE_MS
            store.put(WORKFLOW, pane(start, value=value, calls=count, answered=answered), start)
    return store


def order(store: OutcomeStore) -> list[tuple[str, str]]:
    return [(row["value"], row["verdict"]) for row in ranking_view(store, SPAN, NOON_MS)["workflows"]]


def test_a_span_covers_whole_panes_and_its_before_ends_where_it_begins() -> None:
    span = Span.around(NOON_MS + 1, NOON_MS + PANE_MS + 1, 300)

    assert (span.from_ms, span.to_ms) == (NOON_MS, NOON_MS + 2 * PANE_MS)
    assert (span.before().from_ms, span.before().to_ms) == (NOON_MS - 2 * PANE_MS, NOON_MS)


def test_what_fell_comes_first_then_what_surely_connects_least_then_too_few() -> None:
    store = stored(
        fell=[(0, 400, 160), (-1, 400, 240)],
        low=[(0, 400, 20), (-1, 400, 20)],
        high=[(0, 400, 360), (-1, 400, 200)],
        fresh=[(0, 400, 200)],
        few=[(0, 29, 0), (-1, 400, 200)],
    )

    assert order(store) == [("fell", "fell"), ("low", "steady"), ("fresh", "new"), ("high", "rose"), ("few", "few")]


def test_calls_outside_the_span_are_not_counted() -> None:
    store = stored(wf=[(-1, 5, 5), (0, 10, 4), (2, 10, 4), (3, 7, 7)], gone=[(-1, 50, 50)])
    [row] = ranking_view(store, SPAN, NOON_MS)["workflows"]

    assert (row["value"], row["calls"], row["answered"], row["before"]["calls"]) == ("wf", 20, 8, 5)


def test_the_busiest_are_ranked_when_there_are_too_many_panes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MAX_PANES", 3)
    store = stored(one=[(0, 10, 4)], two=[(0, 10, 4), (1, 10, 4)], three=[(0, 10, 4)])
    answer = ranking_view(store, SPAN, NOON_MS)

    assert (len(answer["workflows"]), answer["left_out"]) == (2, 1)
    assert "two" in [row["value"] for row in answer["workflows"]]


def test_a_workflow_is_not_called_new_for_what_was_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MAX_PANES", 4)
    store = stored(
        one=[(0, 40, 10), *((number, 40, 30) for number in (-3, -2, -1))], two=[(0, 40, 9), (-1, 40, 9), (-2, 40, 9)]
    )
    answer = ranking_view(store, SPAN, NOON_MS)

    assert [(row["value"], row["verdict"]) for row in answer["workflows"]] == [("one", "fell")]
    assert answer["left_out"] == 1


def test_lines_that_were_not_read_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spans, "MAX_PANES", 2)
    store = stored(wf=[(0, 40, 10)])
    for number, line in ((0, "busy"), (1, "busy"), (0, "calm")):
        start = NOON_MS + number * PANE_MS
        dials = {"wf": line_workflow(40, 10)}
        store.put(SIP_LINE, pane(start, dimension="sip_line", value=line, by_workflow=dials), start)
    answer, of_line = ranking_view(store, SPAN, NOON_MS), ranking_view(store, SPAN, NOON_MS, "calm")
    view = workflow_view(store, "wf", SPAN, NOON_MS, NOON_MS)

    assert (answer["workflows"][0]["sip_lines"], answer["sip_lines_unread"]) == (1, 1)
    assert [row["value"] for row in of_line["workflows"]] == ["wf"]
    assert ([used["sip_line"] for used in view["sip_lines"]], view["sip_lines_unread"]) == (["busy"], 1)


@pytest.mark.parametrize(
    ("now", "before", "verdict"),
    [
        (ratio(20, 40), ratio(20, 40), "steady"),
        (ratio(2, 40), ratio(20, 40), "fell"),
        (ratio(38, 40), ratio(20, 40), "rose"),
        (ratio(16, 40), ratio(20, 40), "steady"),
        (None, ratio(20, 40), "few"),
        (ratio(20, 40), None, "new"),
    ],
)
def test_intervals_that_overlap_are_no_fall(now: Any, before: Any, verdict: str) -> None:
    assert compared(now, before) == verdict


def test_words_of_a_verdict_claim_no_more_than_its_intervals_say() -> None:
    now, before = (455, 1000), (500, 1000)

    assert two_proportion_z(*now, *before) < -Z_95
    assert compared(ratio(*now), ratio(*before)) == "steady"
    assert "intervals of the two spans overlap" in VERDICTS["steady"]
    assert not [meaning for meaning in VERDICTS.values() if "chance" in meaning]


def test_each_hour_has_its_rate_and_a_gap_where_calls_are_few() -> None:
    store = stored(wf=[(0, 40, 10), (-12, 20, 20), (-13, 20, 0), (-24, 20, 20)])
    rates = by_hour(store, "wf", NOON_MS + PANE_MS, PANE_MS)

    assert len(rates) == HOURS
    assert rates[-1] == 0.25
    assert [rate for rate in rates[:-1] if rate is not None] == [0.5]


def test_the_funnel_is_in_the_order_asked_and_counts_what_came_of_each() -> None:
    counts = OutcomeCounts()
    for number in range(40):
        states = {"zero": "completed", "one": "skipped" if number < 10 else "completed"}
        states["last"] = "completed" if number < 30 else "broke_off" if number < 35 else "not_reached"
        asked = [QuestionState(question_name=name, state=state) for name, state in states.items()]
        counts.add(outcome(questions=asked), by_workflow=False)
    store = OutcomeStore()
    store.put(WORKFLOW, pane(**counts.fields()), NOON_MS)  # type: ignore[arg-type]  # counts have no bounds

    view = workflow_view(store, "wf-1", SPAN, NOON_MS, NOON_MS)

    assert [one["question"] for one in view["questions"]] == ["zero", "one", "last"]
    assert [one["position"] for one in view["questions"]] == [1, 2, 3]
    last = view["questions"][-1]
    assert (last["calls"], last["reached"], last["broke_off"], last["not_reached"]) == (40, 35, 5, 5)
    assert last["ratios"]["broke_off"]["value"] == 0.125
    assert view["now"]["kpis"]["completion"]["value"] == 0.75


def test_each_dial_has_its_lift() -> None:
    window = pane(reached_attempt={"1": 100, "2": 50, "5+": 10}, answered_on_attempt={"1": 40, "2": 10, "5+": 1})
    store = OutcomeStore()
    store.put(WORKFLOW, window, NOON_MS)
    redials = {one["attempt"]: one for one in workflow_view(store, "wf-1", SPAN, NOON_MS, NOON_MS)["redials"]}

    assert list(redials) == ["1", "2", "3", "4", "5+"]
    assert (redials["2"]["reached"], redials["2"]["answered"], redials["2"]["lift"]["value"]) == (50, 10, 0.2)
    assert (redials["3"]["reached"], redials["3"]["lift"]) == (0, None)
    assert (redials["5+"]["reached"], redials["5+"]["lift"]) == (10, None)


def test_the_lines_of_a_workflow_are_those_that_dialled_for_it_in_the_span() -> None:
    store = stored(**{"wf-1": [(0, 40, 20)]})
    for number, line, workflows in ((0, "a", {"wf-1": 5}), (1, "a", {"wf-1": 6, "wf-2": 9}), (0, "b", {"wf-1": 50})):
        dials = {workflow: line_workflow(count, 1, count - 1, 1) for workflow, count in workflows.items()}
        start = NOON_MS + number * PANE_MS
        fields = {"attempts": 80, "attempt_dispositions": {"answered": 60, "pre_alert_failure": 20}}
        record = pane(start, dimension="sip_line", value=line, by_workflow=dials, **fields)
        store.put(SIP_LINE, record, start)
    store.put(SIP_LINE, pane(NOON_MS - PANE_MS, dimension="sip_line", value="old", by_workflow=dials), NOON_MS)

    assert {w: [used.line for used in lines] for w, lines in lines_by_workflow(store, SPAN)[0].items()} == {
        "wf-1": ["b", "a"],
        "wf-2": ["a"],
    }
    first, second = workflow_view(store, "wf-1", SPAN, NOON_MS, NOON_MS)["sip_lines"]
    assert (first["sip_line"], first["attempts"], first["delivered_ratio"]["value"]) == ("b", 50, 0.98)
    assert (first["ner"]["value"], first["ner_samples"]) == (0.75, 80)
    assert (second["attempts"], second["delivered"], second["delivered_ratio"]) == (11, 9, None)


@pytest.mark.parametrize("hours", [0.25, 6, 24, 168, 744])
def test_the_history_is_bounded_covers_the_span_and_loses_no_call(hours: float) -> None:
    store = stored(wf=[(number, 3, 1) for number in range(-24, 0)])
    span = Span.around(NOON_MS - int(hours * HOUR_MS), NOON_MS, 300)
    history = workflow_view(store, "wf", span, NOON_MS, NOON_MS)["history"]

    assert len(history["points"]) <= MAX_POINTS + 1
    assert history["step_s"] % 300 == 0
    assert sum(point["calls"] for point in history["points"]) == 24 * 3


def test_an_unknown_workflow_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        workflow_view(OutcomeStore(), "wf", SPAN, NOON_MS, NOON_MS)
