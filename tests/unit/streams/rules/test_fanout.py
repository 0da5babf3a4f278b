"""One detail becomes one Call, its Answers and its CallAttempts, the same ones however often it is read."""

from __future__ import annotations

import json
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.records.webhooks import Callback, CallDetail, QuestionAnswer
from streams.errors import ImpossibleCallbackError
from streams.rules.fanout import FanOut, check, content_digest, fan_out
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.provider import read_callback
from tests.support.records import RECEIVED_AT, callback, detail, question, redial

UTC = ZoneInfo("UTC")
MEXICO = ZoneInfo("America/Mexico_City")


def delivered(delivery: dict[str, Any], event_id: str = "ab" * 32, received_at: int = RECEIVED_AT) -> Callback:
    return read_callback(
        to_body(delivery),
        event_id=event_id,
        received_at=received_at,
        signature_scheme="hmac-sha256",
        signature_key_id="k1",
    )


def fan(callback: Callback, revision: int = 1, zone: ZoneInfo = UTC) -> FanOut:
    return fan_out(callback, callback.details[0], revision, zone)


def test_the_providers_example_is_one_call_eight_answers_and_two_attempts() -> None:
    fanned = fan(delivered(EXAMPLE))

    assert fanned.call.call_id == "ic1689265xxxxxxxxxxfe7b7da5b5"
    assert (
        (fanned.call.answer_count, fanned.call.attempt_count) == (len(fanned.answers), len(fanned.attempts)) == (8, 2)
    )
    assert [answer.question_name for answer in fanned.answers] == ["Q0", "Q1", "Q2", "Q3", "Q3N", "Q4", "Q4N", "Q5"]
    assert [answer.position for answer in fanned.answers] == list(range(8))


def test_the_examples_questions_are_readable() -> None:
    answers = fan(delivered(EXAMPLE)).answers

    assert answers[0].question_content == "意愿确认 Willingness Check"
    assert answers[7].question_content == "CURP2位核验 CURP Verification for 2 character"
    assert not any("\\u" in (answer.question_content or "") for answer in answers)


def test_the_examples_call_was_answered_and_its_redial_rejected() -> None:
    fanned = fan(delivered(EXAMPLE))
    redial, final = fanned.attempts

    assert (redial.attempt_number, redial.is_final, redial.disposition, redial.duration_s) == (
        1,
        False,
        "rejected",
        None,
    )
    assert (final.attempt_number, final.is_final, final.disposition, final.duration_s) == (2, True, "answered", 43)
    assert (redial.call_id, final.call_id) == ("icea62exxxxxxxxxx70982a5c2f7", fanned.call.call_id)
    assert redial.final_call_id == final.final_call_id == fanned.call.call_id
    assert fanned.call.disposition == "answered"


def test_the_examples_times_are_the_accounts() -> None:
    call = fan(delivered(EXAMPLE, received_at=RECEIVED_AT + 10**9), zone=MEXICO).call

    assert (call.started_at, call.ended_at) == (1_710_163_469_000 + 6 * 3_600_000, 1_710_163_512_000 + 6 * 3_600_000)


def test_every_field_of_the_example_arrives_in_the_call() -> None:
    call = fan(delivered(EXAMPLE), revision=3).call
    sent = EXAMPLE["details"][0]

    for name in ("workflow_id", "workflow_name", "nodetask_id", "nodetask_name", "task_id", "task_name", "sip_line"):
        assert getattr(call, name) == EXAMPLE[name]
    for name in ("callee", "caller_number", "result", "result_label", "hangup_type", "ring_type", "talk_round"):
        assert getattr(call, name) == sent[name]
    for name in ("call_times", "robot_hash", "intention_description"):
        assert getattr(call, name) == sent[name]
    assert (call.detail_id, call.duration_s, call.ring_time_s) == (sent["id"], sent["duration"], sent["ring_time"])
    assert (call.ner_slots, call.event_labels, call.variables) == (
        sent["NerSlots"],
        sent["EventLabel"],
        sent["Variables"],
    )
    assert (call.case_id, call.revision, call.received_at) == ("", 3, RECEIVED_AT)


def test_every_field_of_a_question_arrives_in_the_answer() -> None:
    answer = fan(delivered(EXAMPLE)).answers[5]
    sent = EXAMPLE["details"][0]["question_answer"][5]

    for name in ("question_name", "answer", "answer_text", "status", "answer_text_slot", "var", "whether_answer"):
        assert getattr(answer, name) == sent[name]
    for name in ("verification_results", "question_type"):
        assert getattr(answer, name) == sent[name]
    assert (answer.call_id, answer.call_ended_at) == (EXAMPLE["details"][0]["call_id"], 1_710_163_512_000)


def test_an_outcome_repeats_the_call_in_numbers_that_can_be_summed() -> None:
    fanned = fan(delivered(with_detail(duration=-3, ring_time=2**62, talk_round=-1, ring_type=None)))

    outcome = fanned.outcome
    assert (outcome.duration_s, outcome.ring_time_s, outcome.talk_round) == (0, 1_000_000_000, 0)
    assert outcome.ring_type == "null"
    assert (fanned.call.duration_s, fanned.call.ring_time_s, fanned.call.ring_type) == (-3, 2**62, None)


@pytest.mark.parametrize(("call_times", "expected"), [(1, True), (2, False), (3, True), (0, True), (None, False)])
def test_another_number_of_dials_than_the_provider_counts_is_a_conflict(call_times: int | None, expected: bool) -> None:
    assert expected == fan(callback(detail(redial_calls=[redial()], call_times=call_times))).outcome.call_times_conflict


def test_a_silent_dial_blamed_on_the_callee_is_counted_per_dial() -> None:
    silent = {"ring_time": 0, "ring_type": "normal", "hangup_type": "ByCallee"}
    redials = [redial(call_id="r1", **silent), redial(call_id="r2")]
    fanned = fan(callback(detail(duration=0, talk_round=0, **silent, redial_calls=redials)))

    assert fanned.outcome.never_rang_conflicts == 2


# -- redials


@settings(max_examples=100)
@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(0, 25)), max_size=6, unique_by=lambda one: one[1]),
    st.randoms(use_true_random=False),
)
def test_the_same_redials_in_another_order_are_the_same_content_and_records(
    told: list[tuple[str, int]], random: Random
) -> None:
    redials = [redial(call_id=call_id, call_start_time=f"2024-03-11 13:{minute:02}:00") for call_id, minute in told]
    one = callback(detail(redial_calls=list(redials)))
    random.shuffle(redials)
    other = callback(detail(redial_calls=redials))

    assert digest(one) == digest(other)
    assert records(fan(one)) == records(fan(other))


# -- event time


@pytest.mark.parametrize(
    ("call_end_time", "expected", "source"),
    [
        ("2024-03-11 13:25:12", 1_710_163_512_000, "provider"),
        ("", RECEIVED_AT, "unreadable"),
        ("1970-01-01 08:00:00", RECEIVED_AT, "unreadable"),
        ("2019-03-11 13:25:12", RECEIVED_AT, "implausible"),
        ("2034-03-11 13:25:12", RECEIVED_AT, "future"),
    ],
)
def test_all_records_of_a_call_share_its_event_time(call_end_time: str, expected: int, source: str) -> None:
    fanned = fan(callback(detail(call_end_time=call_end_time)))

    assert expected == fanned.call.ended_at == fanned.answers[0].call_ended_at == fanned.outcome.ended_at
    assert source == fanned.event_time.source == fanned.call.ended_at_source
    assert source == fanned.answers[0].call_ended_at_source


def test_what_a_call_tells_of_its_task_is_in_the_call() -> None:
    call = fan(delivered(EXAMPLE), zone=MEXICO).call

    assert (call.task_status, call.repeat_interval, call.repeat_number, call.robot_method) == (
        "calling",
        0,
        3,
        "single",
    )
    times = (call.task_created_at, call.schedule_start_at, call.schedule_end_at)
    assert times == tuple(utc + 6 * 3_600_000 for utc in (1_710_163_192_000, 1_710_163_287_000, 1_710_165_172_000))


def test_what_cannot_be_read_of_a_task_is_null() -> None:
    call = fan(callback(created_at="1970-01-01 00:00:00", schedule_start_time="-", schedule_end_time=None)).call

    assert (call.task_created_at, call.schedule_start_at, call.schedule_end_at) == (None, None, None)


def test_unknown_fields_of_a_detail_are_in_the_call_and_odd_values_of_known_ones_are_not() -> None:
    sent = {"score": "0.5", "case_id": '"x"', "NerSlots": "null", "duration": '"long"', "redail_call": "{}"}

    assert fan(callback(detail(extra=sent))).call.extra == {"score": "0.5", "case_id": '"x"'}


def test_answers_and_attempts_tell_how_many_their_revision_has_and_what_the_windows_count() -> None:
    fanned = fan(delivered(EXAMPLE), revision=7)

    assert {answer.answer_count for answer in fanned.answers} == {8}
    assert {attempt.attempt_count for attempt in fanned.attempts} == {2}
    assert [answer.revision for answer in fanned.answers] == [7] * 8
    assert [attempt.revision for attempt in fanned.attempts] == [7] * 2
    assert [answer.state for answer in fanned.answers] == [q.state for q in fanned.outcome.questions]
    assert fanned.answers[0].state == "completed"


# -- ids


def records(fanned: FanOut) -> list[bytes]:
    return [encode(1, record) for record in (fanned.call, *fanned.answers, *fanned.attempts)]


def ids(fanned: FanOut) -> list[str]:
    of_parts = [answer.record_id for answer in fanned.answers] + [attempt.record_id for attempt in fanned.attempts]
    return [fanned.call.record_id, *of_parts]


def test_reading_a_detail_twice_gives_equal_bytes() -> None:
    assert records(fan(delivered(EXAMPLE))) == records(fan(delivered(EXAMPLE)))


def test_ids_are_hex_and_differ_within_a_call() -> None:
    made = ids(fan(delivered(EXAMPLE)))

    assert len(set(made)) == len(made) == 11
    assert all(len(record_id) == 32 and int(record_id, 16) for record_id in made)


@pytest.mark.parametrize(
    "other",
    [
        fan(callback(detail()), revision=2),
        fan(callback(detail(), event_id="f" * 64)),
        fan(callback(detail(), detail_offset=1)),
        fan(callback(detail(call_id="call-2"))),
    ],
    ids=["revision", "delivery", "place in the delivery", "call"],
)
def test_ids_of_another_revision_delivery_place_or_call_are_others(other: FanOut) -> None:
    assert not set(ids(other)) & set(ids(fan(callback(detail()))))


def test_the_ids_are_those_we_have_always_given() -> None:
    # Known values: an id that changes makes every consumer take old records for new ones.
    fanned = fan(callback(detail()))

    assert ids(fanned) == [
        "dbf0fed5fd1cabd7f35fb2e953880fa7",
        "aa95f7b8b280ccee4de84b6a9a432969",
        "2e6c36a1748d55798c4ae2f62f13fce1",
    ]


# -- content


def digest(callback: Callback) -> bytes:
    return content_digest(callback, callback.details[0])


@pytest.mark.parametrize(
    "same",
    [
        callback(detail(), event_id="f" * 64),
        callback(detail(), received_at=1),
        callback(detail(), status="finished"),
        callback(detail(), signature_key_id="other"),
        callback(detail(), detail_offset=4),
        callback(detail(), detail(call_id="another")),
        callback(detail(variables={"name": "lyn"})),
    ],
    ids=["event_id", "received_at", "status", "key", "place", "neighbours", "equal map"],
)
def test_a_call_repeated_in_another_delivery_has_the_same_content(same: Callback) -> None:
    assert digest(same) == digest(callback(detail()))


@pytest.mark.parametrize(
    "changed",
    [
        {"duration": 44},
        {"result_label": "F"},
        {"ring_type": None},
        {"question_answer": [question(status="Skip")]},
        {"question_answer": [question(), question("Q1")]},
        {"redial_calls": [redial()]},
        {"variables": {"name": "lin"}},
        {"extra": {"score": "1"}},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_a_changed_call_has_other_content(changed: dict[str, Any]) -> None:
    assert digest(callback(detail(**changed))) != digest(callback(detail()))


@pytest.mark.parametrize("name", ["workflow_id", "sip_line", "task_name"])
def test_a_call_that_moved_has_other_content(name: str) -> None:
    assert digest(callback(detail(), **{name: "another"})) != digest(callback(detail()))


def test_the_order_of_a_maps_keys_is_no_content() -> None:
    one, other = {"a": "1", "b": "2"}, {"b": "2", "a": "1"}

    assert digest(callback(detail(variables=one))) == digest(callback(detail(variables=other)))


# -- what is refused


def test_a_delivery_without_details_stands_for_no_call() -> None:
    assert check(msgspec.structs.replace(callback(), details=[])) is None


def test_a_detail_without_call_id_is_refused_without_naming_a_number() -> None:
    with pytest.raises(ImpossibleCallbackError) as caught:
        check(callback(detail(call_id="")))

    assert not caught.value.retriable
    assert "+861" not in str(caught.value)


def test_the_first_detail_is_the_one_a_record_stands_for() -> None:
    first: CallDetail = detail(call_id="first")

    assert check(callback(first, detail(call_id="second"))) is first


def test_a_question_without_anything_but_its_name_is_not_reached() -> None:
    fanned = fan(callback(detail(question_answer=[QuestionAnswer(question_name="Q9")])))

    assert [(q.question_name, q.state) for q in fanned.outcome.questions] == [("Q9", "not_reached")]
    assert json.loads(msgspec.json.encode(fanned.answers[0]))["answer"] is None
