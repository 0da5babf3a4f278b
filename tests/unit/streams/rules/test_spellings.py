"""A call keeps what its sender wrote in another type, where the reading is plain; nothing else is guessed."""

from __future__ import annotations

import copy
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from msgspec import structs

from schemas.records.webhooks import Callback, CallDetail
from streams.rules.fanout import FanOut, check, fan_out
from streams.rules.spellings import as_documented, whole
from tests.support.deliveries import EXAMPLE, with_detail
from tests.support.topics import callback_of

UTC = ZoneInfo("UTC")
RECEIVED_AT = 1_710_163_513_250


def fanned(delivery: dict[str, Any]) -> FanOut:
    callback = callback_of(delivery, RECEIVED_AT)
    detail = check(callback)
    assert detail is not None
    return fan_out(callback, detail, 1, UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("30", 30),
        ("30.0", 30),
        ('"30"', 30),
        ('" 30 "', 30),
        ('"30.0"', 30),
        ("3e1", 30),
        ("29.6", 30),
        ("-1", -1),
        ("2.124875281E9", 2124875281),
        ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None),
        ("1e400", None),
        ('"1e999999999"', None),
        ("1" * 5000, None),
        ('""', None),
        ('"30 s"', None),
        ('"1_0"', None),
        ('"\\u0663"', None),
        ("true", None),
        ("null", None),
        ("[30]", None),
        ('{"s": 30}', None),
    ],
)
def test_a_number_is_read_however_it_is_written_and_nothing_else_is(text: str, expected: int | None) -> None:
    assert whole(text) == expected


@pytest.mark.parametrize(
    "spelling", [str, float, lambda number: f" {number}.0 "], ids=["text", "float", "text of a float"]
)
def test_a_call_has_its_numbers_however_they_are_spelt(spelling: Any) -> None:
    delivery = copy.deepcopy(EXAMPLE)
    detail = delivery["details"][0]
    detail.update({name: spelling(value) for name, value in detail.items() if isinstance(value, int)})
    redial = detail["redail_call"][0]
    redial["ring_time"] = spelling(redial["ring_time"])

    ours, plain = fanned(delivery), fanned(EXAMPLE)

    call = ours.call
    assert (call.detail_id, call.duration_s, call.ring_time_s) == (2124875281, 43, 2)
    assert (call.talk_round, call.call_times) == (3, 2)
    assert ours.attempts[0].ring_time_s == 3
    assert ours.outcome == plain.outcome


def test_ids_and_names_that_came_as_integers_are_their_digits() -> None:
    delivery = with_detail(CaseID=17, callee=447700900123, result_label=5)
    delivery["sip_line"] = 9
    delivery["details"][0]["redail_call"][0]["call_id"] = 4
    delivery["details"][0]["question_answer"][0]["question_name"] = 1

    ours = fanned(delivery)

    assert (ours.call.case_id, ours.call.callee, ours.call.result_label) == ("17", "447700900123", "5")
    assert (ours.call.sip_line, ours.outcome.sip_line) == ("9", "9")
    assert ours.attempts[0].call_id == "4"
    assert ours.answers[0].question_name == "1"


def test_what_has_no_plain_reading_is_empty() -> None:
    ours = fanned(with_detail(duration=True, callee=1.5, call_end_time=1710163512, ring_time=None, Variables=[]))

    assert (ours.call.duration_s, ours.call.callee, ours.call.ring_time_s, ours.call.variables) == (0, "", 0, {})
    assert ours.call.ended_at == RECEIVED_AT


def test_a_record_as_documented_is_the_record_itself_and_what_is_read_stays_in_extra() -> None:
    plain, odd = CallDetail(call_id="c", extra={"new": "1"}), CallDetail(call_id="c", extra={"duration": "30.0"})

    assert as_documented(plain) is plain
    assert as_documented(odd) == CallDetail(call_id="c", duration=30, extra={"duration": "30.0"})


def test_a_field_of_ours_is_never_read_from_what_was_sent() -> None:
    unsigned = Callback(
        event_id="e",
        received_at=0,
        kind="k",
        signature_scheme="none",
        extra={"signature_key_id": "5", "received_at": "5", "detail_offset": "5", "status": "5"},
    )

    assert as_documented(unsigned) == structs.replace(unsigned, status="5")


def test_a_calls_extra_has_the_unknown_fields_and_no_documented_one() -> None:
    ours = fanned(with_detail(new=[1], ner_slots=2, duration="30", NerSlots=None, Variables={"n": 1}, CaseID=None))

    assert ours.call.extra == {"new": "[1]", "ner_slots": "2"}
