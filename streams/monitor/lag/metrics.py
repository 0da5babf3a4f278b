"""Lag as metrics, under kafka_exporter's names. Series come from the newest snapshot, so a gone group's vanish."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from streams.monitor.lag.facts import FACTS, LAG, topics_of
from streams.monitor.lag.tracker import GroupLag, LagSnapshot
from streams.monitor.lag.verdicts import VERDICTS
from streams.rules.labels import short

BY_PARTITION: Final = ["consumergroup", "topic", "partition"]
BY_TOPIC: Final = ["consumergroup", "topic"]
# Kafka-wide series are for a cluster's own groups; a company's thousands of partitions are kafka_exporter's.
MAX_PARTITIONS: Final = 5_000


def lag_families(snapshot: LagSnapshot) -> Iterator[Metric]:
    """Everything that one poll found; by partition for the first MAX_PARTITIONS of them."""
    yield from _partition_families(snapshot.groups)
    yield from _group_families(snapshot.groups)
    yield from _water_marks(snapshot)
    lost = CounterMetricFamily(
        "kafka_consumergroup_records_lost", "Records that retention took before the group read them.", labels=BY_TOPIC
    )
    for (group, topic), count in snapshot.records_lost.items():
        lost.add_metric([short(group), topic], count)
    yield lost
    rows = sum(len(group.partitions) for group in snapshot.groups)
    dropped = _gauge("kafka_lag_partitions_left_out", "Partitions of groups without series of their own.", [])
    dropped.add_metric([], max(0, rows - MAX_PARTITIONS))
    yield dropped


def _partition_families(groups: Iterable[GroupLag]) -> Iterator[Metric]:
    facts = [(fact, _gauge(fact.metric, fact.help, BY_PARTITION)) for fact in FACTS if fact.metric]
    verdict = _gauge("kafka_consumergroup_partition_state", "1 for the verdict, 0 else.", [*BY_PARTITION, "state"])
    rows = ((short(group.consumergroup), row) for group in groups for row in group.partitions)
    for name, row in islice(rows, MAX_PARTITIONS):
        labels = [name, row.topic, str(row.partition)]
        for fact, family in facts:
            if (value := fact.of(row)) is not None:
                family.add_metric(labels, value)
        for word in VERDICTS:
            verdict.add_metric([*labels, word], float(word == row.verdict))
    yield from (family for _, family in facts)
    yield verdict


def _group_families(groups: Iterable[GroupLag]) -> Iterator[Metric]:
    members = _gauge("kafka_consumergroup_members", "Live members.", ["consumergroup"])
    total = _gauge("kafka_consumergroup_lag_sum", "Records still to read, all partitions.", BY_TOPIC)
    drain = _gauge("kafka_consumergroup_drain_seconds", "Until nothing is left; +Inf when not draining.", BY_TOPIC)
    for group in groups:
        name = short(group.consumergroup)
        members.add_metric([name], group.members)
        for topic in topics_of(group):
            if (records := LAG.of(*topic.partitions)) is not None:
                total.add_metric([name, topic.topic], records)
            if topic.drain_s is not None:
                drain.add_metric([name, topic.topic], topic.drain_s)
    yield from (members, total, drain)


def _water_marks(snapshot: LagSnapshot) -> Iterator[Metric]:
    for name, offsets, text in (
        ("kafka_topic_partition_current_offset", snapshot.end, "High water mark."),
        ("kafka_topic_partition_oldest_offset", snapshot.begin, "Low water mark."),
    ):
        family = _gauge(name, text, ["topic", "partition"])
        for partition, offset in islice(sorted(offsets.items()), MAX_PARTITIONS):
            family.add_metric([partition.topic, str(partition.partition)], offset)
        yield family
    partitions = _gauge("kafka_topic_partitions", "Partitions of a topic that is watched.", ["topic"])
    for topic, count in Counter(partition.topic for partition in snapshot.end).items():
        partitions.add_metric([topic], count)
    yield partitions


def _gauge(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)
