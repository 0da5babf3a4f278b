"""The headers of every record: CloudEvents' binary mode and one W3C traceparent, with the sender's tracestate.

All values follow from the record alone, so a record that is sent again carries the same headers. Where tracing is on,
the traceparent names the span that wrote it, which differs with each sending.
Source: CloudEvents Kafka protocol binding 1.0.2; W3C Trace Context.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import NamedTuple

from schemas.topics import SYNTHETIC_HEADER

Headers = list[tuple[str, bytes]]

CONTENT_TYPE = b"application/avro"
SYNTHETIC = (SYNTHETIC_HEADER, b"1")  # the mark of probe traffic
REPLAYED_FROM = "replayed_from"  # written by a replay: topic[partition]@offset of the kept record
LAST_MS = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z
_SPECVERSION = ("ce_specversion", b"1.0")
_NO_SPAN = "0" * 16
_UNSAMPLED = b"00"
_TRACE_ID = re.compile("(?!0{32})[0-9a-f]{32}")
_TRACEPARENT = re.compile(rb"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
# The least that W3C requires everybody to pass on. Printable ASCII, not parsed.
_TRACESTATE = re.compile(rb"[\x20-\x7e]{1,512}")


class TraceContext(NamedTuple):
    """The trace of a record. `flags` and `state` are the sender's, which decides whether the trace is recorded.

    trace_id: 32 hex digits, the same from HTTP on; flags: 2 hex digits; state: the value of tracestate, empty for none.
    span_id: 16 hex digits, the span that the trace comes from, where `sender_of` gave it; empty where it begins.
    """

    trace_id: str
    flags: str = "00"
    state: bytes = b""
    span_id: str = ""

    @property
    def is_sampled(self) -> bool:
        """Whether the trace is recorded."""
        return bool(int(self.flags, 16) & 1)


def headers_for(
    record: str, record_id: str, source: str, at_ms: int, trace: TraceContext, *, synthetic: bool = False
) -> Headers:
    """Headers of one record.

    record: the Avro name, e.g. Call; record_id: hex, at least 16 digits; source: /airudder/gateway or
    /airudder/streams; at_ms: the instant of ce_time, UTC epoch ms.
    """
    parent = f"00-{trace.trace_id}-{_span_id(record_id)}-{trace.flags}".encode()
    headers = [*_shared(record, source, at_ms, synthetic), ("ce_id", record_id.encode()), ("traceparent", parent)]
    return [*headers, ("tracestate", trace.state)] if trace.state else headers


@lru_cache(maxsize=1024)
def _shared(record: str, source: str, at_ms: int, synthetic: bool) -> Headers:
    """The headers that records of one kind and instant share, such as the answers of one call."""
    headers = [
        _SPECVERSION,
        ("ce_source", source.encode()),
        ("ce_type", f"airudder.{record}.v1".encode()),
        ("ce_time", rfc3339(at_ms).encode()),
        ("content-type", CONTENT_TYPE),
    ]
    return [*headers, SYNTHETIC] if synthetic else headers


def trace_of(headers: Iterable[tuple[str, bytes]], otherwise: str) -> TraceContext:
    """The trace of a record or request: its first valid traceparent and its tracestate.

    Without a traceparent, an unsampled trace whose id is the first 32 digits of `otherwise`. When these are not hex,
    as in a foreign id, they are those of its SHA-256.
    """
    parent, state = b"", b""
    for name, value in headers:
        if name == "traceparent" and not parent and _TRACEPARENT.fullmatch(value or b""):  # a header may have no value
            parent = value
        elif name == "tracestate" and value:
            state = state + b"," + value if state else value
    if not parent:
        trace_id = otherwise[:32]
        is_one = _TRACE_ID.fullmatch(trace_id)
        return TraceContext(trace_id if is_one else sha256(otherwise.encode()).hexdigest()[:32])
    return TraceContext(parent[3:35].decode(), parent[53:].decode(), state if _TRACESTATE.fullmatch(state) else b"")


def sender_of(headers: Iterable[tuple[str, bytes]]) -> TraceContext | None:
    """The trace and the span that a record or request comes from; None without a valid traceparent."""
    headers = list(headers)
    for name, value in headers:
        if name == "traceparent" and _TRACEPARENT.fullmatch(value or b""):
            return trace_of(headers, "")._replace(span_id=value[36:52].decode())
    return None


def under_span(headers: Headers, traceparent: bytes, state: bytes) -> Headers:
    """The headers of a record that this span writes, in place of the trace that they have."""
    kept = [header for header in headers if header[0] not in ("traceparent", "tracestate")]
    return [*kept, ("traceparent", traceparent), *([("tracestate", state)] if state else [])]


def unsampled(headers: Headers) -> Headers:
    """The headers of a record whose trace is not recorded here, so that those behind us do not record it either."""
    return [(name, value[:53] + _UNSAMPLED if name == "traceparent" else value) for name, value in headers]


def is_synthetic(headers: Iterable[tuple[str, bytes]]) -> bool:
    """True for probe traffic, which enters no window."""
    for name, value in headers:  # noqa: SIM110  # any() would make a generator for each record
        if name == SYNTHETIC_HEADER and value == b"1":
            return True
    return False


@lru_cache(maxsize=1024)  # the records of one callback share their instants
def rfc3339(at_ms: int) -> str:
    """UTC epoch ms as RFC 3339 with milliseconds and Z, the way CloudEvents and our HTTP APIs write instants.

    Never raises: an instant outside the years 1970 to 9999 becomes their first or last millisecond.
    """
    at_ms = at_ms if 0 <= at_ms <= LAST_MS else 0 if at_ms < 0 else LAST_MS
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _span_id(record_id: str) -> str:
    span_id = record_id[:16]
    return span_id if span_id != _NO_SPAN else "1".zfill(16)
