"""What a call came to: every combination of words and numbers has one disposition, and counts balance."""

from __future__ import annotations

from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records.outcomes import CallOutcome, QuestionState, WindowedOutcomes
from streams.rules.bounds import MAX_SUMMED
from streams.rules.outcomes import (
    BUCKETS_S,
    DELIVERED,
    DISPOSITIONS,
    OutcomeCounts,
    attempt_label,
    blames_callee_though_silent,
    bucket_of,
    contradiction_of,
    disposition_of,
    question_state,
    summable,
    word,
)
from tests.support.records import outcome

INT64 = 2**63 - 1

RESULTS = ("created", "pending", "finished", "cancelled", "failed")
HANGUPS = ("ByCallee", "ByRobot", "Canceled")
RING_TYPES = (
    "busy",
    "cantuse",
    "holdline",
    "switchoff",
    "outofarea",
    "unregister",
    "wrongnum",
    "notmatch",
    "normal",
    "null",
)


@pytest.mark.parametrize(
    ("why", "result", "ring_type", "hangup_type", "ring_time_s", "duration_s", "expected"),
    [
        ("the page's final call talked for 43 s", "finished", "normal", "ByCallee", 2, 43, "answered"),
        ("the page's redial rang, and the callee ended it", None, "normal", "ByCallee", 3, None, "rejected"),
        ("CALLE-AI: start equals end, yet 'ByCallee'", "finished", "normal", "ByCallee", 0, 0, "pre_alert_failure"),
        ("talk time outdoes the ring word", "failed", "busy", "ByRobot", 0, 1, "answered"),
        ("talk time outdoes a cancellation", "cancelled", "normal", "Canceled", 0, 1, "answered"),
        ("busy", "finished", "busy", "ByCallee", 5, 0, "user_busy"),
        ("a held line is a busy one", "finished", "holdline", "ByCallee", 0, 0, "user_busy"),
        ("switched off", "finished", "switchoff", "ByRobot", 0, 0, "subscriber_absent"),
        ("out of area", "finished", "outofarea", "ByRobot", 0, 0, "subscriber_absent"),
        ("not registered", "finished", "unregister", "ByRobot", 0, 0, "subscriber_absent"),
        ("suspended", "finished", "cantuse", "ByRobot", 0, 0, "subscriber_barred"),
        ("no such number", "failed", "wrongnum", "ByRobot", 0, 0, "bad_number"),
        ("a ring word outdoes a cancellation", "cancelled", "busy", "Canceled", 0, 0, "user_busy"),
        ("rang and nobody came", "finished", "normal", "ByRobot", 30, 0, "no_answer"),
        ("rang with a tone nobody knows, callee ended it", "finished", "notmatch", "ByCallee", 9, 0, "rejected"),
        ("rang with a tone nobody knows", "finished", "notmatch", "ByRobot", 9, 0, "no_answer"),
        ("rang and was cancelled: still nobody answered", "cancelled", "normal", "Canceled", 9, 0, "no_answer"),
        ("never rang, no known tone", "failed", "notmatch", "ByRobot", 0, 0, "pre_alert_failure"),
        ("never rang, word null", "failed", "null", "ByRobot", 0, 0, "pre_alert_failure"),
        ("never rang, JSON null", "failed", None, "ByRobot", 0, 0, "pre_alert_failure"),
        ("never rang, empty word", "failed", "", "ByRobot", 0, 0, "pre_alert_failure"),
        ("never rang, numbers missing", "failed", "normal", "ByRobot", None, None, "pre_alert_failure"),
        ("negative numbers are no ringing and no talking", "failed", "normal", "ByRobot", -1, -5, "pre_alert_failure"),
        ("cancelled before it rang is nobody's fault", "cancelled", "normal", "ByRobot", 0, 0, "unknown"),
        ("only created is nobody's fault", "created", "null", "ByRobot", 0, 0, "unknown"),
        ("only pending is nobody's fault", "pending", "null", "ByRobot", 0, 0, "unknown"),
        ("hung up as Canceled is nobody's fault", "finished", "normal", "Canceled", 0, 0, "unknown"),
        ("rang, but the word is null", "finished", "null", "ByCallee", 4, 0, "unknown"),
        ("a word we never heard of", "finished", "satellite", "ByCallee", 0, 0, "unknown"),
        ("a word we never heard of that rang", "finished", "satellite", "ByCallee", 9, 0, "unknown"),
        ("words in other letters", "FINISHED", "Busy", "BYCALLEE", 0, 0, "user_busy"),
        ("callee in other letters", "finished", "NORMAL", "bycallee", 1, 0, "rejected"),
        ("nothing sent at all", None, None, None, None, None, "pre_alert_failure"),
    ],
)
def test_the_first_rule_that_holds_gives_the_disposition(
    why: str,
    result: str | None,
    ring_type: str | None,
    hangup_type: str | None,
    ring_time_s: int | None,
    duration_s: int | None,
    expected: str,
) -> None:
    assert expected == disposition_of(result, ring_type, hangup_type, ring_time_s, duration_s, None), why


UNREACHABLE = ("switchoff", "outofarea", "unregister", "cantuse", "wrongnum")


@pytest.mark.parametrize(
    ("why", "ring_type", "duration_s", "talk_round", "expected", "contradiction"),
    [
        ("talked, and it took seconds", "normal", 43, 3, "answered", None),
        ("talked in no seconds", "normal", 0, 1, "answered", "talked_no_seconds"),
        ("talked in seconds nobody told", "normal", None, 1, "answered", "talked_no_seconds"),
        ("talked on a busy line in no seconds", "busy", 0, 2, "answered", "talked_no_seconds"),
        ("seconds on a busy line: someone took the call", "busy", 9, 0, "answered", None),
        ("seconds without a talk round: silence", "normal", 9, 0, "answered", None),
        ("seconds and a word we never heard of", "satellite", 9, None, "answered", None),
        ("an announcement: switched off", "switchoff", 12, 0, "subscriber_absent", "seconds_unreachable"),
        ("an announcement: out of area", "OutOfArea", 12, None, "subscriber_absent", "seconds_unreachable"),
        ("an announcement: not registered", "unregister", 3, 0, "subscriber_absent", "seconds_unreachable"),
        ("an announcement: suspended", "cantuse", 3, -1, "subscriber_barred", "seconds_unreachable"),
        ("an announcement: no such number", "wrongnum", 3, 0, "bad_number", "seconds_unreachable"),
        ("talked with a number that cannot be reached", "wrongnum", 30, 2, "answered", "talked_unreachable"),
        ("the same in no seconds", "switchoff", 0, 1, "answered", "talked_unreachable"),
        ("not reached, as told", "switchoff", 0, 0, "subscriber_absent", None),
        ("nothing told", None, None, None, "no_answer", None),
    ],
)
def test_where_fields_contradict_each_other_talk_is_believed_then_the_ring_word_then_seconds(
    why: str,
    ring_type: str | None,
    duration_s: int | None,
    talk_round: int | None,
    expected: str,
    contradiction: str | None,
) -> None:
    ring = ring_type or "normal"

    assert expected == disposition_of("finished", ring, "ByRobot", 4, duration_s, talk_round), why
    assert contradiction == contradiction_of(ring, duration_s, talk_round), why


def test_contradictions_are_counted_by_how_and_counted_out_again() -> None:
    counts = OutcomeCounts()
    for contradiction in ("talked_no_seconds", "seconds_unreachable", "talked_no_seconds", None):
        counts.add(outcome(contradiction=contradiction), by_workflow=False)
    assert counts.fields()["contradictions"] == {"seconds_unreachable": 1, "talked_no_seconds": 2}

    counts.remove(outcome(contradiction="seconds_unreachable"), by_workflow=False)
    assert counts.fields()["contradictions"] == {"talked_no_seconds": 2}


def mixed_case(words: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(words), st.sampled_from(words).map(str.upper), st.text(max_size=8))


NUMBERS = st.one_of(st.none(), st.integers(-3, 60), st.integers())


@settings(max_examples=300, deadline=None)
@given(mixed_case(RESULTS), mixed_case(RING_TYPES), mixed_case(HANGUPS), NUMBERS, NUMBERS, NUMBERS)
def test_every_input_meets_exactly_one_rule(
    result: str | None,
    ring_type: str | None,
    hangup_type: str | None,
    ring_time_s: int | None,
    duration_s: int | None,
    talk_round: int | None,
) -> None:
    ring, hangup = (ring_type or "null").lower(), (hangup_type or "null").lower()
    rang, announced = (ring_time_s or 0) > 0, ring in UNREACHABLE and not (talk_round or 0) > 0
    talked = (talk_round or 0) > 0 or ((duration_s or 0) > 0 and not announced)
    silent = not talked and not rang and ring in ("normal", "notmatch", "null")
    stopped = (result or "").lower() in ("cancelled", "created", "pending") or hangup == "canceled"
    # Each condition stands alone, so that two that hold at once, or none, would show.
    rules = {
        "answered": talked,
        "user_busy": not talked and ring in ("busy", "holdline"),
        "subscriber_absent": not talked and ring in ("switchoff", "outofarea", "unregister"),
        "subscriber_barred": not talked and ring == "cantuse",
        "bad_number": not talked and ring == "wrongnum",
        "rejected": not talked and rang and ring in ("normal", "notmatch") and hangup == "bycallee",
        "no_answer": not talked and rang and ring in ("normal", "notmatch") and hangup != "bycallee",
        "pre_alert_failure": silent and not stopped,
        "unknown": (silent and stopped)
        or (not talked and rang and ring == "null")
        or (not talked and ring not in RING_TYPES),
    }

    disposition = disposition_of(result, ring_type, hangup_type, ring_time_s, duration_s, talk_round)

    assert [disposition] == [name for name, holds in rules.items() if holds]


def test_the_dispositions_are_those_of_the_contract() -> None:
    expected = (
        "answered, user_busy, subscriber_absent, subscriber_barred, bad_number, rejected, no_answer, "
        "pre_alert_failure, unknown"
    )

    assert tuple(expected.split(", ")) == DISPOSITIONS


def test_the_lists_fault_the_lines_fault_and_the_unknown_are_not_delivered() -> None:
    assert {"bad_number", "pre_alert_failure", "unknown"} == set(DISPOSITIONS) - DELIVERED


@pytest.mark.parametrize(
    ("disposition", "hangup_type", "expected"),
    [
        ("pre_alert_failure", "ByCallee", True),
        ("pre_alert_failure", "bycallee", True),
        ("pre_alert_failure", "ByRobot", False),
        ("pre_alert_failure", None, False),
        ("rejected", "ByCallee", False),
    ],
)
def test_blaming_the_callee_of_a_silent_line_is_a_conflict(
    disposition: str, hangup_type: str | None, expected: bool
) -> None:
    assert expected == blames_callee_though_silent(disposition, hangup_type)


@pytest.mark.parametrize(
    ("status", "whether_answer", "expected"),
    [
        ("Completed", "Hangup", "completed"),
        ("completed", None, "completed"),
        ("Skip", "Skip", "skipped"),
        ("Skip", "Hangup", "skipped"),
        ("Failed", "Hangup", "broke_off"),
        (None, "hangup", "broke_off"),
        (None, None, "not_reached"),
        ("", "", "not_reached"),
        ("Unheard", "Yes", "not_reached"),
    ],
)
def test_a_questions_state_is_its_status_then_who_hung_up(
    status: str | None, whether_answer: str | None, expected: str
) -> None:
    assert expected == question_state(status, whether_answer)


@pytest.mark.parametrize("value", [None, "", "null"])
def test_null_a_missing_field_and_the_word_null_are_one_word(value: str | None) -> None:
    assert word(value) == "null"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, 0), (-1, 0), (-INT64, 0), (0, 0), (43, 43), (MAX_SUMMED + 1, MAX_SUMMED), (INT64, MAX_SUMMED)],
)
def test_absurd_numbers_are_held_in_bounds_before_they_are_summed(value: int | None, expected: int) -> None:
    assert expected == summable(value)


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


# -- counts

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


@settings(max_examples=80, deadline=None)
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


@settings(max_examples=80, deadline=None)
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
    for workflow_id, line in counts.by_workflow.items():
        dials = Counter(d for c in calls if c.workflow_id == workflow_id for d in c.attempt_dispositions)
        assert line.get("attempts", 0) == dials.total()
        assert line.get("answered", 0) == dials["answered"]
        assert line.get("delivered", 0) == sum(dials[name] for name in DELIVERED)
        assert line.get("pre_alert_failure", 0) == dials["pre_alert_failure"]


def test_a_workflows_windows_do_not_count_by_workflow() -> None:
    assert counted(outcome(), by_workflow=False).by_workflow == {}


def test_a_question_asked_twice_in_one_call_counts_twice() -> None:
    twice = [QuestionState(question_name="Q0", state=state) for state in ("skipped", "completed")]

    assert counted(outcome(questions=twice)).questions == {"Q0": {"skipped": 1, "completed": 1}}


def test_the_counts_are_exactly_the_fields_of_a_windowed_record() -> None:
    frame = {"dimension", "value", "window_start_at", "window_end_at", "revision", "is_final"}

    assert set(WindowedOutcomes.__struct_fields__) - frame == set(OutcomeCounts().fields())


@settings(max_examples=50, deadline=None)
@given(st.lists(outcomes(), max_size=4), st.randoms())
def test_equal_counts_give_equal_records_whatever_the_order_of_calls(calls: list[CallOutcome], random: Random) -> None:
    first = msgspec.json.encode(counted(*calls).fields())
    random.shuffle(calls)

    assert first == msgspec.json.encode(counted(*calls).fields())


def test_nine_billion_absurd_calls_fit_into_64_bits() -> None:
    absurd = outcome(duration_s=summable(2**200), ring_time_s=summable(INT64), talk_round=summable(INT64))
    counts = counted(absurd)

    assert counts.duration_s_sum * 9_000_000_000 <= INT64


@settings(max_examples=50, deadline=None)
@given(st.lists(outcomes(), max_size=3))
def test_stored_counts_come_back_as_they_were(calls: list[CallOutcome]) -> None:
    counts = counted(*calls)

    assert counts == msgspec.msgpack.decode(msgspec.msgpack.encode(counts), type=OutcomeCounts)
