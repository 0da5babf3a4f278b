"""Spans as a collector gets them: ids, sampling, and what becomes of them when the collector does not take them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from structlog.testing import capture_logs

from schemas.headers import TraceContext
from schemas.runtime.span_queue import CLOSE_S
from schemas.runtime.spans import Spans
from schemas.runtime.tracing import SAMPLERS, TracingVariables
from tests.support.otlp import Collector, running_collector
from tests.support.waiting import wait_until_true

TRACES = 5000
SENDER = "b7ad6b7169203331"
TRACE = TraceContext("0af7651916cd43dd8448eb211c80319c", "01", b"vendor=1", SENDER)
SOON_S = 20.0


@pytest.fixture
def collector() -> Iterator[Collector]:
    with running_collector() as running:
        yield running


class Counted(Counter[str]):
    """Spans by what became of them."""

    def note(self, outcome: str, spans: int) -> None:
        self[outcome] += spans


def spans_to(collector: Collector, counted: Counted, **changes: Any) -> Spans:
    settings = TracingVariables(is_wanted=True, endpoint=collector.url, **changes)
    assert settings.contradictions() == []
    return Spans(settings, "worker", counted.note)


def write(spans: Spans, number: int = 1) -> None:
    for _ in range(number):
        spans.begin("process x", "consumer", {"a": 1}, TRACE, time.time_ns()).end()


def test_a_span_arrives_with_its_parent_and_its_trace(collector: Collector) -> None:
    counted = Counted()
    spans = spans_to(collector, counted, service_name="mine")
    first = spans.begin("process x", "consumer", {"a": 1}, TRACE, time.time_ns() - 10**9)
    second = spans.child("send y", "producer", {"b": "c" * 300}, first, [first])
    second.end({"d": True}, error="Failed")
    first.end()
    spans.close()

    sent, process = collector.spans()
    assert (process.service, process.kind, process.trace_id, process.parent) == (
        "mine",
        "consumer",
        TRACE.trace_id,
        SENDER,
    )
    assert (process.state, process.attributes, process.is_error) == ("vendor=1", {"a": 1}, False)
    assert 10**9 <= process.duration_ns < 60 * 10**9
    assert (sent.kind, sent.parent, sent.links) == ("producer", process.span_id, (process.span_id,))
    assert (sent.attributes, sent.is_error) == ({"b": "c" * 256, "d": True, "error.type": "Failed"}, True)
    assert second.traceparent.decode() == f"00-{TRACE.trace_id}-{sent.span_id}-01"
    assert counted == {"exported": 2}


def test_a_hundredth_of_the_traces_is_recorded_by_everybody(collector: Collector) -> None:
    """By the trace ids alone, so the number is exact; the next one follows the flags, whatever its own share."""
    first = spans_to(collector, Counted(), sampler="parentbased_traceidratio", sampler_arg="0.01")
    second = spans_to(collector, Counted(), sampler="parentbased_traceidratio", sampler_arg="0.5")
    ids = [sha256(str(number).encode()).hexdigest()[:32] for number in range(TRACES)]
    expected = {trace_id for trace_id in ids if int(trace_id[16:], 16) < 2**64 // 100}
    recorded, followed = set(), set()
    for trace_id in ids:
        trace = TraceContext(trace_id)
        if first.records(trace):
            recorded.add(trace_id)
            trace = first.begin("POST", "server", {}, trace, time.time_ns()).trace
        if second.records(trace._replace(span_id=SENDER)):
            followed.add(trace_id)

    assert recorded == followed == expected
    assert TRACES // 200 < len(expected) < TRACES // 50


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("flags", ["00", "01", "02", "03"])
def test_the_sender_decides_where_the_sampler_asks_its_parent(collector: Collector, sampler: str, flags: str) -> None:
    spans = spans_to(collector, Counted(), sampler=sampler, sampler_arg="1.0")
    trace = TRACE._replace(flags=flags)

    is_sampled = flags in ("01", "03") if sampler.startswith("parentbased_") else sampler != "always_off"
    assert spans.records(trace) == is_sampled
    if is_sampled:
        span = spans.begin("process", "consumer", {}, trace, time.time_ns())
        assert span.trace.flags == ("03" if flags in ("02", "03") else "01")


def test_a_collector_that_hangs_never_holds_a_span_back_and_what_finds_no_room_is_counted(collector: Collector) -> None:
    collector.hold = threading.Event()
    counted = Counted()
    spans = spans_to(collector, counted, max_queue="100")
    with capture_logs() as logs:
        began = time.monotonic()
        write(spans, 1000)
        took_s, dropped = time.monotonic() - began, counted["dropped"]
        began = time.monotonic()
        spans.close()
        closed_s = time.monotonic() - began

    assert took_s < 5
    assert closed_s < CLOSE_S + 1
    assert counted["exported"] == 0
    assert dropped == 1000 - 100
    assert counted["dropped"] == 1000
    assert {line["event"] for line in logs} == {"spans.lost"}
    assert len(logs) <= 2


def test_a_collector_that_refuses_is_logged_once_and_what_comes_after_arrives(collector: Collector) -> None:
    collector.status = 400
    counted = Counted()
    spans = spans_to(collector, counted)
    with capture_logs() as logs:
        write(spans, 512)
        wait_until_true(lambda: counted["failed"] == 512, SOON_S, "a batch to fail")
        write(spans, 512)
        wait_until_true(lambda: counted["failed"] == 1024, SOON_S, "the next one to fail")
        collector.status = 200
        write(spans)
        spans.close()

    assert [line["event"] for line in logs] == ["spans.lost"]
    assert counted == {"failed": 1024, "exported": 1}


def test_a_collector_that_is_away_for_a_moment_gets_every_span(collector: Collector) -> None:
    collector.status = 503
    counted = Counted()
    spans = spans_to(collector, counted)
    write(spans, 512)
    wait_until_true(lambda: collector.headers, SOON_S, "an attempt")
    collector.status = 200
    wait_until_true(lambda: counted["exported"] == 512, SOON_S, "the next attempt")
    spans.close()

    assert len(collector.spans()) == 512
