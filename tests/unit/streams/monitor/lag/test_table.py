"""`lag` answers "is the worker behind?" on one screen of 80 columns, and unfolded in a pipe."""

from __future__ import annotations

from dataclasses import replace
from io import StringIO

import pytest
from rich.console import Console
from typer.testing import CliRunner

from schemas.topics import CO_PARTITIONED
from streams import __main__ as streams_main
from streams.monitor.lag.readings import Unseen
from streams.monitor.lag.table import is_all_ok, lag_table, summary
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import MEANINGS, VERDICTS, LagVerdict

WORKER = "airudder-streams"
ROW = PartitionLag("airudder.callbacks.v1", 0, 10, 0, 14, 4, 1.25, "ok")
EMPTY = PartitionLag("airudder.callbacks.v1", 1, None, 0, 0, None, None, "unknown")


def snapshot(*rows: PartitionLag, name: str = WORKER, is_known: bool = True) -> LagSnapshot:
    return LagSnapshot(0, (GroupLag(name, "Stable", 1, rows, {}, is_known),), {}, {}, {})


def printed(found: LagSnapshot, width: int = 80, by_partition: bool = False) -> list[str]:
    console = Console(file=StringIO(), width=width)
    console.print(lag_table(found, by_partition))
    assert isinstance(console.file, StringIO)
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def said(found: LagSnapshot) -> str:
    return "\n".join(summary(found))


def test_a_worker_of_twelve_partitions_takes_four_rows_of_80_columns() -> None:
    rows = [replace(ROW, topic=topic.name, partition=number) for topic in CO_PARTITIONED for number in range(12)]
    lines = printed(snapshot(*rows))

    assert len(lines) == 1 + len(CO_PARTITIONED)
    assert max(map(len, lines)) <= 80
    assert {line.split()[1] for line in lines[1:]} == {topic.name for topic in CO_PARTITIONED}


def test_a_row_has_the_sum_the_oldest_and_the_worst() -> None:
    stopped = replace(ROW, partition=1, lag=3, lag_seconds=40.04, verdict="stop")
    [_, row] = printed(snapshot(ROW, stopped))

    assert row.split()[2:] == ["7", "40.0", "stop"]


def test_an_empty_partition_that_nobody_committed_does_not_make_a_topic_unknown() -> None:
    [_, row] = printed(snapshot(ROW, EMPTY))

    assert row.split()[2:] == ["4", "1.2", "ok"]
    assert is_all_ok(snapshot(ROW, EMPTY))


def test_partitions_have_a_row_each_and_a_dash_where_nobody_can_know() -> None:
    rows = printed(snapshot(ROW, EMPTY), width=200, by_partition=True)

    assert rows[1].split()[2:] == ["0", "10", "14", "4", "1.2", "ok"]
    assert rows[2].split()[2:] == ["1", "-", "0", "-", "-", "unknown"]


def test_a_group_may_be_called_like_markup() -> None:
    assert printed(snapshot(ROW, name="[red]"))[1].startswith("[red] ")


def test_the_answer_to_is_it_behind() -> None:
    assert said(snapshot(ROW)) == f"{WORKER} is not behind: 4 records to read, the oldest 1.2 s old; 1 member (Stable)"


@pytest.mark.parametrize("verdict", [word for word in VERDICTS if word not in ("ok", "unknown")])
def test_who_is_behind_is_named_with_place_and_meaning(verdict: LagVerdict) -> None:
    found = snapshot(replace(ROW, partition=7, verdict=verdict))

    assert f"{WORKER} is behind: " in said(found)
    assert f"{verdict} in airudder.callbacks.v1/7: {MEANINGS[verdict]}" in said(found)
    assert not is_all_ok(found)


def test_a_topic_with_several_bad_partitions_is_named_once() -> None:
    rows = [replace(ROW, partition=number, verdict="stop" if number < 2 else "ok") for number in range(12)]

    assert "stop in airudder.callbacks.v1 (2 of 12 partitions): " in said(snapshot(*rows))


@pytest.mark.parametrize(("committed", "why"), [(None, "committed nothing"), (10, "not watched for long enough")])
def test_what_is_unknown_is_said_with_its_reason(committed: int | None, why: str) -> None:
    found = snapshot(replace(ROW, current_offset=committed, verdict="unknown"))

    assert why in said(found)
    assert not is_all_ok(found)


def test_a_group_that_the_broker_does_not_know_and_what_is_hidden_are_no_good_news() -> None:
    nobody = snapshot(is_known=False)
    hidden = replace(snapshot(ROW), unseen=(Unseen("group g", "grant Describe"),))

    assert "has never read anything" in said(nobody)
    assert "not seen: group g: grant Describe" in said(hidden)
    assert not is_all_ok(nobody)
    assert not is_all_ok(hidden)


@pytest.mark.parametrize("verdict", VERDICTS)
def test_the_help_explains_every_verdict(verdict: LagVerdict) -> None:
    shown = CliRunner().invoke(streams_main.app, ["lag", "--help"], env={"COLUMNS": "200"}).stdout

    assert f"{verdict}: {MEANINGS[verdict]}" in shown
