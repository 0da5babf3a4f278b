"""KPIs of the newest windows as metrics, for readers without PromQL; bounded however many values there are."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from schemas.records import WindowedOutcomes
from streams.monitor.kpis import kpis
from streams.monitor.labels import OTHER, Labels
from streams.monitor.periods import floor
from streams.monitor.stats import Dimension, OutcomeStore, merge

CAPS: dict[Dimension, int] = {"workflow": 200, "sip_line": 100}
SPANS_S = {"15m": 900, "1h": 3600}
"""The trailing spans, each up to the pane that lasts now: what stopped an hour ago has no KPI."""

REUSE_S = 10.0
"""Many scrapers must not multiply the work."""


class OutcomeFamilies:
    """Makes the families anew when something changed or time went on, and not more often than REUSE_S."""

    def __init__(
        self,
        pane_s: int,
        clock: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._pane_s = pane_s
        self._clock = clock
        self._now_s = now_s
        self._labels = {dimension: Labels(cap) for dimension, cap in CAPS.items()}
        self._made: tuple[float, tuple[int, int], list[Metric]] | None = None

    def families(self, store: OutcomeStore) -> list[Metric]:
        """<dimension>_kpi_ratio, <dimension>_kpi_samples and label_values_dropped_total."""
        newest = floor(int(self._now_s() * 1000), self._pane_s * 1000)
        state = (store.changes, newest)
        if self._made is not None:
            made_at, known, families = self._made
            if known == state or self._clock() - made_at < REUSE_S:
                return families
        families = [family for dimension in get_args(Dimension) for family in self._of(store, dimension, newest)]
        families.append(self._dropped_family())
        self._made = (self._clock(), state, families)
        return families

    def _of(self, store: OutcomeStore, dimension: Dimension, newest: int) -> Iterator[Metric]:
        values = store.values(dimension)
        self._labels[dimension].keep(values)
        labels = [dimension, "kpi", "window"]
        ratios = GaugeMetricFamily(f"{dimension}_kpi_ratio", "KPI; absent below 30 samples.", labels=labels)
        samples = GaugeMetricFamily(f"{dimension}_kpi_samples", "Sample size of the KPI.", labels=labels)
        for span, span_s in SPANS_S.items():
            if span_s % self._pane_s:
                continue
            for value, window in self._windows(store, dimension, values, newest, span_s):
                found, sizes = kpis(window)
                for name, size in sizes.items():
                    samples.add_metric([value, name, span], size)
                    kpi = found[name]
                    if kpi is not None:
                        ratios.add_metric([value, name, span], kpi["value"] or 0.0)
        yield from (ratios, samples)

    def _windows(
        self, store: OutcomeStore, dimension: Dimension, values: list[str], newest: int, span_s: int
    ) -> Iterator[tuple[str, WindowedOutcomes]]:
        """(label, the trailing span summed), those beyond the cap in one as OTHER."""
        pane_ms = self._pane_s * 1000
        starts = range(newest + pane_ms - span_s * 1000, newest + pane_ms, pane_ms)
        others: list[WindowedOutcomes] = []
        for value in values:
            panes = store.trailing(dimension, value, starts)
            label = self._labels[dimension].of(value)
            if label == OTHER:
                others += panes
            elif panes:
                yield label, merge(panes, newest, newest, is_final=False)
        if others:
            yield OTHER, merge(others, newest, newest, is_final=False)

    def _dropped_family(self) -> Metric:
        text = f"Values that the cap sent to `{OTHER}`."
        family = CounterMetricFamily("label_values_dropped", text, labels=["label"])
        for dimension, labels in self._labels.items():
            family.add_metric([dimension], labels.dropped)
        return family
