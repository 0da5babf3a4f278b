"""What a window counts of its calls: counts balance, and are what counting by hand gives."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records.outcomes import CallOutcome, QuestionState, WindowedOutcomes
from streams.rules.bounds import MAX_SUMMED
from streams.rules.counts import BUCKETS_S, OutcomeCounts, attempt_label, bucket_of
from streams.rules.dispositions import (
    DELIVERED,
    DISPOSITIONS,
)
from streams.rules.outcomes import clamped
from tests.support.records import outcome

INT64 = 2**63 - 1


@pytest.mark.parametrize(("number", "expected"), [(1, "1"), (4, "4"), (5, "5+"), (6, "5+"), (99, "5+")])
def test_five_dials_and_more_share_a_label(number: int, expected: str) -> None:
    assert expected == attempt_label(number)


@pytest.mark.parametrize(
    ("seconds", "expected"), [(0, 0), (1, 0), (2, 1), (3, 1), (6, 2), (7, 3), (600, 9), (601, 10), (MAX_SUMMED, 10)]
)
def test_an_edge_belongs_to_the_bucket_below_it(seconds: int, expected: int) -> None:
    assert expected == bucket_of(seconds)


def test_the_histogram_has_an_edge_where_a_short_call_ends() -> None:
    assert 6 in BUCKETS_S


WORDS = st.sampled_from(["", "a", "b", "null", "林"])
SECONDS = st.one_of(st.integers(0, 700), st.just(MAX_SUMMED))


@st.composite
def outcomes(draw: st.DrawFn) -> CallOutcome:
    dials = draw(st.lists(st.sampled_from(DISPOSITIONS), min_size=1, max_size=7))
    return outcome(
        workflow_id=draw(st.sampled_from(["wf-1", "wf-2"])),
        result=draw(WORDS),
        result_label=draw(WORDS),
        hangup_type=draw(WORDS),
        ring_type=draw(st.sampled_from(["normal", "null"])),
        disposition=dials[-1],
        duration_s=draw(SECONDS),
        ring_time_s=draw(SECONDS),
        talk_round=draw(st.integers(0, 9)),
        attempt_dispositions=dials,
        never_rang_conflicts=draw(st.integers(0, len(dials))),
        call_times_conflict=draw(st.booleans()),
        workflow_name=draw(WORDS),
        questions=[
            QuestionState(question_name=name, state=state)
            for name, state in draw(
                st.lists(
                    st.tuples(WORDS, st.sampled_from(["completed", "skipped", "broke_off", "not_reached"])), max_size=4
                )
            )
        ],
    )


def counted(*calls: CallOutcome, by_workflow: bool = True) -> OutcomeCounts:
    counts = OutcomeCounts()
    for call in calls:
        counts.add(call, by_workflow=by_workflow)
    return counts


@settings(max_examples=80)
@given(st.lists(outcomes(), max_size=4), st.lists(outcomes(), min_size=1, max_size=4), st.booleans(), st.randoms())
def test_calls_added_and_removed_in_any_order_leave_no_trace(
    kept: list[CallOutcome], passing: list[CallOutcome], by_workflow: bool, random: Random
) -> None:
    steps = [(1, call) for call in [*kept, *passing]]
    random.shuffle(steps)
    counts = OutcomeCounts()
    for _, call in steps:
        counts.add(call, by_workflow=by_workflow)
    random.shuffle(passing)
    for call in passing:
        counts.remove(call, by_workflow=by_workflow)

    assert counted(*kept, by_workflow=by_workflow) == counts


@settings(max_examples=80)
@given(st.lists(outcomes(), max_size=5))
def test_counts_are_what_counting_by_hand_gives(calls: list[CallOutcome]) -> None:
    counts = counted(*calls)
    answered = [call for call in calls if call.disposition == "answered"]

    assert counts.calls == len(calls)
    assert counts.answered == len(answered)
    assert counts.attempts == sum(len(call.attempt_dispositions) for call in calls)
    assert counts.results == Counter(call.result or "null" for call in calls)
    assert counts.result_labels == Counter(call.result_label for call in calls)
    assert counts.dispositions == Counter(call.disposition for call in calls)
    assert counts.attempt_dispositions == Counter(d for call in calls for d in call.attempt_dispositions)
    assert counts.duration_s_sum == sum(call.duration_s for call in calls)
    assert counts.answered_duration_s_sum == sum(call.duration_s for call in answered)
    assert counts.short_calls == sum(call.duration_s <= 6 for call in answered)
    assert counts.silent_answers == sum(call.talk_round == 0 and call.duration_s > 3 for call in answered)
    assert counts.engaged_calls == sum(call.talk_round > 3 for call in answered)
    assert sum(counts.duration_s_histogram) == sum(counts.answered_ring_time_s_histogram) == len(answered)
    assert sum(counts.unanswered_ring_time_s_histogram) == len(calls) - len(answered)
    assert counts.answered_on_attempt == Counter(attempt_label(len(c.attempt_dispositions)) for c in answered)
    assert counts.reached_attempt == {
        label: reached
        for number, label in enumerate(["1", "2", "3", "4", "5+"], start=1)
        if (reached := sum(len(call.attempt_dispositions) >= number for call in calls))
    }
    for name, question in counts.questions.items():
        places = [(p, q) for c in calls for p, q in enumerate(c.questions, 1) if q.question_name == name]
        assert {k: n for k, n in question.items() if k != "position_sum"} == Counter(q.state for _, q in places)
        assert question["position_sum"] == sum(place for place, _ in places)
    for workflow_id, line in counts.by_workflow.items():
        dials = Counter(d for c in calls if c.workflow_id == workflow_id for d in c.attempt_dispositions)
        assert line.get("attempts", 0) == dials.total()
        assert line.get("answered", 0) == dials["answered"]
        assert line.get("delivered", 0) == sum(dials[name] for name in DELIVERED)
        assert line.get("pre_alert_failure", 0) == dials["pre_alert_failure"]


def test_a_workflows_windows_do_not_count_by_workflow() -> None:
    assert counted(outcome(), by_workflow=False).by_workflow == {}


def test_a_workflows_windows_count_its_names_and_a_lines_do_not() -> None:
    calls = [outcome(workflow_name=name) for name in ("Survey", "Survey 2", "Survey", "")]

    assert counted(*calls, by_workflow=False).workflow_names == {"Survey": 2, "Survey 2": 1}
    assert counted(*calls, by_workflow=True).workflow_names == {}


def test_a_call_counted_before_windows_had_names_is_taken_out_without_one() -> None:
    """Its outcome, from the row of an earlier release, has none."""
    counts = counted(outcome(workflow_name=""), by_workflow=False)
    counts.remove(outcome(workflow_name=""), by_workflow=False)

    assert counts == OutcomeCounts()


def test_a_question_asked_twice_in_one_call_counts_twice() -> None:
    twice = [QuestionState(question_name="Q0", state=state) for state in ("skipped", "completed")]

    assert counted(outcome(questions=twice)).questions == {"Q0": {"skipped": 1, "completed": 1, "position_sum": 3}}


def test_the_counts_are_exactly_the_fields_of_a_windowed_record() -> None:
    frame = {"dimension", "value", "window_start_at", "window_end_at", "revision", "is_final"}

    assert set(WindowedOutcomes.__struct_fields__) - frame == set(OutcomeCounts().fields())


@settings(max_examples=50)
@given(st.lists(outcomes(), max_size=4), st.randoms())
def test_equal_counts_give_equal_records_whatever_the_order_of_calls(calls: list[CallOutcome], random: Random) -> None:
    first = msgspec.json.encode(counted(*calls).fields())
    random.shuffle(calls)

    assert first == msgspec.json.encode(counted(*calls).fields())


def test_nine_billion_absurd_calls_fit_into_64_bits() -> None:
    absurd = outcome(duration_s=clamped(2**200), ring_time_s=clamped(INT64), talk_round=clamped(INT64))
    counts = counted(absurd)

    assert counts.duration_s_sum * 9_000_000_000 <= INT64


@settings(max_examples=50)
@given(st.lists(outcomes(), max_size=3))
def test_stored_counts_come_back_as_they_were(calls: list[CallOutcome]) -> None:
    counts = counted(*calls)

    assert counts == msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=OutcomeCounts)


def test_contradictions_are_counted_by_how_and_counted_out_again() -> None:
    counts = OutcomeCounts()
    for contradiction in ("talked_no_seconds", "seconds_unreachable", "talked_no_seconds", None):
        counts.add(outcome(contradiction=contradiction), by_workflow=False)
    assert counts.fields()["contradictions"] == {"seconds_unreachable": 1, "talked_no_seconds": 2}

    counts.remove(outcome(contradiction="seconds_unreachable"), by_workflow=False)
    assert counts.fields()["contradictions"] == {"talked_no_seconds": 2}
