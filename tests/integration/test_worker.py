"""The worker on a real broker: what subscribers get, and that nothing is lost or counted twice."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    REKEYED_DETAILS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
)
from tests.conftest import StartKafka
from tests.support.deliveries import EXAMPLE, delivery, detail, redial
from tests.support.processes.worker import WorkerSystem
from tests.support.times import ended, now_ms
from tests.support.waiting import wait_until


@pytest.fixture
async def system(start_kafka: StartKafka, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    """A system of the test's own, without a worker."""
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        yield system


async def test_the_providers_example_becomes_one_call_eight_answers_two_attempts_and_one_call_in_both_windows(
    running: WorkerSystem,
) -> None:
    [callback] = await running.writer.write([EXAMPLE], now_ms())

    workflow, line = EXAMPLE["workflow_id"], EXAMPLE["sip_line"]
    [call] = await running.read(CALLS, 1, workflow)
    answers = await running.read(ANSWERS, 8, workflow)
    attempts = await running.read(CALL_ATTEMPTS, 2, workflow)
    by_workflow = await running.wait_for_calls(WORKFLOW_OUTCOMES, 1, workflow)
    by_line = await running.wait_for_calls(SIP_LINE_OUTCOMES, 1, line)

    assert call.key == callback.details[0].call_id
    assert (call.value.disposition, call.value.answer_count, call.value.attempt_count) == ("answered", 8, 2)
    assert call.ce_id == call.value.record_id
    assert [answer.value.position for answer in answers] == list(range(8))
    assert answers[0].value.question_content == "意愿确认 Willingness Check"
    assert [(a.value.attempt_number, a.value.is_final, a.value.disposition) for a in attempts] == [
        (1, False, "rejected"),
        (2, True, "answered"),
    ]
    assert list(by_workflow) == [f"{workflow}|1710163500000"]
    assert list(by_line) == [f"{line}|1710163500000"]
    window = by_line[f"{line}|1710163500000"]
    assert (window.revision, window.is_final, window.attempts, window.answered) == (1, False, 2, 1)
    assert window.by_workflow[workflow].delivered == 2


async def test_a_repeat_changes_nothing_and_a_correction_moves_the_counts(running: WorkerSystem) -> None:
    first = delivery(detail("repeat-1", duration=30), workflow="repeat", line="REPEAT_1")
    spaced = {**first, "details": [dict(reversed(first["details"][0].items()))]}  # equal content, other bytes
    corrected = delivery(
        detail("repeat-1", duration=0, talk_round=0, ring_type="busy"), workflow="repeat", line="REPEAT_2"
    )
    other = delivery(detail("repeat-2"), workflow="repeat", line="REPEAT_1")
    await running.writer.write([first, first, spaced, corrected, first, other], now_ms())

    calls = await running.read(CALLS, 3, "repeat")
    by_workflow = await running.wait_for_calls(WORKFLOW_OUTCOMES, 2, "repeat")
    by_line = await running.wait_for_calls(SIP_LINE_OUTCOMES, 2, "REPEAT_1", "REPEAT_2")
    await running.wait_until_processed()

    revisions = [(c.value.revision, c.value.disposition) for c in calls if c.key == "repeat-1"]
    assert revisions == [(1, "answered"), (2, "user_busy")]
    [window] = by_workflow.values()
    assert window.dispositions == {"answered": 1, "user_busy": 1}
    assert {window.value: window.calls for window in by_line.values()} == {"REPEAT_1": 1, "REPEAT_2": 1}
    assert len(await running.read(CALLS, 3, "repeat")) == 3


async def test_details_after_the_first_meet_the_state_of_their_own_call(running: WorkerSystem) -> None:
    deliveries = [
        delivery(detail("many-0"), detail("many-1"), detail("many-2"), workflow="many"),
        delivery(detail("many-1"), workflow="many"),
        delivery(detail("many-2"), detail("many-0"), workflow="many"),
    ]
    await running.writer.write(deliveries, now_ms())

    await running.wait_for_calls(WORKFLOW_OUTCOMES, 3, "many")
    await running.wait_until_processed()

    assert len(await running.read(REKEYED_DETAILS, 3, "many")) == 3
    assert sorted(call.key for call in await running.read(CALLS, 3, "many")) == ["many-0", "many-1", "many-2"]


async def test_redials_are_attempts_numbered_by_start_time(running: WorkerSystem) -> None:
    late_first = [redial("r2", "2024-03-11 13:20:00"), redial("r1", "2024-03-11 13:10:00", ring_time=0)]
    final = detail("redialled", redail_call=late_first, call_times=3)
    await running.writer.write([delivery(final, workflow="redials")], now_ms())

    attempts = await running.read(CALL_ATTEMPTS, 3, "redials")

    assert [(a.value.call_id, a.value.attempt_number, a.value.disposition) for a in attempts] == [
        ("r1", 1, "pre_alert_failure"),
        ("r2", 2, "no_answer"),
        ("redialled", 3, "answered"),
    ]


async def test_calls_are_counted_as_what_they_mean_not_as_they_are_written(running: WorkerSystem) -> None:
    at = now_ms()
    end, silent = ended(at - 60_000), {"duration": 0, "talk_round": 0, "ring_time": 0}
    dial = redial("m-r", ended(at - 120_000))
    details = [
        detail("m-live", end),
        detail("m-undated", "1970-01-01 00:00:00", ring_type="switchoff", **silent),
        detail("m-set", end, redail_call=[dial, dial, redial("m-set", end)], call_times=2),
        detail("m-final", end, redail_call=[redial("m-r2", ended(at - 120_000))], call_times=2),
        detail("m-final", ended(at - 290_000), call_times=1, **silent),  # an older report, by its own words
        detail("m-talked", end, duration=0, ring_time=4, talk_round=1),
        detail("m-announced", end, duration=12, ring_type="switchoff", talk_round=0),
    ]
    await running.writer.write([delivery(one, workflow="meaning", line="MEANING") for one in details], at)

    windows = (await running.wait_for_calls(WORKFLOW_OUTCOMES, 6, "meaning")).values()
    await running.wait_until_processed()
    calls = {call.key: call.value for call in await running.read(CALLS, 6, "meaning")}

    assert len(await running.read(CALLS, 6, "meaning")) == 6, "the older report changes nothing"
    assert sum(window.attempts for window in windows) == 8
    assert sum(window.call_times_conflicts for window in windows) == 0
    assert {key for key, call in calls.items() if call.disposition == "answered"} == {
        *("m-live", "m-set", "m-final", "m-talked")
    }
    assert (calls["m-undated"].ended_at, calls["m-undated"].ended_at_source) == (at, "unreadable")
    counted = [window.contradictions for window in windows if window.contradictions]
    assert counted == [{"talked_no_seconds": 1, "seconds_unreachable": 1}]
    assert [late for late in await running.read(LATE_CALLS) if late.value.workflow_id == "meaning"] == []


async def test_a_record_that_cannot_be_read_is_kept_and_the_next_one_is_processed(running: WorkerSystem) -> None:
    wire = running.registry.encode(
        CALLBACKS, (await running.writer.write([delivery(detail("before"), workflow="poison")], now_ms()))[0]
    )
    poison = [b"", b"\x01not the wire format", wire[:40], wire + b"x", b"\x00\x7f\xff\xff\xff" + wire[5:], None]
    for value in poison:
        await running.writer.write_raw(value)
    await running.writer.write([delivery(detail("after"), workflow="poison")], now_ms())

    letters = await running.read(DEAD_LETTERS, len(poison))
    await running.wait_for_calls(WORKFLOW_OUTCOMES, 2, "poison")

    assert {letter.value.value for letter in letters} == set(poison)
    assert sorted(letter.value.reason for letter in letters) == ["undecodable"] * 5 + ["unknown_schema"]
    assert {letter.value.source_topic for letter in letters} == {CALLBACKS.name}


async def test_a_call_from_the_future_is_counted_at_its_receipt_and_makes_no_other_late(running: WorkerSystem) -> None:
    at = now_ms()
    future = delivery(detail("future-1", ended(at + 90 * 24 * 3600 * 1000)), workflow="future")
    old = delivery(detail("future-2", ended(at - 7 * 24 * 3600 * 1000)), workflow="future")
    await running.writer.write([future, old], at)

    windows = await running.wait_for_calls(WORKFLOW_OUTCOMES, 2, "future")

    assert await running.read(LATE_CALLS) == []
    assert max(window.window_start_at for window in windows.values()) <= at


async def test_probe_traffic_enters_no_window(running: WorkerSystem) -> None:
    await running.writer.write([delivery(detail("probe-1"), workflow="__probe__", line="PROBED")], now_ms())
    await running.wait_until_processed()

    probes = await running.read(CALLS, 1, "__probe__")
    assert {call.headers.get("synthetic") for call in probes} == {b"1"}
    assert await running.windows(WORKFLOW_OUTCOMES, "__probe__") == {}
    assert await running.windows(SIP_LINE_OUTCOMES, "PROBED") == {}


async def test_a_window_is_final_once_after_its_grace_and_a_later_call_goes_to_the_late_topic(
    system: WorkerSystem,
) -> None:
    system.settings = {"STREAMS_WINDOW_S": "1", "STREAMS_GRACE_S": "1"}
    await system.start_worker()
    at = now_ms()
    await system.writer.write([delivery(detail("c1", ended(at)))], at)

    async def final() -> bool:
        return any(window.is_final for window in (await system.windows(WORKFLOW_OUTCOMES)).values())

    await wait_until(final, 60, "the final result of the window")
    await system.writer.write([delivery(detail("c2", ended(at)))], now_ms())
    [late] = await system.read(LATE_CALLS, 1)
    await system.wait_until_processed()

    results = await system.read(WORKFLOW_OUTCOMES)
    assert [(r.value.calls, r.value.is_final) for r in results] == [(1, False), (1, True)]
    assert (late.key, late.value.call_id) == ("c2", "c2")
    [call] = [call for call in await system.read(CALLS) if call.key == "c2"]
    assert (late.raw, late.headers["ce_type"]) == (call.raw, b"airudder.LateCall.v1")
    assert late.ce_id not in (call.ce_id, late.value.record_id)


async def test_killed_again_and_again_it_loses_nothing_and_counts_nothing_twice(system: WorkerSystem) -> None:
    sent = 0
    for _ in range(4):
        worker = await system.start_worker()
        batch = [delivery(detail(f"k{sent + i}"), workflow=f"wf-{i % 5}") for i in range(400)]
        await system.writer.write(batch, now_ms())
        sent += len(batch)
        await system.read(CALLS, sent - 300)  # somewhere inside the batch
        worker.kill()
    await system.start_worker()

    await system.wait_for_calls(WORKFLOW_OUTCOMES, sent)
    await system.wait_for_calls(SIP_LINE_OUTCOMES, sent)
    await system.wait_until_processed()
    calls = [call for call in await system.read(CALLS) if call.value.workflow_id != "__probe__"]

    assert {call.key for call in calls} == {f"k{i}" for i in range(sent)}
    by_id: dict[str, set[bytes | None]] = {}
    for call in calls:
        by_id.setdefault(call.ce_id, set()).add(call.raw)
    assert len(by_id) == sent
    assert all(len(raws) == 1 for raws in by_id.values()), "a repeat has the same id and the same bytes"
    await system.wait_for_calls(WORKFLOW_OUTCOMES, sent)


async def test_started_again_without_its_disk_it_recovers_from_the_changelog(system: WorkerSystem) -> None:
    first = await system.start_worker("w1")
    await system.writer.write([delivery(detail(f"c{i}")) for i in range(50)], now_ms())
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 50)
    assert first.terminate() == 0

    await system.start_worker("w2")
    await system.writer.write([delivery(detail(f"c{i}")) for i in range(40, 60)], now_ms())

    await system.wait_for_calls(WORKFLOW_OUTCOMES, 60)
    await system.wait_until_processed()
    assert len(await system.read(CALLS, 60, "wf-1")) == 60


async def test_a_missing_topic_stops_the_start_and_is_named(system: WorkerSystem) -> None:
    worker = system.launch_worker(STREAMS_APP_ID="another-app")

    assert worker.process.wait(60) == 69
    assert "another-app-calls-changelog" in worker.log.read_text()
