"""One look at all lines in the store: what is in alarm, since when, what health and metrics say of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prometheus_client import CollectorRegistry

from schemas.records.outcomes import LineWorkflowOutcomes, WindowedOutcomes
from streams.monitor.health import MAX_NAMED, HealthSource, HealthTracker
from streams.monitor.lines.metrics import LineFamilies
from streams.monitor.lines.problems import line_problems
from streams.monitor.lines.watch import LineState, LineWatch
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.settings import MonitorSettings
from streams.rules.calls import SourcePosition
from streams.rules.dimensions import SIP_LINE, WORKFLOW, Dimension
from streams.rules.fanout import fan_out
from streams.rules.labels import OTHER, Labels
from streams.rules.windows import Windows, WindowSettings, window_start
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane
from tests.support.records import callback, change, detail, redial
from tests.support.waiting import PATIENCE_S, wait_until

NOW_MS = NOON_MS + PANE_MS - 1
DAY_PANES = 288
DEAD, WELL, HALF = 0, 45, 20
"""Delivered of fifty dials."""


def put(store: OutcomeStore, line: str, delivered: int, panes: range = range(13), **workflows: int) -> None:
    """Fifty dials a pane, so many of them delivered, in each workflow; pane 0 is the present one, 1 the one before."""
    for back in panes:
        store.put(SIP_LINE, line_pane(line, back, dict.fromkeys(workflows or {"wf": 1}, delivered)), NOW_MS)


def line_pane(line: str, back: int, delivered: dict[str, int], n: int = 50) -> WindowedOutcomes:
    cells: dict[str, LineWorkflowOutcomes] = {
        name: line_workflow(n, hits // 2, delivered=hits, failed=n - hits) for name, hits in delivered.items()
    }
    dials = n * len(cells)
    return pane(
        NOON_MS - back * PANE_MS,
        dimension="sip_line",
        value=line,
        revision=next(REVISIONS),
        attempts=dials,
        by_workflow=cells,
    )


REVISIONS = count(1)


def look(store: OutcomeStore, now_ms: int = NOW_MS) -> LineState:
    return LineWatch(PANE_MS // 1000).look(store, now_ms)


def healthy(*lines: str) -> OutcomeStore:
    store = OutcomeStore()
    for line in lines:
        put(store, line, WELL, range(25))
    return store


def test_healthy_lines_are_no_problem() -> None:
    state = look(healthy("a", "b", "c"))

    assert (state.behind, state.never, state.fallen) == ({}, {}, {})
    assert list(line_problems(state)) == []


def test_a_line_that_fell_half_an_hour_ago_is_behind_since_then() -> None:
    store = healthy("a", "b", "c")
    put(store, "a", HALF, range(6))
    [problem] = line_problems(look(store))

    assert (problem.state, problem.what, problem.link) == ("degraded", "line a falls behind its peers", "/lines/a")
    assert problem.began_ms == NOON_MS - 5 * PANE_MS
    assert problem.evidence == (
        "NER 40 % of 50 dials within 5 min; 2 other lines of the same workflows 90 % of 100; z -6.3"
    )


def test_a_dead_line_is_one_problem_and_a_broken_one() -> None:
    store = healthy("a", "b", "c")
    put(store, "a", DEAD, range(2))
    [problem] = line_problems(look(store))

    assert (problem.state, problem.what) == ("broken", "line a never rings")
    assert problem.evidence == "50 of 50 dials within 5 min failed before a phone rang"
    assert problem.began_ms == NOON_MS - PANE_MS


def test_a_workflow_that_fell_on_all_lines_is_one_problem_and_no_lines() -> None:
    store = healthy("a", "b", "c")
    for line in "abc":
        put(store, line, HALF, range(3))
    [problem] = line_problems(look(store), {"wf": "Survey"}.__getitem__)

    assert (problem.state, problem.what) == ("degraded", "all lines of workflow Survey fell together")
    assert problem.link == "/workflows/wf"
    assert problem.began_ms == NOON_MS - 2 * PANE_MS
    assert problem.evidence.startswith("3 lines delivered 40 % of 150 dials within 5 min, 90 % before")


@pytest.mark.parametrize(("unknown", "falls"), [(0, ["wf"]), (90, [])], ids=["delivered fell", "dials were cancelled"])
def test_stopping_a_workflow_by_hand_is_no_fall(unknown: int, falls: list[str]) -> None:
    store = OutcomeStore()
    for back in range(25):
        for line in "ab":
            hits = {"wf": HALF if back < 3 else WELL}
            store.put(SIP_LINE, line_pane(line, back, hits), NOW_MS)
        ends = {"answered": 40, "pre_alert_failure": 60 - unknown * 6 // 10, "unknown": unknown * 6 // 10}
        usual = {"answered": 90, "pre_alert_failure": 10}
        counts = {"attempts": 100, "attempt_dispositions": ends if back < 3 else usual}
        store.put(WORKFLOW, pane(NOON_MS - back * PANE_MS, value="wf", **counts), NOW_MS)

    assert list(look(store).fallen) == falls


def test_the_same_records_are_looked_at_once_and_new_ones_again() -> None:
    store, watch = healthy("a", "b"), LineWatch(PANE_MS // 1000)
    first = watch.look(store, NOW_MS)

    assert watch.look(store, NOW_MS) is first
    put(store, "a", DEAD, range(2))
    assert watch.look(store, NOW_MS).never.keys() == {"a"}


def test_a_line_that_stopped_over_an_hour_ago_is_in_no_alarm() -> None:
    store, watch = healthy("a", "b"), LineWatch(PANE_MS // 1000)
    put(store, "a", DEAD, range(2))

    assert watch.look(store, NOW_MS).never.keys() == {"a"}
    assert watch.look(store, NOW_MS + 3_600_000 + PANE_MS).never == {}


def test_a_line_without_peers_is_held_to_its_own_days_and_the_problem_says_so() -> None:
    store = healthy("alone")
    for day in range(1, 6):
        put(store, "alone", WELL, range(day * DAY_PANES, day * DAY_PANES + 12))
    put(store, "alone", HALF, range(12))
    [problem] = line_problems(look(store))

    assert problem.what == "line alone falls behind its own past (no control group)"
    assert (
        problem.evidence == "NER 40 % of 600 dials within 60 min; in the same hour of the days before 90 %, 90 to 90 %"
    )


def test_a_line_with_neither_peers_nor_past_is_no_problem() -> None:
    store = OutcomeStore()
    put(store, "new", HALF, range(12))

    assert list(line_problems(look(store))) == []


def test_many_bad_lines_are_few_problems() -> None:
    lines = [f"line-{number:02}" for number in range(40)]
    store = healthy(*lines)
    for line in lines[:20]:
        put(store, line, DEAD, range(2))
    *named, rest = line_problems(look(store))

    assert len(named) == MAX_NAMED
    assert (rest.state, rest.what) == ("broken", "more lines and workflows are in alarm")
    assert rest.evidence.startswith("8 more")


def test_health_begins_where_the_panes_show_it() -> None:
    store = healthy("a", "b", "c")
    put(store, "a", DEAD, range(4))
    tracker, source = HealthTracker(), HealthSource("lag", NOW_MS, None, 60.0, "/lag")
    health = tracker.update([source], None, "worker", NOW_MS, line_problems(look(store)))

    assert [problem.since_ms for problem in health.problems] == [NOON_MS - 3 * PANE_MS]


@dataclass
class Reader:
    """A reader that has read everything just now."""

    caught_up_store: OutcomeStore
    as_of_ms: int | None = NOW_MS


@asynccontextmanager
async def running(watch: LineWatch, store: OutcomeStore) -> AsyncIterator[None]:
    task = asyncio.create_task(watch.run(Reader(store), lambda: NOW_MS / 1000))
    yield
    task.cancel()


async def test_looks_that_fail_make_the_monitor_blind_and_end_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    store, monitor = healthy("a", "b"), Monitor(MonitorSettings(window_s=PANE_MS // 1000))
    put(store, "a", DEAD, range(2))
    monitor.reader.as_of_ms, monitor.reader._is_caught_up = NOW_MS, True
    async with running(monitor.lines, store):
        await wait_until(lambda: monitor.lines.as_of_ms == NOW_MS, PATIENCE_S, "the first look")
    assert "lines" not in " ".join(monitor.reasons_not_ready(NOW_MS))
    assert "line a never rings" in [problem.what for problem in monitor.health(NOW_MS).problems]

    monkeypatch.setattr(monitor.lines, "look", poison)
    async with running(monitor.lines, store):
        await wait_until(lambda: monitor.lines.fault, PATIENCE_S, "a look that fails")
    later = monitor.reader.as_of_ms = NOW_MS + 31_000
    found = {problem.what: problem for problem in monitor.health(later).problems}
    assert found["lines cannot be read"].state == "blind"
    assert "lines cannot be judged: ZeroDivisionError" in found["lines cannot be read"].evidence
    assert "line a never rings" not in found
    assert monitor.line_state(later) == LineState()


def poison(*_: object) -> None:
    raise ZeroDivisionError


def test_a_look_that_failed_is_made_again_though_nothing_is_new(monkeypatch: pytest.MonkeyPatch) -> None:
    store, watch = healthy("a", "b"), LineWatch(PANE_MS // 1000)
    with monkeypatch.context() as patch:
        patch.setattr(watch._alarms, "update", poison)
        with pytest.raises(ZeroDivisionError):
            watch.look(store, NOW_MS)

    assert watch.look(store, NOW_MS).as_of_ms == NOW_MS


def metrics_of(state: LineState, *, cap: int = 100) -> Callable[..., float | None]:
    labels: dict[Dimension, Labels] = {SIP_LINE: Labels(cap), WORKFLOW: Labels(cap)}
    labels[SIP_LINE].keep(sorted(state.views[-1].span.lines))
    labels[WORKFLOW].keep(sorted(state.views[-1].span.workflows))
    registry = CollectorRegistry()
    registry.register(LineFamilies(lambda: state, labels))
    return lambda name, **labels: registry.get_sample_value(name, labels)


def test_metrics_have_the_alarm_of_each_line_and_workflow() -> None:
    store = healthy("a", "b", "c")
    put(store, "a", DEAD, range(2))
    value = metrics_of(look(store))

    assert value("sip_line_anomaly", sip_line="a", kpi="ner") == 1
    assert value("sip_line_anomaly", sip_line="a", kpi="never_rang") == 1
    assert value("sip_line_anomaly", sip_line="b", kpi="ner") == 0
    assert (value("sip_line_anomaly_score", sip_line="a", kpi="ner") or 0) < -4.5
    assert value("workflow_anomaly", workflow="wf", kpi="delivered") == 0


def test_a_line_beyond_the_cap_is_in_alarm_as_other() -> None:
    store = healthy("a", "b", "c")
    put(store, "c", DEAD, range(2))
    value = metrics_of(look(store), cap=2)

    assert value("sip_line_anomaly", sip_line=OTHER, kpi="never_rang") == 1
    assert value("sip_line_anomaly", sip_line="c", kpi="never_rang") is None


def test_a_line_without_peers_has_no_score() -> None:
    value = metrics_of(look(healthy("alone")))

    assert value("sip_line_anomaly", sip_line="alone", kpi="ner") is None
    assert value("sip_line_anomaly", sip_line="alone", kpi="never_rang") == 0
    assert value("sip_line_anomaly_score", sip_line="alone", kpi="ner") is None


# -- the case of research/monitoring.md, line 11: the label blames the callee, and the phone never rang

NEVER_RANG = {"result": "finished", "ring_type": "normal", "hangup_type": "ByCallee"} | dict.fromkeys(
    ("duration", "ring_time", "talk_round"), 0
)
RANG = NEVER_RANG | {"ring_time": 12}


def replayed(calls: int, **fields: Any) -> WindowedOutcomes:
    """A line's window of these callbacks, each with a redial, as the worker counts it."""
    windows = Windows(SIP_LINE, WindowSettings(PANE_MS, 3_600_000))
    zone = ZoneInfo("Asia/Shanghai")
    for number in range(calls):
        again = redial(ring_type="normal", hangup_type="ByCallee", ring_time=fields["ring_time"])
        one = detail(call_id=f"call-{number}", question_answer=[], redial_calls=[again], call_times=2, **fields)
        whole = callback(one)
        added = fan_out(whole, one, 1, zone).outcome
        windows.apply("line-1", change(added=added), SourcePosition(0, number))
    start = window_start(added.ended_at, PANE_MS)
    [pane_id] = windows.panes_of("line-1", change(added=added))
    assert pane_id.start == start
    return windows.result(pane_id)


def test_a_line_that_never_rings_is_found_though_the_vendor_says_the_callee_hung_up() -> None:
    window, store = replayed(20, **NEVER_RANG), OutcomeStore()
    store.put(SIP_LINE, window, window.window_end_at)
    [problem] = line_problems(look(store, window.window_start_at + 1))

    assert problem.what == "line line-1 never rings"
    assert problem.evidence == "40 of 40 dials within 5 min failed before a phone rang"
    # what the vendor's labels alone show: every callee hung up, on a normal ring
    assert (window.hangup_types, window.ring_types) == ({"ByCallee": 20}, {"normal": 20})
    assert window.never_rang_conflicts == 40


def test_the_same_labels_on_a_phone_that_rang_are_no_problem() -> None:
    window, store = replayed(20, **RANG), OutcomeStore()
    store.put(SIP_LINE, window, window.window_end_at)

    assert (window.hangup_types, window.ring_types) == ({"ByCallee": 20}, {"normal": 20})
    assert list(line_problems(look(store, window.window_start_at + 1))) == []
