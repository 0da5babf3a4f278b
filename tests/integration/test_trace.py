"""One trace from the sender's request through Kafka to every topic that tells of the call, and to the windows.

Gateway, worker, broker and OTLP are the real ones; the collector is a small one on loopback.
"""

from __future__ import annotations

import threading
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    REKEYED_DETAILS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
    Topic,
)
from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail, to_body
from tests.support.otlp import Collector, Received, running_collector
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.worker import WorkerSystem
from tests.support.requests import WEBHOOK, signed
from tests.support.times import ended, now_ms
from tests.support.topics import Read
from tests.support.waiting import wait_until

OFF_TRACE, ON_TRACE, HELD_TRACE = (digit * 32 for digit in "123")
SENDER = "b7ad6b7169203331"
STATE = "vendor=1,other=2"
SECRET = "planted-token"
LINE = "line-9"
WAIT_S = 60.0
HUNG_S = 2.0  # for an answer while the collector hangs: far below its 10 s
RECORDS = {  # of one delivery of two calls, each with two questions and one dial
    CALLBACKS: 1,
    CALLS: 2,
    ANSWERS: 4,
    CALL_ATTEMPTS: 2,
    REKEYED_DETAILS: 1,
    OUTCOMES_BY_WORKFLOW: 2,
    OUTCOMES_BY_SIP_LINE: 2,
}
RESULTS = {OUTCOMES_BY_WORKFLOW: WORKFLOW_OUTCOMES, OUTCOMES_BY_SIP_LINE: SIP_LINE_OUTCOMES}
PRIVATE = ("+15550100", "+15550199", "Question Q0", "lyn", LINE, SECRET)
SHOW_IMPORTS = {"PYTHONPROFILEIMPORTTIME": "1"}  # Python then writes each import to stderr


async def test_a_trace_leads_from_http_to_the_windows_and_tracing_is_free_when_off_and_harmless_when_on(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        await send_without_tracing(system)
        with running_collector() as collector:
            await send_with_tracing(system, collector)


async def send_without_tracing(system: WorkerSystem) -> None:
    """The sender's trace, or an unsampled one of ours, is in every topic. No role imports OpenTelemetry."""
    worker = await system.start_worker(**SHOW_IMPORTS)
    async with gateway_of(system, SHOW_IMPORTS) as client:
        bodies = {workflow: body_of(workflow) for workflow in ("traced", "untraced")}
        for workflow, body in bodies.items():
            sent = traced(OFF_TRACE, "01") if workflow == "traced" else {}
            assert (await client.post(body, {**signed(body), **sent})).status_code == 200
        traces = defaultdict[str, set[tuple[str, str, str]]](set)
        for topic, count in RECORDS.items():
            for record in await system.read(topic, 2 * count):
                workflow = "untraced" if "untraced" in repr(record.value) else "traced"
                parent = record.headers["traceparent"].decode()
                traces[workflow].add((parent[3:35], parent[53:], record.headers.get("tracestate", b"").decode()))
        assert await client.gateway.stop() == 0
    assert worker.terminate() == 0

    assert traces["traced"] == {(OFF_TRACE, "01", STATE)}
    [(own, flags, state)] = traces["untraced"]
    assert (len(own), flags, state) == (32, "00", "")
    assert own != OFF_TRACE
    for log in (worker.log, client.gateway.log_path):
        assert " structlog\n" in log.read_text()
        assert "opentelemetry" not in log.read_text()


async def send_with_tracing(system: WorkerSystem, collector: Collector) -> None:
    """Spans lead from the request to the windows. A collector that hangs then changes nothing for a callback."""
    tracing = {
        "AIRUDDER_TRACING": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_EXPORTER_OTLP_HEADERS": f"api-key={SECRET}",
        "OTEL_BSP_SCHEDULE_DELAY": "100",
    }
    worker = await system.start_worker(**tracing)
    async with gateway_of(system, tracing) as client:
        body = body_of("spans", line=LINE)
        assert (await client.post(body, {**signed(body), **traced(ON_TRACE, "03")})).status_code == 200
        records = {topic: await written_in(system, topic, ON_TRACE, count) for topic, count in RECORDS.items()}
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 2, "spans")
        await system.wait_for_calls(SIP_LINE_OUTCOMES, 2, LINE)
        records |= {topic: await written_in(system, topic, ON_TRACE, 1) for topic in RESULTS.values()}
        expected = {record.headers["traceparent"][36:52].decode() for read in records.values() for record in read}
        await wait_until(lambda: expected <= {span.span_id for span in collector.spans()}, WAIT_S, "every span")
        spans = collector.spans()

        collector.hold = threading.Event()
        body, began_at = body_of("held"), time.monotonic()
        assert (await client.post(body, {**signed(body), **traced(HELD_TRACE, "01")})).status_code == 200
        assert time.monotonic() - began_at < HUNG_S
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 2, "held")
        assert await client.gateway.stop() == 0
    assert worker.terminate() == 0

    assert_one_tree(spans)
    assert_records_name_their_spans(records, spans)
    assert [word for word in PRIVATE if word in repr(spans)] == []
    assert {headers["api-key"] for headers in collector.headers} == {SECRET}
    for log in (worker.log, client.gateway.log_path):
        assert log.read_text().count("spans.lost") == 1
        assert SECRET not in log.read_text()


def assert_one_tree(spans: Sequence[Received]) -> None:
    """Every span's parent is what caused it, over each topic between the roles and inside the worker."""
    assert {(span.trace_id, span.state, span.is_error) for span in spans} == {(ON_TRACE, STATE, False)}
    assert {span.service for span in spans} == {"airudder-gateway", "airudder-worker"}
    by_id = {span.span_id: span for span in spans}
    [server] = [span for span in spans if span.kind == "server"]
    assert (server.name, server.parent) == (f"POST {WEBHOOK}", SENDER)
    assert server.attributes["http.response.status_code"] == 200
    callback, rekeyed = f"process {CALLBACKS.name}", f"process {REKEYED_DETAILS.name}"
    expected = {(server.name, f"send {CALLBACKS.name}"), (callback, f"send {REKEYED_DETAILS.name}")}
    for process in (callback, rekeyed):
        expected |= {(process, f"send {topic.name}") for topic in (CALLS, ANSWERS, CALL_ATTEMPTS, *RESULTS)}
    expected |= {(f"send {topic.name}", f"process {topic.name}") for topic in (CALLBACKS, REKEYED_DETAILS, *RESULTS)}
    expected |= {(f"process {change.name}", f"send {result.name}") for change, result in RESULTS.items()}
    assert {(by_id[span.parent].name, span.name) for span in spans if span is not server} == expected


def assert_records_name_their_spans(records: Mapping[Topic, Sequence[Read]], spans: Sequence[Received]) -> None:
    """The traceparent of every record is a span that was exported: the one that sent it. The sender's flags go on."""
    by_id = {span.span_id: span for span in spans}
    for topic, read in records.items():
        for record in read:
            version, trace_id, span_id, flags = record.headers["traceparent"].decode().split("-")
            assert (version, trace_id, flags, record.headers["tracestate"].decode()) == ("00", ON_TRACE, "03", STATE)
            assert (by_id[span_id].name, by_id[span_id].kind) == (f"send {topic.name}", "producer")


async def written_in(system: WorkerSystem, topic: Topic, trace_id: str, at_least: int) -> list[Read]:
    """The records of a topic that a trace led to, once there are so many."""

    async def found() -> list[Read]:
        mine = [record for record in await system.read(topic) if trace_id.encode() in record.headers["traceparent"]]
        return mine if len(mine) >= at_least else []

    read: Any = await wait_until(found, WAIT_S, f"{at_least} records of the trace in {topic.name}")
    return list(read)


def gateway_of(system: WorkerSystem, settings: dict[str, Any]) -> AbstractAsyncContextManager[Client]:
    """A gateway in front of the same topics."""
    return running_gateway(system.bootstrap, system.registry_url, system.directory, **settings)


def traced(trace_id: str, flags: str) -> dict[str, str]:
    """The headers of a sender that traces."""
    return {"traceparent": f"00-{trace_id}-{SENDER}-{flags}", "tracestate": STATE}


def body_of(workflow: str, **fields: str) -> bytes:
    """A delivery of two calls that end now."""
    now = ended(now_ms())
    return to_body(delivery(detail(f"{workflow}-1", now), detail(f"{workflow}-2", now), workflow=workflow, **fields))
