"""Which partition a key belongs to: by the number of partitions that a topic had first."""

from collections.abc import Sequence
from typing import Any

from schemas.connection_faults import hidden_topic
from schemas.placement import changed_counts, partition_of, unequal_counts
from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CO_PARTITIONED, Topic


class Placement:
    """The numbers of partitions that the topics had first; kept until the process ends."""

    def __init__(self, topics: Sequence[Topic], principal: str = "us", names: TopicNames = DECLARED) -> None:
        self._topics = names.all_of(topics)
        self._names = names
        self._principal = principal
        self._began_with: dict[str, int] = {}

    def fault(self, cluster: Any) -> str:
        """What is wrong with the topics, by aiokafka's view of the cluster; empty when nothing is."""
        names = {*self._topics.values(), *map(self._names.of, CO_PARTITIONED)}
        now = {name: len(cluster.partitions_for_topic(name) or ()) for name in names}
        if missing := [name for name in self._topics.values() if not now[name]]:
            return f"Kafka: {hidden_topic(', '.join(missing))} to {self._principal}"
        if fault := changed_counts(self._began_with, now) or unequal_counts(now, self._names):
            return f"Kafka: {fault}"
        self._began_with = {name: now[name] for name in self._topics.values()}
        return ""

    def partition_of(self, topic: Topic, key: bytes) -> int:
        """The partition of a record. Only after `fault` has found no fault."""
        return partition_of(key, self._began_with[self._topics[topic.name]])
