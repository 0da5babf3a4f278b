"""The oracle on cases worked out by hand: who checks the checker."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from tests.support.deliveries import EXAMPLE, delivery, detail, question, redial
from tests.support.oracle import (
    Arrival,
    Cell,
    Telling,
    answers_of,
    attempts_of,
    call_of,
    cells_of,
    disposition,
    possible_revisions,
    readable,
    revisions,
    tellings_of,
    windows_of,
)

AT = 1_710_170_000_000  # 2024-03-11 15:13:20 UTC


def arrivals(*deliveries: dict[str, Any]) -> list[Arrival]:
    return [Arrival(delivery, AT) for delivery in deliveries]


def test_the_providers_example_is_one_answered_call_of_two_dials_and_eight_questions() -> None:
    [telling] = tellings_of(arrivals(EXAMPLE))["ic1689265xxxxxxxxxxfe7b7da5b5"]

    call = call_of(telling, 1)
    assert (call["disposition"], call["answer_count"], call["attempt_count"]) == ("answered", 8, 2)
    assert (call["started_at"], call["ended_at"]) == (1_710_163_469_000, 1_710_163_512_000)
    assert answers_of(telling, 1)[0]["question_content"] == "意愿确认 Willingness Check"
    assert [(a["attempt_number"], a["is_final"], a["disposition"]) for a in attempts_of(telling, 1)] == [
        (1, False, "rejected"),
        (2, True, "answered"),
    ]


def test_the_providers_example_adds_these_cells_and_no_other() -> None:
    [telling] = tellings_of(arrivals(EXAMPLE))["ic1689265xxxxxxxxxxfe7b7da5b5"]

    skipped: dict[Cell, int] = {
        ("questions", name, "skipped"): 1 for name in ("Q1", "Q2", "Q3", "Q3N", "Q4", "Q4N", "Q5")
    }
    places: dict[Cell, int] = {
        ("questions", question["question_name"], "position_sum"): place
        for place, question in enumerate(EXAMPLE["details"][0]["question_answer"], 1)
    }
    assert cells_of(telling) == {
        ("calls",): 1,
        ("answered",): 1,
        ("attempts",): 2,
        ("results", "finished"): 1,
        ("result_labels", "E"): 1,
        ("hangup_types", "ByCallee"): 1,
        ("ring_types", "normal"): 1,
        ("dispositions", "answered"): 1,
        ("attempt_dispositions", "answered"): 1,
        ("attempt_dispositions", "rejected"): 1,
        ("duration_s_sum",): 43,
        ("ring_time_s_sum",): 2,
        ("talk_round_sum",): 3,
        ("questions", "Q0", "completed"): 1,
        **skipped,
        **places,
        ("answered_duration_s_sum",): 43,
        ("answered_hangup_types", "ByCallee"): 1,
        ("answered_on_attempt", "2"): 1,
        ("reached_attempt", "1"): 1,
        ("reached_attempt", "2"): 1,
        ("duration_s_histogram", "6"): 1,
        ("answered_ring_time_s_histogram", "1"): 1,
    }


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"duration": 1, "ring_type": "busy"}, "answered"),
        ({"duration": 1, "ring_type": "switchoff"}, "subscriber_absent"),
        ({"talk_round": 1, "ring_type": "switchoff"}, "answered"),
        ({"talk_round": 1, "ring_type": "normal", "ring_time": 4}, "answered"),
        ({"ring_type": "busy"}, "user_busy"),
        ({"ring_type": "holdline"}, "user_busy"),
        ({"ring_type": "switchoff"}, "subscriber_absent"),
        ({"ring_type": "cantuse"}, "subscriber_barred"),
        ({"ring_type": "wrongnum"}, "bad_number"),
        ({"ring_time": 3, "hangup_type": "ByCallee"}, "rejected"),
        ({"ring_time": 3, "hangup_type": "Canceled"}, "no_answer"),
        ({"ring_time": 3, "ring_type": "notmatch", "hangup_type": "ByRobot"}, "no_answer"),
        ({"hangup_type": "ByCallee"}, "pre_alert_failure"),
        ({"ring_type": None}, "pre_alert_failure"),
        ({"ring_type": "null"}, "pre_alert_failure"),
        ({"ring_type": "null", "ring_time": 3}, "unknown"),
        ({"ring_type": "voicemail"}, "unknown"),
        ({"hangup_type": "Canceled"}, "unknown"),
        ({"result": "cancelled"}, "unknown"),
        ({"result": "created"}, "unknown"),
        ({"result": "pending"}, "unknown"),
        ({"result": "cancelled", "ring_type": "busy"}, "user_busy"),
    ],
)
def test_dispositions_follow_the_table(fields: dict[str, Any], expected: str) -> None:
    assert disposition({**detail("c"), "duration": 0, "ring_time": 0, "talk_round": 0, **fields}) == expected


def test_repeats_are_nothing_and_corrections_are_revisions() -> None:
    first = delivery(detail("c"))
    other_bytes = {**first, "details": [dict(reversed(detail("c").items()))]}
    corrected = delivery(detail("c", duration=0))
    told = tellings_of(arrivals(first, first, other_bytes, corrected, first, other_bytes))["c"]

    assert [telling.detail["duration"] for telling in revisions(told)] == [30, 0]


def test_a_report_of_fewer_dials_is_older_by_its_own_words() -> None:
    final, early = delivery(detail("c", call_times=2)), delivery(detail("c", call_times=1, duration=0))
    told = tellings_of(arrivals(final, early, final))["c"]

    assert [telling.detail["call_times"] for telling in revisions(told)] == [2]


def test_dials_are_a_set_by_call_id() -> None:
    again, final = redial("r", "2024-03-11 13:24:00"), redial("c", "2024-03-11 13:25:00")
    [telling] = tellings_of(arrivals(delivery(detail("c", redail_call=[again, again, final]))))["c"]

    assert [attempt["call_id"] for attempt in attempts_of(telling, 1)] == ["r", "c"]


@pytest.mark.parametrize(
    ("end", "ended"),
    [
        ("2024-03-11 13:25:12", (1_710_163_512_000, "provider")),
        ("1970-01-01 08:00:00", (AT, "unreadable")),
        ("2019-01-01 00:00:00", (AT, "implausible")),
        ("2031-01-01 00:00:00", (AT, "future")),
    ],
)
def test_the_end_of_a_call_is_the_providers_or_its_receipt(end: str, ended: tuple[int, str]) -> None:
    [telling] = tellings_of(arrivals(delivery(detail("c", end, call_start_time="2024-03-11 13:25:00"))))["c"]

    assert telling.ended == ended


def test_an_older_content_in_a_delivery_not_seen_before_is_a_revision_again() -> None:
    first, corrected = delivery(detail("c")), delivery(detail("c", duration=0))
    other_bytes = {**first, "details": [dict(reversed(detail("c").items()))]}
    told = tellings_of(arrivals(first, corrected, other_bytes))["c"]

    assert [telling.detail["duration"] for telling in revisions(told)] == [30, 0, 30]


def test_where_two_ways_meet_either_order_is_possible_and_within_one_way_only_one() -> None:
    later_detail = delivery(detail("x"), detail("c", duration=1))
    first, second = delivery(detail("c", duration=2)), delivery(detail("c", duration=3))
    told = tellings_of(arrivals(later_detail, first, second))["c"]

    orders = [[told[i] for i in order] for order in permutations(range(3))]
    possible = [[one.detail["duration"] for one in order] for order in orders if are_possible(told, order)]
    assert possible == [[1, 2, 3], [2, 1, 3], [2, 3, 1]]


def are_possible(told: list[Telling], kept: list[Telling]) -> bool:
    return possible_revisions(told, [one.arrival.event_id for one in kept]) == tuple(kept)


def test_a_revision_left_out_is_not_possible() -> None:
    told = tellings_of(arrivals(delivery(detail("c", duration=2)), delivery(detail("c", duration=3))))["c"]

    assert are_possible(told, told)
    assert not are_possible(told, told[:1])
    assert not are_possible(told, told[1:])
    assert not are_possible(told, [])


def test_a_correction_of_line_and_time_moves_the_call_to_other_windows() -> None:
    first = delivery(detail("c"), line="A")
    moved = delivery(detail("c", "2024-03-11 13:31:00"), line="B")
    latest = [revisions(told)[-1] for told in tellings_of(arrivals(first, moved)).values()]

    assert set(windows_of(latest, 300_000)) == {
        ("workflow", "wf-1", 1_710_163_800_000),
        ("sip_line", "B", 1_710_163_800_000),
    }


@pytest.mark.parametrize("end", ["", "0000-00-00 00:00:00", "2024-03-11 15:18:21"])
def test_unreadable_and_future_times_are_the_receipt(end: str) -> None:
    [telling] = tellings_of(arrivals(delivery(detail("c", end))))["c"]

    assert telling.ended_at == AT


def test_up_to_five_minutes_ahead_is_still_event_time() -> None:
    [telling] = tellings_of(arrivals(delivery(detail("c", "2024-03-11 15:18:20"))))["c"]

    assert telling.ended_at == AT + 300_000


def test_redials_are_numbered_by_start_and_the_sixth_dial_counts_as_5_plus() -> None:
    redials = [redial(f"r{i}", f"2024-03-11 13:0{i}:00") for i in (4, 2, 0, 1, 3)]
    [telling] = tellings_of(arrivals(delivery(detail("c", redail_call=redials))))["c"]

    numbers = [(a["call_id"], a["attempt_number"]) for a in attempts_of(telling, 1)]
    assert numbers == [("r0", 1), ("r1", 2), ("r2", 3), ("r3", 4), ("r4", 5), ("c", 6)]
    cells = cells_of(telling)
    assert cells["answered_on_attempt", "5+"] == 1
    assert {cell[1] for cell in cells if cell[0] == "reached_attempt"} == {"1", "2", "3", "4", "5+"}
    assert cells["call_times_conflicts",] == 1


def test_questions_fare_in_four_ways() -> None:
    asked = [
        question("Q", "Completed"),
        question("Q", "Skip", whether_answer="Hangup"),
        question("Q", "Asked", whether_answer="Hangup"),
        question("Q", ""),
    ]
    [telling] = tellings_of(arrivals(delivery(detail("c", question_answer=asked))))["c"]

    fates = {cell[2]: n for cell, n in cells_of(telling).items() if cell[0] == "questions"}
    assert fates == {"completed": 1, "skipped": 1, "broke_off": 1, "not_reached": 1, "position_sum": 1 + 2 + 3 + 4}


def test_double_escapes_become_text() -> None:
    assert readable(r"\u59d3 é \ud83d\ude00 \u12") == "姓 é 😀 \\u12"
