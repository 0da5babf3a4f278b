"""Topics are created with the copies that an acknowledged record needs."""

from __future__ import annotations

import pytest

from streams.topics.admin import new_topics
from streams.topics.expected import expected_topics


@pytest.mark.parametrize(("replication", "copies"), [(1, None), (2, None), (3, "2"), (5, "2")])
def test_with_three_copies_a_record_is_acknowledged_when_two_have_it(replication: int, copies: str | None) -> None:
    made = new_topics(expected_topics("app"), 12, replication)

    assert {topic.topic_configs.get("min.insync.replicas") for topic in made} == {copies}
    assert [topic.name for topic in made] == [topic.name for topic in expected_topics("app")]
    assert {(topic.num_partitions, topic.replication_factor) for topic in made} == {(12, replication)}
