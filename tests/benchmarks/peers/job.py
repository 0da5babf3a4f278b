"""The job that every runner gets: the same callbacks, and what must have come of them.

One callback has one detail with `answers` answers and one redial, so it gives 1 Call, `answers` Answers, 2 CallAttempts
and counts once in a window of its workflow and once in one of its SIP line.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, NamedTuple

from schemas.headers import TraceContext, headers_for
from schemas.topics import CALLBACKS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.benchmarks.peers.work import WINDOW_MS, Output, SchemaIds, fan_out_callback
from tests.support.deliveries import delivery, detail, question, redial
from tests.support.topics import callback_of

PARTITIONS = 4
WORKFLOWS = 50
LINES = 10
SPREAD_S = 600  # the calls of one job end within so many seconds: two or three windows a key


class Input(NamedTuple):
    """One record of the callbacks topic."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]


class Trace(NamedTuple):
    """One record as far as two of them are compared: topic, ce_id, digest of key and value."""

    topic: str
    ce_id: str
    digest: bytes


Windows = dict[str, dict[str, int]]
"""Calls by results topic and record key (`value|window start`)."""


def trace_of(topic: str, ce_id: str, key: bytes, value: bytes) -> Trace:
    """What is compared of an output."""
    return Trace(topic, ce_id, blake2b(key + b"\0" + value, digest_size=8).digest())


@dataclass
class Expected:
    """What must be in the topics when a job is done."""

    outputs: set[Trace]
    windows: Windows


@dataclass
class Job:
    """`callbacks` records to write, and what each must give. Build with `make`; shorter jobs are beginnings of it."""

    answers: int
    inputs: list[Input] = field(default_factory=list)
    _outputs: list[list[Trace]] = field(default_factory=list)
    _windows: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def make(
        cls,
        callbacks: int,
        answers: int,
        ids: SchemaIds,
        *,
        now_s: float | None = None,
        workflows: int = WORKFLOWS,
        spread_s: int = SPREAD_S,
    ) -> Job:
        """A job whose calls end shortly before now, so that no runner's retention or grace ever touches them."""
        start_s = int(now_s or time.time()) // 300 * 300 - 2 * SPREAD_S
        job = cls(answers)
        for number in range(callbacks):
            ended_at_s = start_s + number * spread_s // callbacks
            job._add(_delivery(number, answers, ended_at_s, workflows), start_s + SPREAD_S, ids)
        return job

    def _add(self, sent: dict[str, Any], received_at_s: int, ids: SchemaIds) -> None:
        callback = callback_of(sent, received_at_s * 1000)
        key = (callback.details[0].call_id or "").encode()
        headers = headers_for(
            "Callback",
            callback.event_id,
            "/airudder/gateway",
            callback.received_at,
            TraceContext(callback.event_id[:32]),
        )
        record = Input(key, ids.encode(CALLBACKS, callback), headers)
        fanned = fan_out_callback(record.value, record.headers, ids)
        self.inputs.append(record)
        self._outputs.append([_trace(output) for output in fanned.outputs])
        start = fanned.outcome.ended_at // WINDOW_MS * WINDOW_MS
        self._windows.append((f"{fanned.outcome.workflow_id}|{start}", f"{fanned.outcome.sip_line}|{start}"))

    def expected(self, callbacks: int, *, windows: bool = True) -> Expected:
        """What the first `callbacks` records give."""
        outputs = {trace for traces in self._outputs[:callbacks] for trace in traces}
        counted = self._windows[: callbacks if windows else 0]
        by_workflow, by_line = Counter(pair[0] for pair in counted), Counter(pair[1] for pair in counted)
        return Expected(outputs, {WORKFLOW_OUTCOMES.name: by_workflow, SIP_LINE_OUTCOMES.name: by_line})


def _trace(output: Output) -> Trace:
    return trace_of(output.topic, dict(output.headers)["ce_id"].decode(), output.key, output.value)


def _delivery(number: int, answers: int, ended_at_s: int, workflows: int) -> dict[str, Any]:
    """A delivery like the provider's: two calls in three answered, answers of different words and lengths."""
    call_id, is_answered = f"call-{number:08d}", number % 3 != 0
    call = detail(
        call_id,
        _text(ended_at_s),
        call_start_time=_text(ended_at_s - 60),
        duration=5 + number % 90 if is_answered else 0,
        ring_time=3 + number % 20,
        talk_round=number % 9 if is_answered else 0,
        hangup_type="ByCallee" if number % 2 else "ByRobot",
        callee=f"+1555{number:07d}",
        question_answer=list(_questions(number, answers)),
        redail_call=[redial(f"{call_id}-1", _text(ended_at_s - 240), callee_number=f"+1555{number:07d}")],
        call_times=2,
        CaseID=f"case-{number * 7919 % 1_000_003}",
    )
    return delivery(call, workflow=f"wf-{number % workflows}", line=f"LINE_{number // 7 % LINES}")


def _questions(number: int, answers: int) -> Iterator[dict[str, Any]]:
    for place in range(answers):
        words = ("yes", "no, thank you", "tomorrow after three in the afternoon", "I said that I have paid already")
        said = words[(number + place) % len(words)]
        yield question(f"Q{place}", "Skip" if (number + place) % 5 == 0 else "Completed", answer=said, answer_text=said)


def _text(at_s: int) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime("%Y-%m-%d %H:%M:%S")
