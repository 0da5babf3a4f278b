"""Keys stay where they belong when a topic grows, and the growth is a fault."""

from __future__ import annotations

import pytest

from gateway.publishing.placement import Placement
from schemas.topics import CALLBACKS, QUARANTINE, REKEYED_DETAILS


class Cluster:
    """As much of aiokafka's as is asked."""

    def __init__(self) -> None:
        self.counts = {CALLBACKS.name: 3, QUARANTINE.name: 3, REKEYED_DETAILS.name: 3}

    def partitions_for_topic(self, name: str) -> set[int] | None:
        return set(range(self.counts[name])) if self.counts.get(name) else None


@pytest.fixture
def cluster() -> Cluster:
    return Cluster()


@pytest.fixture
def placement(cluster: Cluster) -> Placement:
    placement = Placement([CALLBACKS, QUARANTINE])
    assert placement.fault(cluster) == ""
    return placement


def test_a_topic_that_grew_is_a_fault_for_good_and_its_keys_stay_where_they_belong(
    placement: Placement, cluster: Cluster
) -> None:
    keys = [f"call-{number}".encode() for number in range(50)]
    before = [placement.partition_of(CALLBACKS, key) for key in keys]
    cluster.counts[CALLBACKS.name] = cluster.counts[REKEYED_DETAILS.name] = 5

    assert f"{CALLBACKS.name}: 3, now 5" in placement.fault(cluster)
    assert f"{CALLBACKS.name}: 3, now 5" in placement.fault(cluster)
    assert [placement.partition_of(CALLBACKS, key) for key in keys] == before


def test_a_gateway_that_starts_among_topics_grown_apart_refuses(cluster: Cluster) -> None:
    cluster.counts[CALLBACKS.name] = 5

    assert "must have the same number of partitions" in Placement([CALLBACKS, QUARANTINE]).fault(cluster)


def test_topics_that_are_missing_or_gone_are_named(placement: Placement, cluster: Cluster) -> None:
    cluster.counts[QUARANTINE.name] = 0

    assert placement.fault(cluster).startswith(f"Kafka: topic {QUARANTINE.name} is missing, or hidden")


def test_topics_that_cannot_be_seen_are_no_fault(cluster: Cluster) -> None:
    cluster.counts[REKEYED_DETAILS.name] = 0

    assert Placement([CALLBACKS, QUARANTINE]).fault(cluster) == ""
