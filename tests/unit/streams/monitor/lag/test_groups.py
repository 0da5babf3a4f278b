"""One group, topic or broker that gives no answer is named with its remedy; the others are read all the same."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import GroupAuthorizationFailedError, GroupCoordinatorNotAvailableError
from aiokafka.protocol.commit import OffsetFetchRequest

from streams.monitor.lag import groups as kafka
from streams.monitor.lag.groups import EARLIEST, GroupReader
from streams.monitor.lag.readings import Partition
from streams.settings import KafkaSettings

ALIVE = "alive"


@dataclass
class Admin:
    """The client library's admin client over a cluster of two brokers; broker 2 may be frozen."""

    frozen: bool = False
    listed: list[tuple[str, str]] = field(default_factory=list)
    errors: dict[str, Exception] = field(default_factory=dict)
    partition_errors: dict[int, int] = field(default_factory=dict)

    async def find_coordinator(self, name: str) -> int:
        if name in self.errors:
            raise self.errors[name]
        return 2 if name.startswith("second") else 1

    async def list_consumer_groups(self, brokers: list[int]) -> list[tuple[str, str]]:
        return self.listed

    async def describe_consumer_groups(self, names: list[str], group_coordinator_id: int) -> list[Any]:
        state = "Empty" if names[0].endswith(ALIVE) else "Dead"
        return [SimpleNamespace(groups=[(0, names[0], state, "consumer", "", [])])]

    async def _send_request(self, request: Any, broker: int) -> Any:
        if self.frozen and broker == 2:
            await asyncio.sleep(60)
        if isinstance(request, OffsetFetchRequest):
            return SimpleNamespace(error_code=0, topics=[])
        rows = [
            (topic, [(number, self.partition_errors.get(number, 0), -1, 7) for number, _ in partitions])
            for topic, partitions in request._topics
        ]
        return SimpleNamespace(topics=rows)


@pytest.fixture
async def admin(monkeypatch: pytest.MonkeyPatch) -> Admin:
    made = Admin()
    monkeypatch.setattr(kafka, "AIOKafkaAdminClient", lambda **_: made)
    monkeypatch.setattr(kafka, "PART_TIMEOUT_S", 0.05)
    return made


async def test_a_group_that_may_not_be_described_is_reported_with_the_right_it_needs(admin: Admin) -> None:
    admin.errors["secret"] = GroupAuthorizationFailedError("secret")
    groups, unseen = await GroupReader(KafkaSettings()).groups({"secret": None, "alive": None})

    assert [group.name for group in groups] == ["alive"]
    assert (unseen[0].group, "the right Describe on group secret" in unseen[0].why) == ("secret", True)


async def test_a_coordinator_that_is_away_hides_its_own_groups_only(admin: Admin) -> None:
    admin.errors["lost"] = GroupCoordinatorNotAvailableError()
    admin.frozen = True
    groups, unseen = await GroupReader(KafkaSettings()).groups({"lost": None, "second-alive": None, "alive": None})

    assert [group.name for group in groups] == ["alive"]
    assert sorted(missing.what for missing in unseen) == ["group lost", "group second-alive"]


@pytest.mark.parametrize(("listed", "is_known", "state"), [([], False, "Dead"), ([("g", "")], True, "Unknown")])
async def test_a_group_that_was_never_there_is_distinguished_from_one_of_another_protocol(
    admin: Admin, listed: list[tuple[str, str]], is_known: bool, state: str
) -> None:
    admin.listed = listed
    [group], unseen = await GroupReader(KafkaSettings()).groups({"g": None})

    assert (group.is_known, group.state, unseen) == (is_known, state, [])


async def test_one_partition_without_leader_topic_or_broker_hides_no_other(admin: Admin) -> None:
    admin.partition_errors = {1: 3, 4: 29}
    admin.frozen = True
    leaders = {Partition("t", 0): 1, Partition("t", 1): 1, Partition("t", 2): -1, Partition("t", 3): 2}
    leaders[Partition("t", 4)] = 1
    found, unseen = await GroupReader(KafkaSettings()).offsets_at(leaders, EARLIEST)

    assert found == {Partition("t", 0): (7, -1)}
    told = {missing.what.split()[1]: missing.why for missing in unseen}
    assert sorted(told) == ["1", "2", "3", "4"]
    assert "UnknownTopicOrPartition" in told["1"]
    assert "no broker leads it" in told["2"]
    assert "broker 2" in told["3"]
    assert "the right Describe on topic t" in told["4"]


async def test_a_partition_whose_end_alone_cannot_be_read_has_neither_mark(admin: Admin) -> None:
    admin.partition_errors = {1: 6}
    begin, end, unseen = await GroupReader(KafkaSettings()).water_marks({Partition("t", 0): 1, Partition("t", 1): 1})

    assert set(begin) == set(end) == {Partition("t", 0)}
    assert len(unseen) == 1
