"""Windows counted again from the records: as the worker counts them, and every other result is told apart."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from schemas.records.outcomes import CallOutcome, OutcomeChange, WindowedOutcomes
from schemas.records.webhooks import Callback
from streams.rules.calls import SourcePosition
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW, Dimension
from streams.rules.fanout import FanOut, fan_out
from streams.rules.panes import PaneId
from streams.rules.windows import Effect, Windows, WindowSettings
from streams.tools.recount.comparison import Evidence, WindowComparison, WindowState, compare
from streams.tools.recount.ledger import Ledger, Scope, WindowKey
from tests.support.deliveries import delivery, detail, question, redial
from tests.support.topics import callback_of

UTC = ZoneInfo("UTC")
MINUTE = 60_000
HOUR = 60 * MINUTE
SETTINGS = WindowSettings(5 * MINUTE, HOUR)
START = 1_710_163_500_000  # 2024-03-11 13:25:00, the start of a window
AT = START + 12_000


class History:
    """Deliveries processed as the worker does, and the records it publishes of them."""

    def __init__(self, scope: Scope | None = None) -> None:
        self.ledger = Ledger(SETTINGS, scope)
        self.fanned: list[FanOut] = []
        self.late: list[FanOut] = []
        self._windows = {dimension: Windows(dimension, SETTINGS) for dimension in DIMENSIONS}
        self._latest: dict[str, FanOut] = {}
        self.published: dict[WindowKey, WindowedOutcomes] = {}

    def tell(self, told: dict[str, Any], received_at: int = AT) -> FanOut:
        """One delivery, all of its details; the last one's records."""
        callback = callback_of(told, received_at)
        for offset, one in enumerate(callback.details):
            alone = structs.replace(callback, details=[one], detail_offset=offset)
            self._tell(alone)
        return self.fanned[-1]

    def _tell(self, callback: Callback) -> None:
        [one] = callback.details
        known = self._latest.get(one.call_id or "")
        fanned = fan_out(callback, one, known.call.revision + 1 if known else 1, UTC)
        for dimension in DIMENSIONS:
            effects = self._apply(dimension, known.outcome if known else None, fanned)
            if dimension is WORKFLOW and effects[-1] is Effect.LATE:
                self.late.append(fanned)
        self._latest[one.call_id or ""] = fanned
        self.fanned.append(fanned)

    def _apply(self, dimension: Dimension, old: CallOutcome | None, fanned: FanOut) -> list[Effect]:
        """As the worker does it; one after the other when the call changes its workflow or line."""
        value_of, new = dimension.value_of, fanned.outcome
        if old is None or value_of(old) == value_of(new):
            changes: list[tuple[str, CallOutcome | None, CallOutcome | None]] = [(value_of(new), old, new)]
        else:
            changes = [(value_of(old), old, None), (value_of(new), None, new)]
        return [self._change(dimension, value, gone, come, fanned) for value, gone, come in changes]

    def _change(
        self, dimension: Dimension, value: str, gone: CallOutcome | None, come: CallOutcome | None, fanned: FanOut
    ) -> Effect:
        change = OutcomeChange(
            record_id=fanned.call.record_id,
            call_id=fanned.call.call_id,
            source_topic="t",
            source_partition=0,
            source_offset=len(self.fanned),
            received_at=fanned.call.received_at,
            is_event_time_trusted=True,
            removed=gone,
            added=come,
        )
        windows = self._windows[dimension]
        effect = windows.apply(value, change, SourcePosition(0, len(self.fanned)))
        for pane_id in windows.pop_changes()[1]:
            self.published[WindowKey(dimension.name, *pane_id)] = WindowedOutcomes.from_datum(
                windows.result(PaneId(*pane_id)).to_datum()
            )
        return effect

    def windows(self, fanned: Iterable[FanOut] | None = None, **known: Any) -> list[WindowComparison]:
        """What a recount says of the published records; of others, when given."""
        records = list(self.fanned if fanned is None else fanned)
        for one in records:
            self.ledger.add_call(one.call)
        for one in self.late:
            self.ledger.add_late(one.call)
        for one in reversed(records):  # topics keep no order among each other
            for answer in one.answers:
                self.ledger.add_answer(answer)
            for attempt in one.attempts:
                self.ledger.add_attempt(attempt)
        return compare(self.ledger, Evidence(self.published, **known))

    def states(self, **known: Any) -> dict[WindowKey, WindowState]:
        """The state of each window."""
        return {window.key: window.state for window in self.windows(**known)}


def call(call_id: str, end: str = "13:25:12", workflow: str = "wf", line: str = "L", **fields: Any) -> dict[str, Any]:
    """A delivery of one call that ended that day at that time."""
    return delivery(detail(call_id, f"2024-03-11 {end}", **fields), workflow=workflow, line=line)


def at(text: str) -> int:
    """Epoch ms of HH:MM that day."""
    hours, minutes = map(int, text.split(":"))
    return START + (hours - 13) * HOUR + (minutes - 25) * MINUTE


def wf(start: int = START, value: str = "wf") -> WindowKey:
    return WindowKey(WORKFLOW.name, value, start)


def line(start: int = START, value: str = "L") -> WindowKey:
    return WindowKey(SIP_LINE.name, value, start)


def test_calls_of_every_kind_are_counted_as_the_worker_counts_them() -> None:
    history = History()
    history.tell(call("answered"))
    history.tell(
        call("busy", duration=0, talk_round=0, ring_type="busy", hangup_type="ByCallee", ring_time=0, call_times=4)
    )
    history.tell(call("silent", duration=0, ring_time=0, ring_type=None, hangup_type="ByCallee", talk_round=0))
    history.tell(call("again", redail_call=[redial("r1", "2024-03-11 13:20:00", ring_time=0)], call_times=2))
    history.tell(
        call("asked", question_answer=[question("Q", "Asked", whether_answer="Hangup"), question("Q", "Skip")])
    )
    history.tell(call("absurd", duration=10**15, ring_time=-5, line="other"))
    history.tell(delivery(detail("one"), detail("two", duration=0), workflow="several"))

    assert len(history.published) == 5
    assert set(history.states().values()) == {WindowState.EQUAL}


def test_a_repeated_record_changes_nothing() -> None:
    history = History()
    first = history.tell(call("a", redail_call=[redial("r1", "2024-03-11 13:20:00")]))

    assert {v.state for v in history.windows([first, first, first])} == {WindowState.EQUAL}


@pytest.mark.parametrize(
    "corrected",
    [
        call("a", duration=0, talk_round=0, ring_type="busy"),
        call("a", end="13:30:10"),
        call("a", workflow="other"),
        call("a", line="other", end="13:30:10"),
        call("a", question_answer=[], redail_call=[redial("r1", "2024-03-11 13:20:00")]),
    ],
    ids=["content", "window", "workflow", "line and window", "fewer answers, more dials"],
)
def test_a_correction_counts_as_its_latest_revision_only(corrected: dict[str, Any]) -> None:
    history = History()
    history.tell(call("a"))
    history.tell(call("b"))
    history.tell(corrected)

    windows = history.windows()

    assert {window.state for window in windows} == {WindowState.EQUAL}
    assert sum(counts.calls for counts in history.ledger.windows().values()) == 4


def test_a_delivery_that_tells_one_call_twice_gives_each_revision_its_own_dials() -> None:
    history = History()
    twice = delivery(
        detail("a", redail_call=[redial("r1", "2024-03-11 13:20:00"), redial("r2", "2024-03-11 13:21:00")]),
        detail("a", duration=0, talk_round=0, ring_type="busy"),
    )
    history.tell(twice)

    assert set(history.states().values()) == {WindowState.EQUAL}


def test_a_wrong_count_is_named_with_its_window_field_and_both_numbers() -> None:
    history = History()
    history.tell(call("a"))
    history.published[wf()] = structs.replace(history.published[wf()], talk_round_sum=9, dispositions={"rejected": 1})

    [wrong] = [window for window in history.windows() if window.cells]

    assert (wrong.key, wrong.state) == (wf(), WindowState.DIFFERENT)
    assert wrong.cells == [("dispositions.answered", 1, 0), ("dispositions.rejected", 0, 1), ("talk_round_sum", 5, 9)]


def test_a_window_over_its_names_is_equal_whoever_came_first_and_different_by_its_sums(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("streams.rules.counts.MAX_WORDS", 2)
    history = History()
    for number in range(6):
        history.tell(call(f"c{number}", result_label=f"label {number}", question_answer=[question(f"{number}")]))
    published = history.published[wf()]
    assert published.overflow == {"result_labels": 4, "questions": 4}
    others_named = structs.replace(published, result_labels={"label 4": 1, "label 5": 1, "other": 4})

    history.published[wf()] = others_named
    assert set(history.states().values()) == {WindowState.EQUAL}
    history.published[wf()] = structs.replace(others_named, result_labels={"label 4": 1, "other": 4})
    assert history.states()[wf()] is WindowState.DIFFERENT


def test_a_window_is_different_that_is_only_published_or_only_recounted() -> None:
    history = History()
    history.tell(call("a"))
    history.published[wf(value="invented")] = structs.replace(history.published[wf()], value="invented")
    del history.published[wf()]

    assert history.states() == {
        wf(): WindowState.DIFFERENT,
        wf(value="invented"): WindowState.DIFFERENT,
        line(): WindowState.EQUAL,
    }


def test_a_call_whose_attempts_were_lost_shows() -> None:
    history = History()
    told = history.tell(call("a"))

    windows = history.windows([FanOut(told.call, told.answers, [], told.outcome, told.event_time)])

    assert {window.state for window in windows} == {WindowState.DIFFERENT}
    assert "attempts" in {cell.field for cell in windows[0].cells}


def test_a_late_call_is_not_counted_in_its_workflow_and_explains_its_sip_line() -> None:
    history = History()
    history.tell(call("a"))
    history.tell(call("now", "15:00:00"), at("15:00"))
    history.tell(call("late"), at("15:01"))

    states = history.states()

    assert [fanned.call.call_id for fanned in history.late] == ["late"]
    assert (states[wf()], states[line()]) == (WindowState.EQUAL, WindowState.LATE)


def test_a_call_late_for_its_sip_line_only_is_distinguished_from_a_lost_one() -> None:
    history = History()
    history.tell(call("a"))
    history.tell(call("now", "15:00:00", workflow="other"), at("15:00"))
    history.tell(call("late for L", workflow="fresh"), at("15:01"))  # its first call sets a workflow's clock

    assert history.late == []
    assert history.states()[line()] is WindowState.LATE


def test_a_call_missing_from_a_sip_line_that_came_in_time_is_a_difference_with_a_remark() -> None:
    history = History()
    history.tell(call("a"))
    published = history.published[line()]
    history.tell(call("b"))
    history.published[line()] = published

    [wrong] = [window for window in history.windows() if window.cells]

    assert wrong.state is WindowState.DIFFERENT
    assert "late for the SIP line" in wrong.remark


def test_a_correction_too_late_for_its_window_leaves_the_earlier_revision_standing() -> None:
    history = History()
    history.tell(call("a"))
    history.tell(call("now", "15:00:00"), at("15:00"))
    history.tell(call("a", duration=0, talk_round=0, ring_type="busy"), at("15:01"))

    assert history.states()[wf()] is WindowState.EQUAL
    assert history.states()[line()] is WindowState.LATE


def test_a_call_that_left_a_workflow_too_late_is_explained_in_the_window_it_left() -> None:
    history = History()
    history.tell(call("a"))
    history.tell(call("now", "15:00:00", line="other"), at("15:00"))
    history.tell(call("a", workflow="wf-2"), at("15:01"))

    states = history.states()

    assert (states[wf()], states[wf(value="wf-2")]) == (WindowState.LATE, WindowState.EQUAL)


def test_windows_that_may_have_lost_calls_to_retention_are_partial_whatever_they_say() -> None:
    history = History()
    history.tell(call("gone"))
    history.tell(call("kept", "13:30:10"))
    kept = history.fanned[1:]

    states = {v.key: v.state for v in history.windows(kept, calls_since=START)}

    assert states == {
        wf(): WindowState.PARTIAL,
        line(): WindowState.PARTIAL,
        wf(START + 5 * MINUTE): WindowState.EQUAL,
        line(START + 5 * MINUTE): WindowState.EQUAL,
    }


def test_a_window_just_after_the_retention_is_compared() -> None:
    history = History()
    history.tell(call("a"))
    history.published.clear()

    assert set(history.states(calls_since=START - 5 * MINUTE).values()) == {WindowState.DIFFERENT}
    assert set(history.states(calls_since=START - 5 * MINUTE + 1).values()) == {WindowState.PARTIAL}


def test_a_result_that_left_its_topic_is_not_missed() -> None:
    history = History()
    history.tell(call("a"))
    history.published.clear()

    assert set(history.states(results_since=AT).values()) == {WindowState.DIFFERENT}
    assert set(history.states(results_since=AT + 1).values()) == {WindowState.PARTIAL}


def test_a_window_with_changes_on_their_way_is_moving_and_an_equal_one_is_equal() -> None:
    history = History()
    history.tell(call("a"))
    del history.published[wf()]

    assert history.states(moving=frozenset((wf(), line()))) == {wf(): WindowState.MOVING, line(): WindowState.EQUAL}


@pytest.mark.parametrize(
    ("scope", "windows"),
    [
        (Scope(), {wf(), line(), wf(START + 5 * MINUTE), line(START + 5 * MINUTE, "M")}),
        (Scope(from_ms=START + 1), {wf(START + 5 * MINUTE), line(START + 5 * MINUTE, "M")}),
        (Scope(until_ms=START + 5 * MINUTE), {wf(), line()}),
        (Scope(workflow="wf"), {wf(), wf(START + 5 * MINUTE)}),
        (Scope(sip_line="M"), {line(START + 5 * MINUTE, "M")}),
        (Scope(workflow="wf", sip_line="L", until_ms=START + 1), {wf(), line()}),
    ],
)
def test_only_windows_in_scope_are_compared(scope: Scope, windows: set[WindowKey]) -> None:
    history = History(scope)
    history.tell(call("a"))
    history.tell(call("b", "13:30:10", line="M"))

    assert history.states() == dict.fromkeys(windows, WindowState.EQUAL)
