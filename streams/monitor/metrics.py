"""What /metrics answers. Series come from what there is now, so those of a group that is gone vanish.

Those of outcomes are many: they are made and rendered in the background, and a scrape only joins the bytes.

`lag/metrics.py` and `outcomes/metrics.py` have the families. streams/monitor/README.md has all names as a table.
"""

import asyncio
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from threading import Lock
from typing import Final, Protocol

import structlog
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from schemas.runtime.build import show_build
from schemas.runtime.exposition import Exposition, encoder, joined, packed
from schemas.runtime.registry_metrics import RegistryMetrics
from streams.monitor.errors import NotReadyError
from streams.monitor.lag.metrics import lag_families
from streams.monitor.lag.poller import STALE_AFTER_S as LAG_STALE_AFTER_S
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.outcomes.metrics import OutcomeFamilies
from streams.monitor.outcomes.reader import STALE_AFTER_S as OUTCOMES_STALE_AFTER_S
from streams.monitor.outcomes.store import Observer, OutcomeStore

REFRESH_S: Final = 10.0
# The most of a processor that this may take: with very many values they are made less often.
MAX_SHARE: Final = 0.03

log = structlog.get_logger("monitor.metrics")


class PollerView(Protocol):
    """The lag poller as metrics use it; `snapshot` raises NotReadyError before the first poll."""

    @property
    def snapshot(self) -> LagSnapshot: ...


class ReaderView(Protocol):
    """The outcome reader as metrics use it; the store raises NotReadyError before it is complete."""

    undecodable: int
    as_of_ms: int | None

    @property
    def is_caught_up(self) -> bool: ...

    @property
    def caught_up_store(self) -> OutcomeStore: ...

    def observe(self, observer: Observer) -> None: ...


class MonitorMetrics(Collector):
    """The metrics of one monitor, in a registry of their own."""

    def __init__(self, pane_s: int, now_s: Callable[[], float] = time.time) -> None:
        self._sources: tuple[PollerView, ReaderView] | None = None
        self.outcomes = OutcomeFamilies(pane_s, now_s, self._is_counting)
        self._now_s = now_s
        self._lock = Lock()
        self.registry = CollectorRegistry()
        self.poll_duration = Histogram(
            "kafka_lag_poll_duration_seconds",
            "How long a lag poll took, failed ones included.",
            registry=self.registry,
            buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
        )
        self.schema_registry = RegistryMetrics(self.registry)
        ProcessCollector(registry=self.registry)
        show_build("monitor", self.registry)

    def watch(self, poller: PollerView, reader: ReaderView) -> None:
        """Use these as sources from now on. Once per monitor."""
        self._sources = (poller, reader)
        self.registry.register(self)
        reader.observe(self.outcomes.observe)

    async def run(self) -> None:
        """Make what is costly again and again, until cancelled."""
        while True:
            began = time.monotonic()
            if (store := self._fresh_store()) is not None:
                try:
                    await asyncio.to_thread(self.outcomes.refresh, store)
                except Exception as error:  # what was made before stays, and its age shows
                    log.exception("metrics.failed", reason=type(error).__name__)
            else:
                self.outcomes.forget()
            await asyncio.sleep(max(REFRESH_S, (time.monotonic() - began) / MAX_SHARE))

    def answer(self, asked: Mapping[str, str]) -> Exposition:
        """Everything, for a request with these headers. From any thread, one at a time."""
        encode, content_type = encoder(asked)
        with self._lock:
            body = encode(self.registry)
            if (store := self._fresh_store()) is not None:
                body = joined(body, self.outcomes.rendered(store, content_type, encode))
            return packed(body, content_type, asked)

    def families(self) -> Iterator[Metric]:
        """Every family, made now."""
        yield from self.registry.collect()
        if (store := self._fresh_store()) is not None:
            yield from self.outcomes.refresh(store).families

    def describe(self) -> Iterable[Metric]:
        """Nothing: no other collector of this registry can have a family of ours."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The families of lag, and how fresh everything is. Those of lag are absent while it is stale: not known."""
        if self._sources is None:
            return
        poller, reader = self._sources
        yield from self._lag(poller)
        yield _undecodable(reader.undecodable)
        as_of = GaugeMetricFamily("monitor_outcomes_as_of_timestamp_seconds", "When the outcome topics were last read.")
        if reader.as_of_ms is not None:
            as_of.add_metric([], reader.as_of_ms / 1000)
        yield as_of

    def _fresh_store(self) -> OutcomeStore | None:
        """The outcomes; None while they are stale or not yet read, for then nothing is known of them."""
        if self._sources is None:
            return None
        reader = self._sources[1]
        if not reader.is_caught_up or not self._is_fresh(reader.as_of_ms, OUTCOMES_STALE_AFTER_S):
            return None
        return reader.caught_up_store

    def _is_counting(self) -> bool:
        return self._sources is not None and self._sources[1].is_caught_up

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
