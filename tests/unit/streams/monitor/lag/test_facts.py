"""A fact of lag is named once, and every view has it: metrics, API, command and page."""

from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from streams.monitor.lag.facts import FACTS, LAG, LAG_SECONDS, Fact, topics_of, worst
from streams.monitor.lag.metrics import lag_families
from streams.monitor.lag.table import lag_table
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import VERDICTS
from streams.monitor.lag.views import lag_view
from streams.monitor.monitor import Monitor
from streams.monitor.pages.words import number_text, span_text
from streams.monitor.settings import MonitorSettings
from tests.support.pages import rendered

ROW = PartitionLag("t", 0, 101, 102, 103, 104, 105.5, "ok", 106)
SNAPSHOT = LagSnapshot(0, (GroupLag("g", "Stable", 1, (ROW,), {}),), {}, {}, {})


def command(by_partition: bool) -> list[str]:
    console = Console(file=StringIO(), width=400)
    console.print(lag_table(SNAPSHOT, by_partition))
    assert isinstance(console.file, StringIO)
    return console.file.getvalue().split()


def shown_by_page(fact: Fact, row: PartitionLag) -> str:
    """As the page words it: ages as spans, counts with thousands apart."""
    value = fact.of(row)
    return span_text(value) if fact is LAG_SECONDS else f">{number_text(value)}<"


@pytest.mark.parametrize("fact", FACTS, ids=lambda fact: fact.name)
async def test_every_view_has_a_fact(fact: Fact) -> None:
    monitor = Monitor(MonitorSettings())
    monitor.poller._snapshot = SNAPSHOT
    samples = {sample.name: sample.value for family in lag_families(SNAPSHOT) for sample in family.samples}
    [partition] = lag_view(SNAPSHOT)["groups"][0]["partitions"]

    assert partition[fact.name] == fact.of(ROW)
    assert fact.metric is None or samples[fact.metric] == fact.of(ROW)
    if fact.of_partition:
        assert {fact.of_partition, fact.text(ROW)} <= set(command(by_partition=True))
    if fact.of_topic:
        assert {fact.of_topic, fact.text(ROW)} <= set(command(by_partition=False))
        assert shown_by_page(fact, ROW) in rendered(monitor, "/lag")


def test_no_two_facts_share_a_name() -> None:
    names = [name for fact in FACTS for name in (fact.name, fact.metric) if name]

    assert len(set(names)) == len(names)


def test_partitions_are_joined_as_far_as_they_are_known() -> None:
    unknown = PartitionLag("t", 1, None, 0, 5, None, None, "unknown")

    assert (LAG.of(ROW, ROW, unknown), LAG_SECONDS.of(ROW, unknown)) == (208, 105.5)
    assert (LAG.of(unknown), LAG.text(unknown)) == (None, "-")


def test_a_topic_is_as_bad_as_its_worst_partition_which_it_names() -> None:
    rows = (ROW, PartitionLag("t", 7, 1, 0, 9, 8, 1.0, "stall"), PartitionLag("s", 0, 1, 0, 9, 8, 1.0, "warn"))
    first, second = topics_of(GroupLag("g", "Stable", 1, rows, {}))

    assert [(row.topic, row.verdict) for row in (first, second)] == [("s", "warn"), ("t", "stall")]
    assert [row.partition for row in second.guilty] == [7]
    assert worst(VERDICTS) == "stop"
