"""KPIs of the newest windows as metrics, for readers without PromQL; bounded however many values there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from schemas.records import WindowedOutcomes
from streams.monitor.kpis import kpis
from streams.monitor.stats import Dimension, OutcomeStore, WindowQuery, merge

CAPS: dict[Dimension, int] = {"workflow": 200, "sip_line": 100}
OTHER = "other"
SPANS_S = {"15m": 900, "1h": 3600}
"""The trailing spans, each up to the newest pane of its dimension."""

REUSE_S = 10.0
"""Many scrapers must not multiply the work."""


class OutcomeFamilies:
    """Remembers which values have a label of their own: the first to come, so that series do not jump about."""

    def __init__(self, pane_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pane_s = pane_s
        self._clock = clock
        self._labelled: dict[Dimension, set[str]] = {dimension: set() for dimension in CAPS}
        self._dropped: dict[Dimension, set[str]] = {dimension: set() for dimension in CAPS}
        self._made: tuple[float, int, list[Metric]] | None = None

    def families(self, store: OutcomeStore) -> list[Metric]:
        """<dimension>_kpi_ratio, <dimension>_kpi_samples and label_values_dropped_total."""
        if self._made is not None:
            made_at, changes, families = self._made
            if changes == store.changes or self._clock() - made_at < REUSE_S:
                return families
        families = [family for dimension in get_args(Dimension) for family in self._of(store, dimension)]
        families.append(self._dropped_family())
        self._made = (self._clock(), store.changes, families)
        return families

    def _of(self, store: OutcomeStore, dimension: Dimension) -> Iterator[Metric]:
        self._label(store, dimension)
        labels = [dimension, "kpi", "window"]
        ratios = GaugeMetricFamily(f"{dimension}_kpi_ratio", "KPI; absent below 30 samples.", labels=labels)
        samples = GaugeMetricFamily(f"{dimension}_kpi_samples", "Sample size of the KPI.", labels=labels)
        for span, span_s in SPANS_S.items():
            if span_s % self._pane_s:
                continue
            for value, window in self._windows(store, dimension, span_s):
                values, sizes = kpis(window)
                for name, size in sizes.items():
                    samples.add_metric([value, name, span], size)
                    kpi = values[name]
                    if kpi is not None:
                        ratios.add_metric([value, name, span], kpi["value"] or 0.0)
        yield from (ratios, samples)

    def _label(self, store: OutcomeStore, dimension: Dimension) -> None:
        values = store.values(dimension)
        labelled = self._labelled[dimension]
        labelled.intersection_update(values)
        for value in values:
            if value not in labelled:
                beyond = len(labelled) >= CAPS[dimension]
                (self._dropped[dimension] if beyond else labelled).add(value)

    def _windows(
        self, store: OutcomeStore, dimension: Dimension, span_s: int
    ) -> Iterator[tuple[str, WindowedOutcomes]]:
        """(label, the trailing span summed), those beyond the cap in one as `other`."""
        newest = store.newest_start(dimension)
        if newest is None:
            return
        query = WindowQuery(self._pane_s, from_ms=newest + (self._pane_s - span_s) * 1000)
        others: list[WindowedOutcomes] = []
        for value in store.values(dimension):
            panes = store.windows(dimension, value, query)
            if value not in self._labelled[dimension]:
                others += panes
            elif panes:
                yield value, merge(panes, newest, newest, is_final=False)
        if others:
            yield OTHER, merge(others, newest, newest, is_final=False)

    def _dropped_family(self) -> Metric:
        family = CounterMetricFamily("label_values_dropped", "Values that the cap sent to `other`.", labels=["label"])
        for dimension, values in self._dropped.items():
            family.add_metric([dimension], len(values))
        return family
