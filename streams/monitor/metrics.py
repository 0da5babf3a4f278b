"""What /metrics says. Series are made from the newest snapshot at each scrape, so those of a gone group vanish.

Names: kafka_exporter's spelling for everything Kafka-wide, research/monitoring.md section 2 for the rest.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.monitor.errors import NotReadyError
from streams.monitor.lag import GroupLag, LagSnapshot
from streams.monitor.metrics_outcomes import OutcomeFamilies
from streams.monitor.stats import OutcomeStore
from streams.monitor.verdicts import STATES

BY_PARTITION = ["consumergroup", "topic", "partition"]
BY_TOPIC = ["consumergroup", "topic"]


class PollerView(Protocol):
    """What is asked of the lag poller; `snapshot` raises NotReadyError before the first poll."""

    @property
    def snapshot(self) -> LagSnapshot: ...


class ReaderView(Protocol):
    """What is asked of the outcome reader; the store raises NotReadyError before it is complete."""

    undecodable: int
    as_of_ms: int | None

    @property
    def caught_up_store(self) -> OutcomeStore: ...


class MonitorMetrics(Collector):
    """A registry of its own per monitor, so that two in one process (tests) do not meet."""

    def __init__(self, pane_s: int) -> None:
        self._sources: tuple[PollerView, ReaderView] | None = None
        self._outcomes = OutcomeFamilies(pane_s)
        self.registry = CollectorRegistry()
        self.poll_duration = Histogram(
            "kafka_lag_poll_duration_seconds",
            "How long a lag poll took, failed ones included.",
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )

    def watch(self, poller: PollerView, reader: ReaderView) -> None:
        """Take the numbers from these from now on."""
        self._sources = (poller, reader)
        self.registry.register(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing to check for clashes: the registry is ours alone."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families; those of lag or outcomes only once these are known: no series says "unknown", a zero lies."""
        if self._sources is None:
            return
        poller, reader = self._sources
        try:
            yield from lag_families(poller.snapshot)
        except NotReadyError:
            yield _gauge("kafka_lag_last_success_timestamp_seconds", "When the last lag poll succeeded.", [])
        yield _undecodable(reader.undecodable)
        try:
            store = reader.caught_up_store
        except NotReadyError:
            return
        yield from self._outcomes.families(store)
        yield GaugeMetricFamily(
            "monitor_outcomes_as_of_timestamp_seconds",
            "When the outcome topics were last heard of.",
            value=(reader.as_of_ms or 0) / 1000,
        )


def lag_families(snapshot: LagSnapshot) -> Iterator[Metric]:
    """Everything that one poll found."""
    yield from _partition_families(snapshot.groups)
    yield from _group_families(snapshot.groups)
    yield from _topic_families(snapshot)
    lost = CounterMetricFamily(
        "kafka_consumergroup_records_lost", "Records that retention took before the group read them.", labels=BY_TOPIC
    )
    for labels, count in snapshot.records_lost.items():
        lost.add_metric(labels, count)
    yield lost
    success = _gauge("kafka_lag_last_success_timestamp_seconds", "When the last lag poll succeeded.", [])
    success.add_metric([], snapshot.as_of_ms / 1000)
    yield success


def _partition_families(groups: Iterable[GroupLag]) -> Iterator[Metric]:
    lag = _gauge("kafka_consumergroup_lag", "Records still to read.", BY_PARTITION)
    seconds = _gauge("kafka_consumergroup_lag_seconds", "Age of the next unread record.", BY_PARTITION)
    offset = _gauge("kafka_consumergroup_current_offset", "Committed offset: the next to read.", BY_PARTITION)
    state = _gauge("kafka_consumergroup_partition_state", "1 for the verdict, 0 else.", [*BY_PARTITION, "state"])
    for group in groups:
        for row in group.partitions:
            labels = [group.consumergroup, row.topic, str(row.partition)]
            for family, value in ((lag, row.lag), (seconds, row.lag_seconds), (offset, row.current_offset)):
                if value is not None:
                    family.add_metric(labels, value)
            for name in STATES:
                state.add_metric([*labels, name], float(name == row.state))
    yield from (lag, seconds, offset, state)


def _group_families(groups: Iterable[GroupLag]) -> Iterator[Metric]:
    members = _gauge("kafka_consumergroup_members", "Live members.", ["consumergroup"])
    total = _gauge("kafka_consumergroup_lag_sum", "Records still to read, all partitions.", BY_TOPIC)
    drain = _gauge("kafka_consumergroup_drain_seconds", "Until nothing is left; +Inf when not draining.", BY_TOPIC)
    for group in groups:
        members.add_metric([group.consumergroup], group.members)
        sums: dict[str, int] = defaultdict(int)
        for row in group.partitions:
            if row.lag is not None:
                sums[row.topic] += row.lag
        for topic, records in sums.items():
            total.add_metric([group.consumergroup, topic], records)
        for topic, seconds in group.drain_seconds.items():
            drain.add_metric([group.consumergroup, topic], seconds)
    yield from (members, total, drain)


def _topic_families(snapshot: LagSnapshot) -> Iterator[Metric]:
    for name, offsets, text in (
        ("kafka_topic_partition_current_offset", snapshot.end, "High water mark."),
        ("kafka_topic_partition_oldest_offset", snapshot.begin, "Low water mark."),
    ):
        family = _gauge(name, text, ["topic", "partition"])
        for partition, offset in offsets.items():
            family.add_metric([partition.topic, str(partition.partition)], offset)
        yield family


def _gauge(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _undecodable(count: int) -> Metric:
    return CounterMetricFamily("monitor_undecodable_records", "Outcome records skipped as unreadable.", value=count)
