"""The lag view ranks by badness, says since when and whether it gets better, and has the API's numbers."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import pytest

from streams.monitor.history.names import of_topic
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.views import lag_view
from streams.monitor.monitor import Monitor
from streams.monitor.settings import MonitorSettings
from tests.support.pages import Tags, facts_of, rendered, resolve
from tests.support.panes import NOON_MS

ROW = PartitionLag("orders", 0, 10, 0, 12, 2, 0.8, "ok")


def monitor_with(*groups: GroupLag) -> Monitor:
    monitor = Monitor(MonitorSettings())
    snapshot = LagSnapshot(NOON_MS, groups, {}, {}, {})
    monitor.poller._snapshot = snapshot
    monitor.memory.add(snapshot)
    return monitor


def group(name: str, *rows: PartitionLag, members: int = 1) -> GroupLag:
    return GroupLag(name, "Stable", members, rows, {"orders": 3.0})


async def test_the_worst_group_comes_first_and_abandoned_ones_are_folded() -> None:
    stalled = replace(ROW, verdict="stall", lag_seconds=900.0)
    monitor = monitor_with(group("well", ROW), group("stuck", ROW, stalled), group("gone", ROW, members=0))
    document = rendered(monitor, "/lag", now_ms=NOON_MS)
    text = Tags(document).text

    # the headline has names, too: it is the tables that stand in this order
    assert re.findall(r'aria-label="Topics of (\w+)"', document) == ["stuck", "well", "gone"]
    assert "Nobody in the group" in text
    assert "15 min" in text
    assert "/lag/stuck/orders/0" in document


async def test_every_number_that_it_marks_is_the_apis() -> None:
    monitor = monitor_with(group("well", ROW), group("stuck", ROW, replace(ROW, partition=1, verdict="stall")))
    answer = json.loads(json.dumps(lag_view(monitor.poller.snapshot)))
    facts = facts_of(rendered(monitor, "/lag", now_ms=NOON_MS))

    assert len(facts) >= 7
    assert {path for path, _, _ in facts} == {"/api/lag"}
    assert all(resolve(answer, pointer) == value for _, pointer, value in facts)


@pytest.mark.parametrize(
    ("before", "after", "word"), [(10, 400, "growing"), (400, 10, "shrinking"), (400, 400, "steady")]
)
async def test_the_trend_is_said_in_words(before: int, after: int, word: str) -> None:
    monitor = monitor_with(group("g", ROW))
    for seconds, records in ((-200, before), (-10, after)):
        monitor.history.record(of_topic("lag_records", "g", "orders"), NOON_MS + 1000 * seconds, records)

    assert word in Tags(rendered(monitor, "/lag", now_ms=NOON_MS)).text


async def test_without_a_history_there_is_no_trend() -> None:
    assert "too soon" in Tags(rendered(monitor_with(group("g", ROW)), "/lag", now_ms=NOON_MS + 10**9)).text
