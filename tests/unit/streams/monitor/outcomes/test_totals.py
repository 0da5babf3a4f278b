"""The counts of all lines over time are what adding up their panes gives, whatever replaces and removes them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes import totals as module
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.outcomes.totals import Totals
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.kpis import kpi_counts
from tests.support.panes import PANE_MS, pane

START = 1_800_000_000_000 - 1_800_000_000_000 % PANE_MS
DAY_PANES = 86_400_000 // PANE_MS
NOW = START + 10 * PANE_MS

changes = st.lists(
    st.tuples(
        st.sampled_from("ab"),
        st.integers(0, 3),
        st.integers(1, 4),
        st.integers(0, 50),
        st.sampled_from(["put", "delete"]),
    ),
    max_size=30,
)


def line_pane(value: str, number: int, revision: int, answered: int) -> WindowedOutcomes:
    dials = {"answered": answered, "pre_alert_failure": 7, "bad_number": 3}
    start = START + number * PANE_MS
    counts = {"attempts": answered + 10, "attempt_dispositions": dials}
    return pane(start, value=value, dimension="sip_line", revision=revision, **counts)


@given(changes)
def test_the_sums_follow_every_change(made: list[tuple[str, int, int, int, str]]) -> None:
    store, totals = OutcomeStore(), Totals(30)
    store.observe(totals.observe)
    for value, number, revision, answered, kind in made:
        if kind == "put":
            store.put(SIP_LINE, line_pane(value, number, revision, answered), NOW)
        else:
            store.delete(SIP_LINE, f"{value}|{START + number * PANE_MS}".encode())
    expected: dict[int, dict[str, tuple[int, int]]] = {}
    for value in store.values(SIP_LINE):
        for window in store.trailing(SIP_LINE, value, range(START, NOW, PANE_MS)):
            sums = expected.setdefault(window.window_start_at, dict.fromkeys(module.KPIS, (0, 0)))
            for name in module.KPIS:
                part, whole = kpi_counts(window)[name]
                sums[name] = sums[name][0] + part, sums[name][1] + whole
    kept = {pane.start_at: pane.counts for pane in totals.beginning_in(START, NOW) if pane.counts["asr"][1]}
    assert kept == expected


def test_what_is_older_than_is_kept_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEPT_EVERY", 1)
    totals = Totals(1)
    for day in range(5):
        totals.observe(SIP_LINE, None, line_pane("a", day * DAY_PANES, 1, 50))
    assert len(totals._panes) == 2


def test_a_step_has_the_panes_that_touch_it_and_nothing_below_thirty_dials() -> None:
    totals = Totals(30)
    for number, answered in ((0, 23), (1, 22), (3, 53)):
        totals.observe(SIP_LINE, None, line_pane("a", number, 1, answered))
        totals.observe(WORKFLOW, None, line_pane("a", number, 1, answered))
    pane_s, fourth = PANE_MS // 1000, START + 4 * PANE_MS
    assert totals.ner(START, fourth, pane_s) == [
        (START, 0.766667),
        (START + PANE_MS, None),
        (START + 2 * PANE_MS, None),
        (START + 3 * PANE_MS, 0.883333),
    ]
    inside = totals.ner(START + 60_000, START + PANE_MS + 60_000, 60)
    assert [value for _, value in inside] == [0.766667] * 4 + [None]
    twice = START // (2 * PANE_MS) * 2 * PANE_MS
    assert sum(value is not None for _, value in totals.ner(twice, fourth, 2 * pane_s)) >= 1
