"""The monitor's app over what a test puts into it: every endpoint answers, and nothing reads Kafka."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from starlette.testclient import TestClient

from schemas.reader import StoredRecord
from schemas.records.outcomes import CallOutcome, QuestionState
from schemas.topics import ANSWERS
from streams.errors import BrokerUnavailableError
from streams.monitor.app import create_app
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.monitor import Monitor
from streams.monitor.records.dials import RangeRead
from streams.monitor.records.one import Found
from streams.monitor.settings import MonitorSettings
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW
from streams.topics.decoding import Decoded
from tests.support.panes import PANE_MS, pane
from tests.support.records import ANSWER, outcome

STATES = ("completed", "skipped", "broke_off", "not_reached")
QUESTIONS = ("hello", "consent", "bye")
# Ids hold anything: of the third workflow every character needs care in a path. Its name is none.
WORKFLOWS = {"wf-good": "Survey", "wf-bad": "Reminder <b>", "a/b?c#d": ""}
LINES = ("line-1", "line-2", "line 3/x")
PANES = 12
CALLS = 40


@contextmanager
def served(patch: pytest.MonkeyPatch, fill: Callable[[Monitor], None]) -> Iterator[TestClient]:
    """A client of an app whose monitor was filled in place of being started."""

    async def start(monitor: Monitor) -> None:
        await monitor.memory.open()
        fill(monitor)

    patch.setattr(Monitor, "start", start)
    settings = MonitorSettings(data_dir=None, probe_url="http://127.0.0.1:1", show_records=True)
    with TestClient(create_app(settings), raise_server_exceptions=False) as client:
        yield client


def fill_with_calls(monitor: Monitor) -> None:
    """An hour of calls up to now of WORKFLOWS on LINES; the calls of wf-bad fail in the newest quarter of an hour."""
    now_ms = int(time.time() * 1000)
    monitor.poller._snapshot = LagSnapshot(now_ms, (_group(),), {}, {}, {})
    monitor.reader._is_caught_up = True
    monitor.reader.as_of_ms = now_ms
    # what reads Kafka on demand
    monitor.dials.read = _no_kafka  # type: ignore[method-assign]
    monitor.records.read = _one_record  # type: ignore[method-assign]
    store, random = monitor.reader._store, Random(7)
    for number in range(PANES):
        start = now_ms - now_ms % PANE_MS - number * PANE_MS
        windows: dict[tuple[str, str], OutcomeCounts] = {}
        for workflow, name in WORKFLOWS.items():
            share = 0.1 if workflow == "wf-bad" and number < 4 else 0.5
            for place in range(CALLS):
                call = _call(random, workflow, name, LINES[place % len(LINES)], share)
                windows.setdefault((WORKFLOW.name, workflow), OutcomeCounts()).add(call, by_workflow=False)
                windows.setdefault((SIP_LINE.name, call.sip_line), OutcomeCounts()).add(call, by_workflow=True)
        for (name, value), counts in windows.items():
            dimension = next(one for one in DIMENSIONS if one.name == name)
            fields = counts.fields()
            store.put(dimension, pane(start, dimension=name, value=value, revision=counts.calls, **fields), now_ms)
    # as its loop does, which is not started: a watch that never looked makes the monitor blind
    monitor.lines.look(store, now_ms)
    monitor.lines.as_of_ms = now_ms


async def _no_kafka(from_ms: int, to_ms: int) -> RangeRead:
    raise BrokerUnavailableError("this test has no Kafka")


async def _one_record(place: Partition, offset: int) -> Found:
    headers = [("ce_id", b"1"), ("other", b"2")]
    stored = SimpleNamespace(offset=offset, timestamp=1, key=b"k", value=b"v", headers=headers)
    decoded = Decoded(ANSWERS, cast(StoredRecord, stored), ANSWER.to_datum())
    return Found(ANSWERS, place, offset, 0, offset + 1, decoded, "", 7, "airudder.Answer")


def _call(random: Random, workflow: str, name: str, line: str, share: float) -> CallOutcome:
    last = "answered" if random.random() < share else random.choice(("no_answer", "user_busy", "pre_alert_failure"))
    dials = ["no_answer"] * random.randrange(6)
    return outcome(
        workflow_id=workflow,
        workflow_name=name,
        sip_line=line,
        disposition=last,
        attempt_dispositions=[*dials, last],
        hangup_type=random.choice(("ByCallee", "ByRobot")),
        ring_time_s=random.randrange(40),
        questions=[QuestionState(question_name=one, state=random.choice(STATES)) for one in QUESTIONS],
    )


def _group() -> GroupLag:
    rows = [PartitionLag("airudder.callbacks.v1", n, 10, 0, 12, 2, 0.8, "ok") for n in range(2)]
    return GroupLag("airudder-streams", "Stable", 1, tuple(rows), {"airudder.callbacks.v1": 0.0})
