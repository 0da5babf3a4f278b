"""What /metrics says. Series are made from the newest snapshot at each scrape, so those of a gone group vanish.

Names: kafka_exporter's spelling for everything Kafka-wide, research/monitoring.md section 2 for the rest.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from threading import Lock
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Histogram,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.monitor.errors import NotReadyError
from streams.monitor.labels import short
from streams.monitor.lag.poller import STALE_AFTER_S as LAG_STALE_AFTER_S
from streams.monitor.lag.tracker import GroupLag, LagSnapshot
from streams.monitor.lag.verdicts import VERDICTS
from streams.monitor.outcomes.metrics import OutcomeFamilies
from streams.monitor.outcomes.reader import STALE_AFTER_S as OUTCOMES_STALE_AFTER_S
from streams.monitor.outcomes.store import OutcomeStore

BY_PARTITION = ["consumergroup", "topic", "partition"]
BY_TOPIC = ["consumergroup", "topic"]
MAX_PARTITIONS = 5_000
"""Kafka-wide series are for a cluster's own groups; a company's thousands of partitions are kafka_exporter's."""


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

    def __init__(self, pane_s: int, now_s: Callable[[], float] = time.time) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # they double every counter, and nothing of ours reads them
        self._sources: tuple[PollerView, ReaderView] | None = None
        self._outcomes = OutcomeFamilies(pane_s, now_s=now_s)
        self._now_s = now_s
        self._lock = Lock()
        self.registry = CollectorRegistry()
        self.poll_duration = Histogram(
            "kafka_lag_poll_duration_seconds",
            "How long a lag poll took, failed ones included.",
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        ProcessCollector(registry=self.registry)

    def watch(self, poller: PollerView, reader: ReaderView) -> None:
        """Take the numbers from these from now on."""
        self._sources = (poller, reader)
        self.registry.register(self)

    def text(self) -> bytes:
        """Everything in Prometheus' text format. From any thread; one at a time, so that scrapers share the work."""
        with self._lock:
            return generate_latest(self.registry)

    def describe(self) -> Iterable[Metric]:
        """Nothing to check for clashes: the registry is ours alone."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families; those of lag or outcomes only while these are known: no series says "unknown", a zero lies.

        When they were known last is told for ever.
        """
        if self._sources is None:
            return
        poller, reader = self._sources
        yield from self._lag(poller)
        yield _undecodable(reader.undecodable)
        as_of = _gauge("monitor_outcomes_as_of_timestamp_seconds", "When the outcome topics were last heard of.", [])
        if reader.as_of_ms is not None:
            as_of.add_metric([], reader.as_of_ms / 1000)
        yield as_of
        if self._is_fresh(reader.as_of_ms, OUTCOMES_STALE_AFTER_S):
            try:
                store = reader.caught_up_store
            except NotReadyError:
                return
            yield from self._outcomes.families(store)

    def _lag(self, poller: PollerView) -> Iterator[Metric]:
        success = _gauge("kafka_lag_last_success_timestamp_seconds", "When the last lag poll succeeded.", [])
        try:
            snapshot = poller.snapshot
        except NotReadyError:
            yield success
            return
        success.add_metric([], snapshot.as_of_ms / 1000)
        yield success
        if self._is_fresh(snapshot.as_of_ms, LAG_STALE_AFTER_S):
            yield from lag_families(snapshot)

    def _is_fresh(self, as_of_ms: int | None, stale_after_s: float) -> bool:
        return as_of_ms is not None and self._now_s() - as_of_ms / 1000 <= stale_after_s


def lag_families(snapshot: LagSnapshot) -> Iterator[Metric]:
    """Everything that one poll found, by partition for the first MAX_PARTITIONS of them."""
    yield from _partition_families(snapshot.groups)
    yield from _group_families(snapshot.groups)
    yield from _topic_families(snapshot)
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
    lag = _gauge("kafka_consumergroup_lag", "Records still to read.", BY_PARTITION)
    seconds = _gauge("kafka_consumergroup_lag_seconds", "Age of the next unread record.", BY_PARTITION)
    offset = _gauge("kafka_consumergroup_current_offset", "Committed offset: the next to read.", BY_PARTITION)
    state = _gauge("kafka_consumergroup_partition_state", "1 for the verdict, 0 else.", [*BY_PARTITION, "state"])
    rows = ((short(group.consumergroup), row) for group in groups for row in group.partitions)
    for name, row in islice(rows, MAX_PARTITIONS):
        labels = [name, row.topic, str(row.partition)]
        for family, value in ((lag, row.lag), (seconds, row.lag_seconds), (offset, row.current_offset)):
            if value is not None:
                family.add_metric(labels, value)
        for word in VERDICTS:
            state.add_metric([*labels, word], float(word == row.verdict))
    yield from (lag, seconds, offset, state)


def _group_families(groups: Iterable[GroupLag]) -> Iterator[Metric]:
    members = _gauge("kafka_consumergroup_members", "Live members.", ["consumergroup"])
    total = _gauge("kafka_consumergroup_lag_sum", "Records still to read, all partitions.", BY_TOPIC)
    drain = _gauge("kafka_consumergroup_drain_seconds", "Until nothing is left; +Inf when not draining.", BY_TOPIC)
    for group in groups:
        name = short(group.consumergroup)
        members.add_metric([name], group.members)
        sums: dict[str, int] = defaultdict(int)
        for row in group.partitions:
            if row.lag is not None:
                sums[row.topic] += row.lag
        for topic, records in sums.items():
            total.add_metric([name, topic], records)
        for topic, seconds in group.drain_seconds.items():
            drain.add_metric([name, topic], seconds)
    yield from (members, total, drain)


def _topic_families(snapshot: LagSnapshot) -> Iterator[Metric]:
    for name, offsets, text in (
        ("kafka_topic_partition_current_offset", snapshot.end, "High water mark."),
        ("kafka_topic_partition_oldest_offset", snapshot.begin, "Low water mark."),
    ):
        family = _gauge(name, text, ["topic", "partition"])
        for partition, offset in islice(sorted(offsets.items()), MAX_PARTITIONS):
            family.add_metric([partition.topic, str(partition.partition)], offset)
        yield family


def _gauge(name: str, text: str, labels: list[str]) -> GaugeMetricFamily:
    return GaugeMetricFamily(name, text, labels=labels)


def _undecodable(count: int) -> Metric:
    return CounterMetricFamily("monitor_undecodable_records", "Outcome records skipped as unreadable.", value=count)
