"""What a dial and a question came to: every combination of words and numbers has one disposition."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.rules.dispositions import (
    DELIVERED,
    DISPOSITIONS,
    contradiction_of,
    disposition_of,
    is_never_rang_conflict,
    question_state,
    word_or_null,
)

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


def mixed_case(words: tuple[str, ...]) -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(words), st.sampled_from(words).map(str.upper), st.text(max_size=8))


NUMBERS = st.one_of(st.none(), st.integers(-3, 60), st.integers())


@settings(max_examples=300)
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

    assert sorted(expected.split(", ")) == sorted(DISPOSITIONS)


def test_the_lists_fault_the_lines_fault_and_the_unknown_are_not_delivered() -> None:
    assert {"bad_number", "pre_alert_failure", "unknown"} == set(DISPOSITIONS) - set(DELIVERED)


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
    assert expected == is_never_rang_conflict(disposition, hangup_type)


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
    assert word_or_null(value) == "null"
