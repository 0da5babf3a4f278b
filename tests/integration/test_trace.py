"""One trace from the sender's request through Kafka to every topic that tells of the call, and to the windows.

The gateway, the worker, the broker and OTLP are the real ones; the collector is a small one on loopback.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

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
)
from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail, to_body
from tests.support.otlp import Received, running_collector
from tests.support.processes.gateway import running_gateway
from tests.support.processes.worker import WorkerSystem
from tests.support.requests import WEBHOOK, signed

TRACE = "0af7651916cd43dd8448eb211c80319c"
SENDER = "b7ad6b7169203331"
STATE = "vendor=1,other=2"
RECORDS = {  # of one delivery of two calls, each with two questions and one dial
    CALLBACKS: 1,
    CALLS: 2,
    ANSWERS: 4,
    CALL_ATTEMPTS: 2,
    REKEYED_DETAILS: 1,
    OUTCOMES_BY_WORKFLOW: 2,
    OUTCOMES_BY_SIP_LINE: 2,
}
CHANGES = {OUTCOMES_BY_WORKFLOW: WORKFLOW_OUTCOMES, OUTCOMES_BY_SIP_LINE: SIP_LINE_OUTCOMES}
PRIVATE = ("+15550100", "+15550199", "Question Q0", "s3cret", "line-9")


async def test_the_senders_trace_or_one_of_ours_goes_from_http_to_every_topic(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    bodies = {workflow: body_of(workflow) for workflow in ("traced", "untraced")}
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        await system.start_worker()
        async with running_gateway(system.bootstrap, registry_url, tmp_path) as client:
            for workflow, body in bodies.items():
                sent = {"traceparent": f"00-{TRACE}-{SENDER}-01", "tracestate": STATE} if workflow == "traced" else {}
                assert (await client.post(body, {**signed(body), **sent})).status_code == 200

        traces: dict[str, set[tuple[str, str, str]]] = {workflow: set() for workflow in bodies}
        for topic, count in RECORDS.items():
            for record in await system.read(topic, 2 * count):
                workflow = "untraced" if "untraced" in repr(record.value) else "traced"
                parent = record.headers["traceparent"].decode()
                traces[workflow].add((parent[3:35], parent[53:], record.headers.get("tracestate", b"").decode()))

    assert traces["traced"] == {(TRACE, "01", STATE)}
    [(own, flags, state)] = traces["untraced"]
    assert (flags, state) == ("00", "")
    assert len(own) == 32
    assert own != TRACE


async def test_spans_lead_from_the_request_to_the_windows_and_each_record_names_the_one_that_wrote_it(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    body = body_of("spans", sip_line="line-9")
    with running_collector() as collector:
        tracing = {"AIRUDDER_TRACING": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        tracing |= {"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=secret"}
        async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path, settings=tracing) as system:
            worker = await system.start_worker()
            async with running_gateway(system.bootstrap, registry_url, tmp_path, is_ready=True, **tracing) as client:
                headers = {**signed(body), "traceparent": f"00-{TRACE}-{SENDER}-03", "tracestate": STATE}
                assert (await client.post(body, headers)).status_code == 200
                records = {topic: await system.read(topic, count) for topic, count in RECORDS.items()}
                await system.wait_for_calls(WORKFLOW_OUTCOMES, 2)
                await system.wait_for_calls(SIP_LINE_OUTCOMES, 2)
                records |= {topic: await system.read(topic) for topic in CHANGES.values()}
                assert await client.gateway.stop() == 0
            assert worker.terminate() == 0
        spans = collector.spans()

    assert {span.trace_id for span in spans} == {TRACE}
    assert {span.state for span in spans} == {STATE}
    assert {headers["api-key"] for headers in collector.headers} == {"secret"}
    by_id = {span.span_id: span for span in spans}
    [server] = [span for span in spans if span.kind == "server"]
    assert (server.name, server.parent) == (f"POST {WEBHOOK}", SENDER)
    assert server.attributes["http.response.status_code"] == 200
    assert_parents(spans, server)
    for topic, read in records.items():
        for record in read:
            version, trace, span, flags = record.headers["traceparent"].decode().split("-")
            assert (version, trace, flags) == ("00", TRACE, "03")
            assert record.headers["tracestate"].decode() == STATE
            assert (by_id[span].name, by_id[span].kind) == (f"send {topic.name}", "producer")
    assert not any(span.is_error for span in spans)
    assert [word for word in PRIVATE if word in repr(spans)] == []


def assert_parents(spans: Sequence[Received], server: Received) -> None:
    """Every span's parent is the one that caused it, over each topic between the roles and inside the worker."""
    by_id = {span.span_id: span for span in spans}
    found = Counter((by_id[span.parent].name, span.name) for span in spans if span is not server)
    detailed, calls = (
        {f"process {topic.name}" for topic in (CALLBACKS, REKEYED_DETAILS)},
        (CALLS, ANSWERS, CALL_ATTEMPTS),
    )
    expected = {(server.name, f"send {CALLBACKS.name}")}
    expected |= {(f"send {topic.name}", f"process {topic.name}") for topic in (CALLBACKS, REKEYED_DETAILS, *CHANGES)}
    expected |= {(process, f"send {topic.name}") for process in detailed for topic in (*calls, *CHANGES)}
    expected.add((f"process {CALLBACKS.name}", f"send {REKEYED_DETAILS.name}"))
    expected |= {(f"process {change.name}", f"send {result.name}") for change, result in CHANGES.items()}

    assert set(found) == expected


def body_of(workflow: str, **fields: str) -> bytes:
    """A delivery of two calls that end now."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    return to_body(delivery(detail(f"{workflow}-1", now), detail(f"{workflow}-2", now), workflow=workflow, **fields))
