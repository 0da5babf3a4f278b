"""The NER of all lines over time is what adding up their panes gives, whatever replaces, removes and expires them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes import ner as module
from streams.monitor.outcomes.ner import NerByPane
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.kpis import ner_counts
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
    store, ner = OutcomeStore(), NerByPane(30)
    store.observe(ner.observe)
    for value, number, revision, answered, kind in made:
        if kind == "put":
            store.put(SIP_LINE, line_pane(value, number, revision, answered), NOW)
        else:
            store.delete(SIP_LINE, f"{value}|{START + number * PANE_MS}".encode())
    expected: dict[int, tuple[int, int]] = {}
    for value in store.values(SIP_LINE):
        for window in store.trailing(SIP_LINE, value, range(START, NOW, PANE_MS)):
            delivered, judged = expected.get(window.window_start_at, (0, 0))
            counts = ner_counts(window)
            expected[window.window_start_at] = delivered + counts[0], judged + counts[1]
    kept = {pane.start_at: (pane.delivered, pane.judged) for pane in ner._panes.values() if pane.judged}
    assert kept == expected


def test_what_is_older_than_is_kept_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SWEPT_EVERY", 1)
    ner = NerByPane(1)
    for day in range(5):
        ner.observe(SIP_LINE, None, line_pane("a", day * DAY_PANES, 1, 50))
    assert len(ner._panes) == 2


def test_a_step_has_the_panes_that_touch_it_and_nothing_below_thirty_dials() -> None:
    ner = NerByPane(30)
    for number, answered in ((0, 23), (1, 22), (3, 53)):
        ner.observe(SIP_LINE, None, line_pane("a", number, 1, answered))
        ner.observe(WORKFLOW, None, line_pane("a", number, 1, answered))
    pane_s, fourth = PANE_MS // 1000, START + 4 * PANE_MS
    assert ner.points(START, fourth, pane_s) == [
        (START, 23 / 30),
        (START + PANE_MS, None),
        (START + 2 * PANE_MS, None),
        (START + 3 * PANE_MS, 53 / 60),
    ]
    inside = ner.points(START + 60_000, START + PANE_MS + 60_000, 60)
    assert [value for _, value in inside] == [23 / 30] * 4 + [None]
    twice = START // (2 * PANE_MS) * 2 * PANE_MS
    assert sum(value is not None for _, value in ner.points(twice, fourth, 2 * pane_s)) >= 1
