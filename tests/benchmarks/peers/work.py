"""What the Python peers do with one callback: the very functions and the codec of our worker, without the worker.

Imports nothing but the pure parts, so that it also runs in the environment of a peer that our pins do not allow.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schemas import codec
from schemas.headers import Headers, headers_for, trace_of
from schemas.records.outcomes import CallOutcome
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, Topic
from streams.rules.fanout import check, fan_out

SOURCE = "/airudder/streams"
ZONE = ZoneInfo("UTC")
WINDOW_MS = 300_000
GRACE_MS = 24 * 3600 * 1000
BY_WORKFLOW = "bench.by-workflow"
BY_SIP_LINE = "bench.by-sip-line"
"""Where a peer without re-keyed topics of its own sends its changes: key the workflow or line, value its end in ms."""


class SchemaIds(dict[str, int]):
    """The registry's ids by topic name."""

    def encode(self, topic: Topic, record: Record) -> bytes:
        """The record's wire bytes for a topic."""
        return codec.encode(self[topic.name], record)


@dataclass(frozen=True)
class Place:
    """Where a peer's process runs."""

    bootstrap: str
    group: str
    directory: Path
    ids: SchemaIds

    @classmethod
    def from_env(cls) -> Place:
        """As `environ` wrote it."""
        return cls(
            os.environ["BENCH_BOOTSTRAP"],
            os.environ["BENCH_GROUP"],
            Path(os.environ["BENCH_DIRECTORY"]),
            SchemaIds(json.loads(os.environ["BENCH_SCHEMA_IDS"])),
        )

    def environ(self) -> dict[str, str]:
        """The variables that tell a process."""
        return {
            "BENCH_BOOTSTRAP": self.bootstrap,
            "BENCH_GROUP": self.group,
            "BENCH_DIRECTORY": str(self.directory),
            "BENCH_SCHEMA_IDS": json.dumps(self.ids),
        }


class Output(NamedTuple):
    """One record to be written."""

    topic: str
    key: bytes
    value: bytes
    headers: Headers


class Fanned(NamedTuple):
    """What one callback gives."""

    callback: Callback
    outputs: list[Output]
    outcome: CallOutcome
    call: bytes
    record_id: str


def decode(value: bytes) -> Callback:
    """The callback in wire bytes."""
    return codec.decode(value, codec.parsed_schema("Callback"), Callback)


def fan_out_callback(value: bytes, headers: Iterable[tuple[str, bytes]], ids: SchemaIds) -> Fanned:
    """Decode one callback of one detail and make its output records. Raises ValueError for one without details."""
    callback = decode(value)
    detail = check(callback)
    if detail is None:
        raise ValueError("a benchmark's callback has a detail")
    fanned = fan_out(callback, detail, 1, ZONE)
    trace, key, at_ms = trace_of(headers, callback.event_id), fanned.call.call_id.encode(), fanned.call.ended_at
    outputs = []
    for topic, records in ((CALLS, [fanned.call]), (ANSWERS, fanned.answers), (CALL_ATTEMPTS, fanned.attempts)):
        for record in records:
            record_headers = headers_for(topic.record, record.record_id, SOURCE, at_ms, trace)
            outputs.append(Output(topic.name, key, ids.encode(topic, record), record_headers))
    return Fanned(callback, outputs, fanned.outcome, outputs[0].value, fanned.call.record_id)
