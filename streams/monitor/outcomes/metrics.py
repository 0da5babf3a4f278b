"""KPIs of the trailing quarter of an hour and hour as metrics; bounded for any number of values."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.labels import OTHER, Labels
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import DIMENSIONS, Dimension
from streams.rules.kpis import kpis
from streams.rules.merging import merge
from streams.rules.windows import window_start

MAX_UNFOLDED: Final = 256
# The trailing spans, up to the end of the present pane: a line that stopped an hour ago has no KPI.
SPANS_S: Final = {"15m": 900, "1h": 3600}

# For so long a scrape gets the families of the last one: many scrapers must not multiply the work.
REUSE_S: Final = 10.0

# The most of a processor that families may take: with ten thousand values they are made less often.
MAX_SHARE: Final = 0.1


class OutcomeFamilies:
    """Makes the families again when something changed or time went on, within REUSE_S and MAX_SHARE."""

    def __init__(
        self,
        pane_s: int,
        clock: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._pane_s = pane_s
        self._clock = clock
        self._now_s = now_s
        self._labels = {dimension: Labels(dimension.max_labels) for dimension in DIMENSIONS}
        self._state: tuple[int, int] | None = None
        self._reused_until = 0.0
        self._made: list[Metric] = []

    def families(self, store: OutcomeStore) -> list[Metric]:
        """<dimension>_kpi_ratio, <dimension>_kpi_samples and label_values_dropped_total."""
        newest = window_start(int(self._now_s() * 1000), self._pane_s * 1000)
        state, began = (store.changes, newest), self._clock()
        if self._state is not None and (state == self._state or began < self._reused_until):
            return self._made
        families = [family for dimension in DIMENSIONS for family in self._of(store, dimension, newest)]
        families.append(self._dropped_family())
        cost_s = self._clock() - began
        self._state, self._made = state, families
        self._reused_until = began + max(REUSE_S, cost_s / MAX_SHARE)
        return families

    def _of(self, store: OutcomeStore, dimension: Dimension, newest: int) -> Iterator[Metric]:
        values = store.values(dimension)
        self._labels[dimension].keep(values)
        labels = [dimension.name, "kpi", "window"]
        ratios = GaugeMetricFamily(f"{dimension.name}_kpi_ratio", "KPI; absent below 30 samples.", labels=labels)
        samples = GaugeMetricFamily(f"{dimension.name}_kpi_samples", "Sample size of the KPI.", labels=labels)
        for value, span, window in self._windows(store, dimension, values, newest):
            found, sizes = kpis(window)
            for name, size in sizes.items():
                samples.add_metric([value, name, span], size)
                kpi = found[name]
                if kpi is not None:
                    ratios.add_metric([value, name, span], kpi["value"] or 0.0)
        yield from (ratios, samples)

    def _windows(
        self, store: OutcomeStore, dimension: Dimension, values: list[str], newest: int
    ) -> Iterator[tuple[str, str, WindowedOutcomes]]:
        """(label, span, sum over the span); values beyond the cap are summed as OTHER."""
        pane_ms = self._pane_s * 1000
        end = newest + pane_ms
        spans_ms = {name: span_s * 1000 for name, span_s in SPANS_S.items() if span_s % self._pane_s == 0}
        starts = range(end - max(spans_ms.values(), default=0), end, pane_ms)
        others: dict[str, list[WindowedOutcomes]] = defaultdict(list)
        for value in values:
            panes = store.trailing(dimension, value, starts)
            label = self._labels[dimension].of(value)
            for span, span_ms in spans_ms.items():
                inside = [pane for pane in panes if pane.window_start_at >= end - span_ms]
                if label == OTHER:
                    others[span] = _folded(others[span] + inside)
                elif inside:
                    yield label, span, merge(inside, end - span_ms, end, is_final=False)
        for span, rest in others.items():
            if rest:
                yield OTHER, span, merge(rest, newest, newest, is_final=False)

    def _dropped_family(self) -> Metric:
        text = f"Values that the cap sent to `{OTHER}`."
        family = CounterMetricFamily("label_values_dropped", text, labels=["label"])
        for dimension, labels in self._labels.items():
            family.add_metric([dimension.name], labels.dropped)
        return family


def _folded(panes: list[WindowedOutcomes]) -> list[WindowedOutcomes]:
    """The same sum in few records: the panes of ten thousand values do not fit into memory."""
    return panes if len(panes) < MAX_UNFOLDED else [merge(panes, 0, 0, is_final=False)]
