"""Spans of the worker's agents: what caused what, over internal topics too, and what the records say of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from schemas.headers import TraceContext, headers_for, under_span
from schemas.placement import partition_of
from schemas.topics import (
    CALLBACKS,
    DEAD_LETTERS,
    LATE_CALLS,
    OUTCOMES_BY_WORKFLOW,
    SIP_LINE_OUTCOMES,
    TOPICS,
    WORKFLOW_OUTCOMES,
)
from streams.rules.windows import WindowSettings
from tests.support import agents as bench
from tests.support.agents import NOW_MS, Agents
from tests.support.deliveries import delivery, detail
from tests.support.spans import KeptSpans, id_of, links_of, parent_of, trace_id_of
from tests.support.times import ended
from tests.support.topics import Read, callback_of

SENDER = "b7ad6b7169203331"
HOUR = 3_600_000
TRACES = [digit * 32 for digit in "123"]
OUTPUTS = [topic for topic in TOPICS if topic is not CALLBACKS]
PROCESS, SEND = f"process {OUTCOMES_BY_WORKFLOW.name}", f"send {WORKFLOW_OUTCOMES.name}"


@pytest.fixture(autouse=True)
def short_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "WINDOWS", WindowSettings(300_000, HOUR))


async def started(spans: KeptSpans | None) -> Agents:
    agents = Agents(partitions=1, spans=spans)
    await agents.start()
    return agents


def write(agents: Agents, call_id: str, trace_id: str, flags: str = "01", end_ms: int = NOW_MS, **fields: Any) -> None:
    """A callback of one call, sent in a trace."""
    callback = callback_of(delivery(detail(call_id, ended(end_ms), **fields)), NOW_MS)
    headers = headers_for("Callback", callback.event_id, "/airudder/gateway", NOW_MS, TraceContext(trace_id, flags))
    headers = under_span(headers, f"00-{trace_id}-{SENDER}-{flags}".encode(), b"a=b")
    agents.write(CALLBACKS, call_id.encode(), callback, headers=headers)


def all_outputs(agents: Agents) -> list[Read]:
    return [read for reads in agents.outputs(*OUTPUTS).values() for read in reads]


def named(spans: Sequence[ReadableSpan], name: str) -> list[ReadableSpan]:
    return [span for span in spans if span.name == name]


async def test_every_record_names_a_span_of_the_one_trace_that_sent_to_its_topic() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    write(agents, "call-1", TRACES[0])
    await agents.process_all()
    finished = spans.finished()

    by_id = {id_of(span): span for span in finished}
    assert {trace_id_of(span) for span in finished} == {TRACES[0]}
    for read in all_outputs(agents):
        version, trace_id, span_id, flags = read.headers["traceparent"].decode().split("-")
        assert (version, trace_id, flags, read.headers["tracestate"]) == ("00", TRACES[0], "01", b"a=b")
        assert (by_id[span_id].name, by_id[span_id].kind.name) == (f"send {read.topic}", "PRODUCER")
    [process] = named(finished, f"process {CALLBACKS.name}")
    assert parent_of(process) == SENDER
    attributes = dict(process.attributes or {})
    assert (attributes["airudder.call_id"], attributes["messaging.kafka.offset"]) == ("call-1", 0)
    assert attributes["messaging.consumer.group.name"] == "group"


async def test_a_windows_result_has_the_last_recorded_change_as_parent_and_links_to_the_others() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    for number, trace_id in enumerate(TRACES):
        write(agents, f"call-{number}", trace_id, "00" if number == 2 else "01")
    await agents.process_all()
    finished = spans.finished()

    first, last = named(finished, PROCESS)
    [send] = named(finished, SEND)
    assert [trace_id_of(span) for span in (first, last)] == TRACES[:2]
    assert (parent_of(send), links_of(send)) == (id_of(last), [id_of(first)])
    [result] = agents.outputs(WORKFLOW_OUTCOMES)[WORKFLOW_OUTCOMES.name]
    assert result.value.calls == 3
    assert result.headers["traceparent"].decode() == f"00-{TRACES[1]}-{id_of(send)}-01"


async def test_a_call_that_moves_to_another_window_leads_to_both_results_and_no_other_window_to_it() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    write(agents, "moves", TRACES[0], "00", NOW_MS - HOUR // 2)
    write(agents, "stays", TRACES[0], "00", NOW_MS - HOUR // 4)
    await agents.process_all()
    write(agents, "moves", TRACES[1], end_ms=NOW_MS)
    write(agents, "stays too", TRACES[2], end_ms=NOW_MS - HOUR // 4)
    await agents.process_all()
    finished = spans.finished()

    moved, stayed = named(finished, PROCESS)
    sends = named(finished, SEND)
    assert sorted(map(parent_of, sends)) == sorted([id_of(moved)] * 2 + [id_of(stayed)])
    assert [links_of(send) for send in sends] == [[]] * 3


async def test_what_is_not_recorded_is_as_without_tracing_to_the_byte() -> None:
    outputs = []
    spans = KeptSpans("worker")
    for some in (spans, None):
        agents = await started(some)
        write(agents, "call-1", TRACES[0], "00")
        agents.write(CALLBACKS, b"untraced", callback_of(delivery(detail("untraced")), NOW_MS))
        await agents.process_all()
        outputs.append(all_outputs(agents))

    assert outputs[0] == outputs[1]
    assert spans.finished() == []


async def test_tracing_changes_the_traceparent_and_nothing_else_of_a_record() -> None:
    outputs = []
    for spans in (KeptSpans("worker"), None, KeptSpans("worker")):
        agents = await started(spans)
        write(agents, "call-1", TRACES[0])
        await agents.process_all()
        outputs.append(all_outputs(agents))

    plain = [[(read.raw, read.key, without_trace(read)) for read in reads] for reads in outputs]
    assert plain[0] == plain[1] == plain[2]
    assert outputs[0] != outputs[2]  # a record sent again names the span that sent it again


def without_trace(read: Read) -> dict[str, bytes]:
    return {name: value for name, value in read.headers.items() if name not in ("traceparent", "tracestate")}


async def test_a_trace_that_the_sampler_leaves_out_is_not_recorded_behind_us_either() -> None:
    spans = KeptSpans("worker", sampler="always_off")
    agents = await started(spans)
    write(agents, "call-1", TRACES[0], "01")
    await agents.process_all()

    flags = {read.headers["traceparent"][-2:] for read in all_outputs(agents)}
    assert flags == {b"00"}


async def test_a_late_call_and_a_dead_letter_are_sent_in_their_trace() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    write(agents, "in time", TRACES[0], "00")
    await agents.process_all()
    write(agents, "late", TRACES[1], end_ms=NOW_MS - 30 * HOUR)
    parent = [("traceparent", f"00-{TRACES[2]}-{SENDER}-01".encode())]
    agents.append(CALLBACKS.name, partition_of(b"x", 1), b"x", b"garbage", parent)
    await agents.process_all()
    finished = spans.finished()

    [late] = named(finished, f"send {LATE_CALLS.name}")
    [letter] = named(finished, f"send {DEAD_LETTERS.name}")
    assert (trace_id_of(late), trace_id_of(letter)) == (TRACES[1], TRACES[2])
    [failed] = [span for span in finished if span.status.status_code is StatusCode.ERROR]
    assert (id_of(failed), dict(failed.attributes or {})["error.type"]) == (parent_of(letter), "dead_letter")


async def test_a_call_that_is_not_counted_is_no_cause_of_a_result() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    write(agents, "before", TRACES[0], "00")
    await agents.process_all()
    write(agents, "counts", TRACES[0])
    write(agents, "late", TRACES[1], end_ms=NOW_MS - 30 * HOUR)
    await agents.process_all()
    finished = spans.finished()

    counted, _ = named(finished, PROCESS)
    [send] = named(finished, SEND)
    assert (trace_id_of(counted), parent_of(send), links_of(send)) == (TRACES[0], id_of(counted), [])


async def test_no_number_line_or_text_is_in_a_span() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    write(agents, "call-1", TRACES[0], Variables={"name": "planted"})
    await agents.process_all()

    told = "".join(span.to_json() for span in spans.finished())
    assert [word for word in ("+15550100", "+15550199", "LINE_1", "Question", "planted", "lyn") if word in told] == []
    assert SIP_LINE_OUTCOMES.name in told


async def test_runs_that_a_rebalance_takes_away_leave_no_span_of_sending() -> None:
    spans = KeptSpans("worker")
    agents = await started(spans)
    agent: Any = agents.agents[CALLBACKS.name]
    process_run = agent.process_run

    async def revoked(run: Any, unit: Any) -> None:
        await process_run(run, unit)
        await agent.reset()

    agent.process_run = revoked
    write(agents, "call-1", TRACES[0])
    await agents.process_all()
    agent.process_run = process_run
    write(agents, "call-2", TRACES[1])
    await agents.process_all()

    assert {trace_id_of(span) for span in spans.finished() if span.kind.name == "PRODUCER"} == {TRACES[1]}
