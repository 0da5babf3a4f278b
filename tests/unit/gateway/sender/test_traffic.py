"""Made-up traffic: as valid as the real thing, repeatable, and nobody's number."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from gateway.sender.traffic import BAD_LINE, BAD_SPELL_EVERY_S, Traffic, escape_twice
from gateway.webhooks import call_completion
from tests.support.deliveries import to_body
from tests.support.provider import provider_json, read_callback

NOW = datetime(2026, 11, 22, 12, 0, 0, tzinfo=UTC)
FICTION = re.compile(r"\+447700900\d{3}|\+44207946\d{4}|\+121255501\d\d")


def deliveries(count: int, seed: int = 1, step_s: int = 1) -> list[dict[str, Any]]:
    traffic = Traffic(Random(seed))
    return [traffic.delivery(NOW + timedelta(seconds=step_s * n)) for n in range(count)]


def test_every_delivery_is_exactly_as_documented() -> None:
    for delivery in deliveries(300):
        fast = call_completion.MAPPING._read_fast(to_body(delivery))  # raises for unknown fields and types
        assert fast["workflow_id"] == delivery["workflow_id"]
        callback = read_callback(
            to_body(delivery), event_id="0" * 64, received_at=0, signature_scheme="none", signature_key_id=None
        )
        assert provider_json(callback) == delivery


def test_the_same_seed_gives_the_same_calls_and_another_seed_others() -> None:
    assert deliveries(20, seed=1) == deliveries(20, seed=1)
    assert deliveries(20, seed=1) != deliveries(20, seed=2)


def test_call_ids_are_distinct_redials_included() -> None:
    details = [delivery["details"][0] for delivery in deliveries(500)]
    ids = [detail["call_id"] for detail in details]
    ids += [redial["call_id"] for detail in details for redial in detail["redail_call"]]

    assert len(ids) == len(set(ids))


def test_every_number_is_reserved_for_fiction() -> None:
    for delivery in deliveries(300):
        detail = delivery["details"][0]
        numbers = [detail["callee"], detail["caller_number"]]
        numbers += [redial[name] for redial in detail["redail_call"] for name in ("callee_number", "caller_number")]
        assert all(FICTION.fullmatch(number) for number in numbers), numbers


def test_the_call_ends_now_and_begins_before_after_its_redials() -> None:
    detail = next(d["details"][0] for d in deliveries(100) if d["details"][0]["redail_call"])

    starts = [redial["call_start_time"] for redial in detail["redail_call"]]
    assert starts[0] < detail["call_start_time"] <= detail["call_end_time"]
    assert detail["call_times"] == len(starts) + 1


def test_traffic_has_several_workflows_lines_and_outcomes() -> None:
    made = deliveries(500)
    details = [delivery["details"][0] for delivery in made]

    assert len({delivery["workflow_id"] for delivery in made}) >= 3
    assert len({delivery["sip_line"] for delivery in made}) >= 5
    assert {"normal", "busy", "switchoff"} <= {detail["ring_type"] for detail in details}
    assert {"Completed", "Skip"} == {q["status"] for detail in details for q in detail["question_answer"]}
    assert sum(detail["duration"] > 0 for detail in details) > 100


def test_one_line_turns_bad_now_and_then_and_no_other() -> None:
    never_rang: Counter[tuple[str, bool]] = Counter()
    for delivery in deliveries(2000, step_s=BAD_SPELL_EVERY_S // 1000):
        detail = delivery["details"][0]
        is_silent = (detail["ring_type"], detail["ring_time"], detail["duration"]) == ("normal", 0, 0)
        never_rang[delivery["sip_line"], is_silent and detail["hangup_type"] == "ByCallee"] += 1

    assert {line for line, is_dead in never_rang if is_dead} == {BAD_LINE}
    assert never_rang[BAD_LINE, False] > never_rang[BAD_LINE, True] > 20


def test_question_content_is_escaped_the_way_the_provider_does() -> None:
    assert escape_twice("意愿 Check 🎂") == r"\u610f\u613f Check \ud83c\udf82"
