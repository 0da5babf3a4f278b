"""What /metrics answers. Series are made at each scrape, so those of a group that is gone vanish.

`lag/metrics.py` and `outcomes/metrics.py` have the families. streams/monitor/README.md has all names as a table.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Protocol

from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.runtime.build import show_build
from schemas.runtime.exposition import Exposition, expose
from streams.monitor.errors import NotReadyError
from streams.monitor.lag.metrics import lag_families
from streams.monitor.lag.poller import STALE_AFTER_S as LAG_STALE_AFTER_S
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.outcomes.metrics import OutcomeFamilies
from streams.monitor.outcomes.reader import STALE_AFTER_S as OUTCOMES_STALE_AFTER_S
from streams.monitor.outcomes.store import OutcomeStore


class PollerView(Protocol):
    """The lag poller as metrics use it; `snapshot` raises NotReadyError before the first poll."""

    @property
    def snapshot(self) -> LagSnapshot: ...


class ReaderView(Protocol):
    """The outcome reader as metrics use it; the store raises NotReadyError before it is complete."""

    undecodable: int
    as_of_ms: int | None

    @property
    def caught_up_store(self) -> OutcomeStore: ...


class MonitorMetrics(Collector):
    """The metrics of one monitor, in a registry of their own."""

    def __init__(self, pane_s: int, now_s: Callable[[], float] = time.time) -> None:
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
        show_build("monitor", self.registry)

    def watch(self, poller: PollerView, reader: ReaderView) -> None:
        """Use these as sources from now on. Once per monitor."""
        self._sources = (poller, reader)
        self.registry.register(self)

    def answer(self, asked: Mapping[str, str]) -> Exposition:
        """Everything, for a request with these headers. From any thread, one at a time."""
        with self._lock:
            return expose(self.registry, asked)

    def describe(self) -> Iterable[Metric]:
        """Nothing: no other collector of this registry can have a family of ours."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families. Those of lag and outcomes are absent while their source is stale: absent means not known."""
        if self._sources is None:
            return
        poller, reader = self._sources
        yield from self._lag(poller)
        yield _undecodable(reader.undecodable)
        as_of = GaugeMetricFamily("monitor_outcomes_as_of_timestamp_seconds", "When the outcome topics were last read.")
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
        success = GaugeMetricFamily("kafka_lag_last_success_timestamp_seconds", "When the last lag poll succeeded.")
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


def _undecodable(count: int) -> Metric:
    return CounterMetricFamily("monitor_undecodable_records", "Outcome records skipped as unreadable.", value=count)
