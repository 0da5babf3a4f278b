"""What the operator and the subscribers are told of calls that do not mean what they say."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime
from typing import Any

import pytest
import structlog

from schemas.headers import rfc3339
from schemas.placement import partition_of
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    LATE_CALLS,
    OUTCOMES_BY_WORKFLOW,
    REKEYED_DETAILS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
)
from streams.rules.dimensions import WORKFLOW
from streams.rules.windows import WindowSettings
from tests.support import agents as bench
from tests.support.agents import NOW_MS, Agents
from tests.support.deliveries import delivery, detail, redial
from tests.support.records import change
from tests.support.topics import Read, callback_of

MINUTE, HOUR = 60_000, 3_600_000
PUBLIC = (CALLS, ANSWERS, CALL_ATTEMPTS, LATE_CALLS, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)


@pytest.fixture
async def agents(monkeypatch: pytest.MonkeyPatch) -> Agents:
    monkeypatch.setattr(bench, "WINDOWS", WindowSettings(5 * MINUTE, HOUR))
    made = Agents(partitions=1)
    await made.start()
    return made


def text_of(at_ms: int) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / 1000))


async def tell(agents: Agents, one: dict[str, Any], received_at: int = NOW_MS, workflow: str = "wf-1") -> None:
    callback = callback_of(delivery(one, workflow=workflow), received_at)
    agents.write(CALLBACKS, one["call_id"].encode(), callback, timestamp=received_at)
    await agents.process_all()


def counted(agents: Agents, name: str, **labels: str) -> float | None:
    return agents.metrics.registry.get_sample_value(name, labels)


def everything(agents: Agents) -> list[Read]:
    return [read for reads in agents.outputs(*PUBLIC).values() for read in reads]


async def test_what_contradicts_or_is_stale_is_counted(agents: Agents) -> None:
    end, silent = text_of(NOW_MS - MINUTE), {"duration": 0, "talk_round": 0}
    await tell(agents, detail("talked", end, duration=0, talk_round=1))
    await tell(agents, detail("announced", end, duration=9, talk_round=0, ring_type="cantuse"))
    await tell(agents, detail("two dials", end, call_times=2))
    await tell(agents, detail("two dials", end, call_times=1, **silent))
    await tell(agents, detail("undated", "1970-01-01 00:00:00"))
    await tell(agents, detail("ahead", text_of(NOW_MS + HOUR)))
    await tell(agents, detail("back", "2019-01-01 00:00:00", call_start_time=end))

    rules = ("talked_no_seconds", "seconds_unreachable", "call_times")
    assert [counted(agents, "stream_call_contradiction_total", rule=rule) for rule in rules] == [1, 1, 1]
    assert counted(agents, "stream_records_total", stage="call", outcome="stale") == 1
    faults = ("unreadable", "future", "implausible")
    assert [counted(agents, "stream_event_time_fault_total", fault=fault) for fault in faults] == [1, 1, 1]


async def test_the_turns_of_a_call_are_counted_once_also_when_it_is_corrected(agents: Agents) -> None:
    end = text_of(NOW_MS - MINUTE)
    await tell(agents, detail("one", end, talk_round=3))
    await tell(agents, detail("one", end, talk_round=3))
    await tell(agents, detail("one", end, talk_round=9))
    await tell(agents, detail("two", end, talk_round=1))

    assert counted(agents, "call_talk_rounds_sum", workflow="wf-1") == 4
    assert counted(agents, "call_talk_rounds_count", workflow="wf-1") == 2


async def test_each_run_of_records_has_its_duration(agents: Agents) -> None:
    await tell(agents, detail("one", text_of(NOW_MS - MINUTE)))
    name, labels = "messaging_process_duration_seconds_count", {"messaging_consumer_group_name": "my-streams"}

    assert counted(agents, name, messaging_destination_name=CALLBACKS.name, error_type="", **labels) == 1


async def test_a_late_call_is_an_event_of_its_own_with_the_calls_bytes(agents: Agents) -> None:
    for number in range(2):
        await tell(agents, detail(f"live-{number}", text_of(NOW_MS - MINUTE)))
    await tell(agents, detail("late", text_of(NOW_MS - 3 * HOUR)))

    outputs = agents.outputs(CALLS, LATE_CALLS)
    [late] = outputs[LATE_CALLS.name]
    [call] = [read for read in outputs[CALLS.name] if read.key == "late"]
    assert (late.raw, late.headers["ce_type"]) == (call.raw, b"airudder.LateCall.v1")
    assert late.value.record_id == call.ce_id
    ids = Counter((read.headers["ce_source"], read.ce_id) for read in everything(agents))
    assert max(ids.values()) == 1, "source and id name one event"


async def test_no_event_is_dated_after_what_it_tells_was_received(agents: Agents) -> None:
    ends = (NOW_MS - MINUTE, NOW_MS + 4 * MINUTE, NOW_MS + 9 * HOUR)
    for number, end in enumerate(ends):
        await tell(agents, detail(f"c{number}", text_of(end), redail_call=[redial("r", text_of(NOW_MS + HOUR))]))

    told = [(read.topic, datetime.fromisoformat(read.headers["ce_time"].decode())) for read in everything(agents)]
    assert len({topic for topic, _ in told}) == len(PUBLIC) - 1, "nothing is late"
    assert max(at for _, at in told).timestamp() * 1000 <= NOW_MS


async def test_a_key_hours_away_from_its_receipts_is_reported_once_and_shown(agents: Agents) -> None:
    with structlog.testing.capture_logs() as logs:
        for number in range(5):
            at = NOW_MS + number * MINUTE
            await tell(agents, detail(f"behind-{number}", text_of(at - 7 * HOUR)), at, "w" * 500)
            await tell(agents, detail(f"ahead-{number}", text_of(at + 7 * HOUR)), at, "ahead")

    told = [line for line in logs if line["event"] == "clock.changed"]
    assert [(line["key"], line["clock"], line["delay_s"]) for line in told if line["table"] == WORKFLOW.table] == [
        ("w" * 64, "behind", 7 * 3600),
        ("ahead", "ahead", 0),
    ]
    for clock in ("behind", "ahead"):
        assert counted(agents, "stream_clock_far_keys", table=WORKFLOW.table, state=clock) == 1


async def test_a_call_counts_once_in_whatever_partition_it_is_reported() -> None:
    agents = Agents(partitions=4)
    await agents.start()
    callback = callback_of(delivery(detail("c1"), detail("c2"), workflow="wf-1"), NOW_MS)
    corrected = callback_of(delivery(detail("c1", duration=99), workflow="wf-1"), NOW_MS)
    for partition in range(4):  # as without a key, or from a client that places keys otherwise
        agents.append(CALLBACKS.name, partition, None, agents.registry.encode(CALLBACKS, callback))
    await agents.process_all()
    agents.append(CALLBACKS.name, 3, b"another", agents.registry.encode(CALLBACKS, corrected))
    agents.append(REKEYED_DETAILS.name, 2, b"another", agents.registry.encode(REKEYED_DETAILS, corrected))
    await agents.process_all()

    found = agents.outputs(*PUBLIC)
    assert sorted((call.key, call.value.revision) for call in found[CALLS.name]) == [("c1", 1), ("c1", 2), ("c2", 1)]
    assert all(call.partition == partition_of(call.key.encode(), 4) for call in found[CALLS.name])
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        assert found[topic.name][-1].value.calls == 2
    assert {read.headers["traceparent"][3:35].decode() for read in found[CALLS.name]} == {
        callback.event_id[:32],
        corrected.event_id[:32],
    }
    await agents.registry.aclose()


async def test_no_event_is_dated_after_its_append_though_the_gateways_clock_is_ahead(agents: Agents) -> None:
    for ended in ("-", text_of(NOW_MS + HOUR)):
        callback = callback_of(delivery(detail(f"ended {ended}", ended), workflow="wf-1"), NOW_MS + HOUR)
        agents.write(CALLBACKS, f"ended {ended}".encode(), callback, timestamp=NOW_MS)
    agents.write(OUTCOMES_BY_WORKFLOW, b"wf-1", change(received_at=NOW_MS + HOUR), timestamp=NOW_MS)
    await agents.process_all()

    told = {read.headers["ce_time"].decode() for read in everything(agents)}
    assert max(told) <= rfc3339(NOW_MS)
