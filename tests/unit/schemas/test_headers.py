"""Every record carries CloudEvents' binary mode and one trace, both of which follow from the record."""

from __future__ import annotations

import re

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.headers import Headers, TraceContext, headers_for, is_synthetic, rfc3339, trace_of
from schemas.topics import TOPICS
from tests.support.records import RECEIVED_AT

RECORD_ID = "1f" * 16
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CONTEXT = TraceContext(TRACE)
TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def made(record_id: str = RECORD_ID, trace: TraceContext = CONTEXT, *, synthetic: bool = False) -> Headers:
    return headers_for("Call", record_id, "/airudder/streams", RECEIVED_AT, trace, synthetic=synthetic)


def traceparent(value: str) -> Headers:
    return [("traceparent", value.encode())]


@pytest.mark.parametrize("record", sorted({topic.record for topic in TOPICS}))
def test_the_cloudevents_sdk_reads_our_headers(record: str) -> None:
    headers = headers_for(record, RECORD_ID, "/airudder/gateway", RECEIVED_AT, TraceContext(TRACE))

    event = from_kafka_event(KafkaMessage(headers=dict(headers), key=b"call-1", value=b"\x00\x00\x00\x00\x01"))

    assert (event.get_id(), event.get_source(), event.get_type()) == (
        RECORD_ID,
        "/airudder/gateway",
        f"airudder.{record}.v1",
    )
    assert (event.get_specversion(), event.get_datacontenttype()) == ("1.0", "application/avro")
    time = event.get_time()
    assert time is not None
    assert int(time.timestamp() * 1000) == RECEIVED_AT


def test_the_headers_are_those_of_the_contract_each_once() -> None:
    names = [name for name, _ in made()]

    assert sorted(names) == sorted(
        ["ce_specversion", "ce_id", "ce_source", "ce_type", "ce_time", "content-type", "traceparent"]
    )


def test_probe_traffic_carries_its_mark_and_others_do_not() -> None:
    assert ("synthetic", b"1") in made(synthetic=True)
    assert [is_synthetic(made(synthetic=True)), is_synthetic(made())] == [True, False]


@pytest.mark.parametrize("value", [b"0", b"", b"true"])
def test_another_mark_is_no_probe(value: bytes) -> None:
    assert not is_synthetic([("synthetic", value)])


def test_the_same_record_has_the_same_headers() -> None:
    assert made() == made()


@settings(max_examples=100)
@given(st.text("0123456789abcdef", min_size=32, max_size=32))
def test_any_id_makes_a_valid_traceparent(record_id: str) -> None:
    ((_, value),) = [header for header in made(record_id) if header[0] == "traceparent"]

    assert TRACEPARENT.fullmatch(value.decode())


def test_an_id_of_zeros_makes_a_valid_traceparent() -> None:
    value = dict(made("0" * 32))["traceparent"].decode()

    assert TRACEPARENT.fullmatch(value)


@pytest.mark.parametrize("flags", ["00", "01", "03"])
@pytest.mark.parametrize("state", [b"", b"x=y,z=1"])
def test_the_trace_goes_on_with_the_senders_decision_and_the_span_is_the_records_own(flags: str, state: bytes) -> None:
    trace = TraceContext(TRACE, flags, state)
    headers = dict(made(trace=trace))

    assert headers["traceparent"].decode() == f"00-{TRACE}-{RECORD_ID[:16]}-{flags}"
    assert headers.get("tracestate", b"") == state
    assert trace_of(made(trace=trace), otherwise="f" * 64) == trace


@pytest.mark.parametrize("state", [b"x" * 513, b"x=\xff", b"x=\n"], ids=["long", "no ASCII", "a line break"])
def test_a_tracestate_that_cannot_be_passed_on_is_left_out(state: bytes) -> None:
    headers = [*traceparent(f"00-{TRACE}-00f067aa0ba902b7-01"), ("tracestate", state)]

    assert trace_of(headers, otherwise="f" * 64) == TraceContext(TRACE, "01")


def test_a_tracestate_in_several_headers_is_one_list() -> None:
    headers = [("tracestate", b"a=1"), *traceparent(f"00-{TRACE}-00f067aa0ba902b7-01"), ("tracestate", b"b=2")]

    assert trace_of(headers, otherwise="f" * 64) == TraceContext(TRACE, "01", b"a=1,b=2")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        traceparent(""),
        traceparent(f"00-{TRACE}-00f067aa0ba902b7"),
        traceparent(f"00-{'0' * 32}-00f067aa0ba902b7-01"),
        traceparent(f"00-{TRACE}-{'0' * 16}-01"),
        traceparent(f"01-{TRACE}-00f067aa0ba902b7-01"),
        traceparent(f"00-{TRACE.upper()}-00f067aa0ba902b7-01"),
        traceparent(f"00-{TRACE}-00f067aa0ba902b7-01-more"),
        [("Traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())],
    ],
    ids=["none", "empty", "short", "no trace", "no span", "version", "capitals", "longer", "other name"],
)
def test_without_a_valid_trace_one_is_derived_that_nobody_asked_to_record(headers: Headers) -> None:
    headers = [*headers, ("tracestate", b"x=y")]

    assert trace_of(headers, otherwise="ab" * 32) == TraceContext("ab" * 16, "00", b"")


@pytest.mark.parametrize("otherwise", ["", "zz", "é" * 64, "0" * 64, "AB" * 32, "ab" * 15])
def test_a_foreign_id_makes_a_valid_trace_too(otherwise: str) -> None:
    trace_id = trace_of([], otherwise).trace_id

    assert TRACEPARENT.fullmatch(f"00-{trace_id}-{RECORD_ID[:16]}-01")
    assert trace_id == trace_of([], otherwise).trace_id
    assert trace_id != trace_of([], f"{otherwise}-").trace_id or len(otherwise) > 32


def test_the_first_valid_trace_of_several_counts() -> None:
    headers = [*traceparent("nonsense"), *traceparent(f"00-{TRACE}-00f067aa0ba902b7-00")]

    assert trace_of(headers, otherwise="ab" * 32) == TraceContext(TRACE)


@pytest.mark.parametrize(
    ("at_ms", "expected"),
    [
        (0, "1970-01-01T00:00:00.000Z"),
        (1_710_163_513_250, "2024-03-11T13:25:13.250Z"),
        (1_710_163_513_001, "2024-03-11T13:25:13.001Z"),
        (4_102_444_799_999, "2099-12-31T23:59:59.999Z"),
    ],
)
def test_instants_are_written_in_utc_with_milliseconds(at_ms: int, expected: str) -> None:
    assert rfc3339(at_ms) == expected


@settings(max_examples=200)
@given(st.integers(0, 4_102_444_800_000))
def test_no_millisecond_is_lost_in_writing(at_ms: int) -> None:
    assert rfc3339(at_ms).endswith(f".{at_ms % 1000:03d}Z")
