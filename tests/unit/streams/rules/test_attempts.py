"""The dials of a call: each once, in the order in which they were dialled, the final one last."""

from __future__ import annotations

from random import Random
from zoneinfo import ZoneInfo

import pytest

from schemas.records.webhooks import Callback, RedialCall
from streams.rules.fanout import FanOut, fan_out
from tests.support.records import callback, detail, redial

UTC = ZoneInfo("UTC")


def fan(callback: Callback, revision: int = 1, zone: ZoneInfo = UTC) -> FanOut:
    return fan_out(callback, callback.details[0], revision, zone)


STARTS = [f"2024-03-11 13:{minute:02d}:00" for minute in (1, 2, 3)]


@pytest.mark.parametrize("seed", range(6))
def test_redials_are_numbered_by_their_start_whatever_their_order_in_the_array(seed: int) -> None:
    redials = [redial(call_id=f"dial-{number}", call_start_time=start) for number, start in enumerate(STARTS, 1)]
    Random(seed).shuffle(redials)

    attempts = fan(callback(detail(redial_calls=redials, call_times=4))).attempts

    assert [(a.attempt_number, a.call_id) for a in attempts] == [
        (1, "dial-1"),
        (2, "dial-2"),
        (3, "dial-3"),
        (4, "call-1"),
    ]
    assert [a.started_at for a in attempts[:3]] == sorted(a.started_at or 0 for a in attempts[:3])
    assert [a.is_final for a in attempts] == [False, False, False, True]


def test_redials_that_start_at_no_readable_time_come_after_those_that_do_in_their_own_order() -> None:
    redials = [
        redial(call_id="x", call_start_time="soon"),
        redial(call_id="y", call_start_time=None),
        redial(call_id="z"),
    ]

    assert [a.call_id for a in fan(callback(detail(redial_calls=redials))).attempts] == ["z", "x", "y", "call-1"]


def numbered(fanned: FanOut) -> list[tuple[int, str, bool]]:
    assert [a.attempt_number for a in fanned.attempts] == list(range(1, fanned.call.attempt_count + 1))
    assert {a.attempt_count for a in fanned.attempts} == {fanned.call.attempt_count}
    return [(a.attempt_number, a.call_id, a.is_final) for a in fanned.attempts]


REPEATED = redial(call_id="r")


@pytest.mark.parametrize(
    ("why", "redials", "expected"),
    [
        ("a dial listed twice", [REPEATED, REPEATED], ["r"]),
        ("the final dial listed", [REPEATED, redial(call_id="call-1")], ["r"]),
        ("nothing but the final dial", [redial(call_id="call-1")], []),
        ("both, as reported", [REPEATED, REPEATED, redial(call_id="call-1", ring_type="busy")], ["r"]),
        ("without a call_id each is one", [redial(call_id=None), redial(call_id="")], ["", ""]),
        ("told twice, with two times: the earlier", [redial(call_id="r", call_start_time=STARTS[2]), REPEATED], ["r"]),
    ],
)
def test_a_dial_is_named_by_its_call_id_and_counts_once(
    why: str, redials: list[RedialCall], expected: list[str]
) -> None:
    fanned = fan(callback(detail(redial_calls=redials, call_times=len(expected) + 1)))

    dials = [*expected, "call-1"]
    assert numbered(fanned) == [(n, name, n == len(dials)) for n, name in enumerate(dials, 1)], why
    assert (len(fanned.outcome.attempt_dispositions), fanned.outcome.call_times_conflict) == (len(dials), False)


def test_of_two_versions_of_a_dial_the_earlier_one_counts() -> None:
    told = [
        redial(call_id="r", call_start_time=STARTS[2], ring_type="busy"),
        redial(call_id="r", call_start_time=STARTS[0]),
    ]

    first, _ = fan(callback(detail(redial_calls=told))).attempts

    assert (first.ring_type, first.disposition) == ("normal", "rejected")


@pytest.mark.parametrize(
    "start", ["1970-01-01 00:00:00", "0001-01-01 00:00:00", "2000-01-01 00:00:00", "2031-01-01 00:00:00"]
)
def test_a_redial_at_a_stand_in_for_no_time_or_in_the_future_is_not_the_first(start: str) -> None:
    redials = [redial(call_id="odd", call_start_time=start), redial(call_id="r")]

    attempts = fan(callback(detail(redial_calls=redials))).attempts

    assert [a.call_id for a in attempts] == ["r", "odd", "call-1"]
    assert attempts[1].started_at is None


def test_dials_in_the_hour_that_occurs_twice_are_in_the_order_in_which_they_can_have_been() -> None:
    """Received at 02:31 for the first time: 02:10, 02:20 and 02:30 are of the first of the two hours."""
    redials = [redial(call_id=f"r{m}", call_start_time=f"2024-10-27 02:{m}:00") for m in (20, 10)]
    one = detail(call_start_time="2024-10-27 02:30:00", call_end_time="2024-10-27 02:30:30", redial_calls=redials)
    received_at = 1_729_989_060_000  # 2024-10-27 00:31 UTC

    fanned = fan(callback(one, received_at=received_at), zone=ZoneInfo("Europe/Berlin"))

    assert [(a.call_id, received_at - (a.started_at or 0)) for a in fanned.attempts] == [
        ("r10", 21 * 60_000),
        ("r20", 11 * 60_000),
        ("call-1", 60_000),
    ]
    assert received_at - fanned.call.ended_at == 30_000


def test_a_redial_that_says_nothing_takes_what_its_call_says() -> None:
    attempt = fan(callback(detail(redial_calls=[RedialCall()]))).attempts[0]

    assert (attempt.callee, attempt.call_id, attempt.sip_line) == ("+8610000000021", "", "line-1")
    assert attempt.disposition == "pre_alert_failure"


def test_a_missing_redial_list_is_an_empty_one() -> None:
    assert fan(callback(detail(redial_calls=None))).attempts == fan(callback(detail(redial_calls=[]))).attempts
