"""One poll is bounded whatever groups stand at, and what fails for one is not missing for others."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from schemas.errors import SettingsError
from streams.monitor.lag import poller as polling
from streams.monitor.lag.groups import Topology
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.readings import Ahead, GroupReading, Partition, Unseen
from streams.monitor.lag.tracker import PartitionLag
from streams.monitor.lag.watched import watches
from streams.monitor.settings import MonitorSettings

P0, P1 = Partition("t", 0), Partition("t", 1)


class Broker:
    """A reader over what the test says is in Kafka; `looks` are the offsets that were looked at."""

    def __init__(self, groups: list[GroupReading], begin: dict[Partition, int], end: dict[Partition, int]) -> None:
        self.all, self.begin, self.end = groups, begin, end
        self.unseen: list[Unseen] = []
        self.records: dict[tuple[Partition, int], Ahead] = {}
        self.looks: list[tuple[Partition, int]] = []
        self.look_takes_s = 0.0

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def topology(self) -> Topology:
        return Topology([1], dict.fromkeys([P0, P1, *self.end], 1))

    async def group_names(self, _: Any) -> tuple[dict[str, int], list[Unseen]]:
        return {group.name: 1 for group in self.all}, []

    async def groups(self, wanted: dict[str, int | None]) -> tuple[list[GroupReading], list[Unseen]]:
        return [group for group in self.all if group.name in wanted], self.unseen

    async def water_marks(self, _: Any) -> tuple[dict[Partition, int], dict[Partition, int], list[Unseen]]:
        return self.begin, self.end, []

    async def offsets_at(self, _: Any, __: int) -> tuple[dict[Partition, tuple[int, int]], list[Unseen]]:
        return {}, []

    async def look_ahead(self, _: Any, __: int, partition: Partition, offset: int, end: int) -> Ahead:
        self.looks.append((partition, offset))
        await asyncio.sleep(self.look_takes_s)
        return self.records.get((partition, offset), Ahead(end, None))


def watching(broker: Broker, monkeypatch: pytest.MonkeyPatch, groups: str = "*") -> LagPoller:
    monkeypatch.setattr(polling, "GroupReader", lambda _: broker)
    monkeypatch.setattr(polling, "look_ahead", broker.look_ahead)
    return LagPoller(MonitorSettings(app_id="worker", groups=groups or None))


def standing(name: str, offset: int, partition: Partition = P0, members: int = 0) -> GroupReading:
    owned = frozenset({partition}) if members else frozenset()
    return GroupReading(name, "Stable" if members else "Empty", members, owned, {partition: offset})


async def rows(poller: LagPoller) -> dict[str, PartitionLag]:
    found = await poller.poll_once()
    return {group.consumergroup: row for group in found.groups for row in group.partitions}


async def test_fifty_abandoned_groups_at_deleted_offsets_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing(f"g{i}", i) for i in range(50)], {P0: 100}, {P0: 100})
    broker.look_takes_s = 30
    started = time.monotonic()
    found = await rows(watching(broker, monkeypatch))

    assert time.monotonic() - started < broker.look_takes_s
    assert broker.looks == []
    assert {(row.lag, row.lag_seconds, row.verdict) for row in found.values()} == {(0, 0.0, "ok")}
    assert len(found) == 50


async def test_looks_have_one_budget_for_the_poll_and_lag_comes_without_ages(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing(f"g{i}", i) for i in range(50)], {P0: 0}, {P0: 100})
    broker.look_takes_s = 30
    started = time.monotonic()
    found = await rows(watching(broker, monkeypatch))

    assert time.monotonic() - started < broker.look_takes_s
    assert sorted(row.lag or 0 for row in found.values()) == list(range(51, 101))
    assert {row.lag_seconds for row in found.values()} == {None}


async def test_a_tail_of_markers_is_no_work_and_is_looked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing("g", 9, members=1)], {P0: 0}, {P0: 10})
    poller = watching(broker, monkeypatch)
    seen = [(await rows(poller))["g"] for _ in range(3)]

    assert {(row.lag, row.lag_seconds, row.verdict) for row in seen} == {(0, 0.0, "ok")}
    assert broker.looks == [(P0, 9)]


async def test_when_the_end_moves_the_look_goes_on_from_where_it_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing("g", 9, members=1)], {P0: 0}, {P0: 10})
    poller = watching(broker, monkeypatch)
    await rows(poller)
    broker.end = {P0: 12}
    broker.records[P0, 10] = Ahead(11, int(time.time() * 1000) - 3000)
    row = (await rows(poller))["g"]

    assert broker.looks == [(P0, 9), (P0, 10)]
    assert row.lag == 1
    assert row.lag_seconds == pytest.approx(3, abs=0.5)


async def test_two_offsets_before_the_same_record_cost_one_look(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing("a", 5), standing("b", 7), standing("c", 2)], {P0: 4}, {P0: 10})
    broker.records[P0, 4] = Ahead(8, 1_732_700_000_000)
    found = await rows(watching(broker, monkeypatch))

    assert broker.looks == [(P0, 4)]
    assert [found[name].lag for name in "abc"] == [2, 2, 2]


async def test_an_open_transaction_is_waiting_and_not_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing("g", 5, members=1)], {P0: 0}, {P0: 8})
    broker.records[P0, 5] = Ahead(5, int(time.time() * 1000) - 60_000, is_open=True)
    row = (await rows(watching(broker, monkeypatch)))["g"]

    assert (row.lag, row.verdict) == (3, "behind")


async def test_a_group_that_may_not_be_seen_takes_nothing_from_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing("g", 100, members=1)], {P0: 0}, {P0: 100})
    broker.unseen = [Unseen("group secret", "GroupAuthorizationFailedError", group="secret")]
    found = await watching(broker, monkeypatch).poll_once()

    assert [group.consumergroup for group in found.groups] == ["g"]
    assert found.unseen[0].what == "group secret"


async def test_only_our_own_group_is_watched_unless_others_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    groups = [standing(name, 100) for name in ("worker", "apicurio-1", "billing")]
    broker = Broker(groups, {P0: 0}, {P0: 100})

    assert set(await rows(watching(broker, monkeypatch, ""))) == {"worker"}
    assert set(await rows(watching(broker, monkeypatch, "bill*"))) == {"worker", "billing"}


async def test_more_groups_than_are_watched_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    broker = Broker([standing(f"g{i:03}", 100) for i in range(300)], {P0: 0}, {P0: 100})
    found = await watching(broker, monkeypatch).poll_once()

    assert len(found.groups) == 200
    assert "narrow" in found.unseen[0].why


async def test_a_poll_that_hangs_names_what_it_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    class Hanging(Broker):
        async def water_marks(self, _: Any) -> Any:
            await asyncio.sleep(60)

    monkeypatch.setattr(polling, "POLL_DEADLINE_S", 0.05)
    with pytest.raises(Exception, match="the ends of partitions"):
        await watching(Hanging([], {}, {P0: 1}), monkeypatch).poll_once()


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("*", "anything", True),
        (".*", "anything", True),
        ("orders-*", "orders-eu", True),
        ("orders-.+", "orders-eu", True),
        ("orders", "orders-eu", False),
        ("a, b*", "bc", True),
        ("", "a", False),
        ("(a|b)", "b", True),
    ],
)
def test_a_pattern_is_a_shells_or_a_regular_expression(pattern: str, name: str, expected: bool) -> None:
    assert MonitorSettings.from_env({"MONITOR_GROUPS": pattern}).groups == (pattern or None)
    assert watches(pattern)(name) is expected


@pytest.mark.parametrize("pattern", ["(", "a,["])
def test_what_is_neither_is_refused(pattern: str) -> None:
    with pytest.raises(SettingsError, match="MONITOR_GROUPS"):
        MonitorSettings.from_env({"MONITOR_GROUPS": pattern})
