"""KPIs of the trailing quarter of an hour and hour, and counters of calls; bounded for any number of values.

A scrape makes nothing: families are made in the background, and rendered there in each format that was asked for.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any, Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.counters import CallCounters
from streams.monitor.outcomes.store import OutcomeStore, StoredPane
from streams.rules.dimensions import DIMENSIONS, Dimension
from streams.rules.kpis import kpi_counts, kpi_of
from streams.rules.labels import OTHER, Labels
from streams.rules.windows import window_start

# The trailing spans, up to the end of the present pane: a line that stopped an hour ago has no KPI.
SPANS_S: Final = {"15m": 900, "1h": 3600}
LONGEST_MS: Final = max(SPANS_S.values()) * 1000

Sums = dict[str, tuple[int, int]]  # numerator and denominator of each KPI
Render = Callable[[Any], bytes]  # prometheus_client's encoder, of anything that collects


@dataclass(frozen=True)
class Made:
    """The families as they were made once, and how they read in each format, by content type."""

    state: tuple[int, int]
    families: tuple[Metric, ...]
    rendered: dict[str, bytes] = field(default_factory=dict)

    def collect(self) -> tuple[Metric, ...]:
        """The families, as a Collector has them."""
        return self.families


class OutcomeFamilies:
    """The families of one store. `observe` is told of its changes by the thread that writes it; the rest is any one's.

    labels: which values have series of their own, by dimension. is_counting: False while what is read is old,
    and belongs to no counter.
    """

    def __init__(
        self, pane_s: int, now_s: Callable[[], float] = time.time, is_counting: Callable[[], bool] = lambda: True
    ) -> None:
        self._pane_ms = pane_s * 1000
        self._now_s = now_s
        self.labels = {dimension: Labels(dimension.max_labels) for dimension in DIMENSIONS}
        self._counters = CallCounters(self.labels, is_counting)
        self._sums: dict[Dimension, dict[int, Sums]] = {dimension: {} for dimension in DIMENSIONS}
        self._asked: dict[str, Render] = {}
        self._made: Made | None = None
        self._making = Lock()

    def observe(self, dimension: Dimension, before: StoredPane | None, now: WindowedOutcomes | None) -> None:
        """See store.Observer."""
        self._counters.observe(dimension, before, now)
        panes, oldest = self._sums[dimension], self._newest() - LONGEST_MS
        if now is not None and now.window_start_at <= oldest:
            return
        old = before.unpacked() if before else None
        for window, sign in ((old, -1), (now, 1)):
            if window is not None:
                panes[window.window_start_at] = _added(panes.get(window.window_start_at, {}), kpi_counts(window), sign)
        for gone in [start for start in panes if start <= oldest]:
            del panes[gone]

    def refresh(self, store: OutcomeStore) -> Made:
        """Make the families anew if anything changed or time went on, in every format that was asked for."""
        with self._making:
            state = (store.changes, self._newest())
            if self._made is None or state != self._made.state:
                made = Made(state, tuple(self._families(store)))
                made.rendered.update({name: render(made) for name, render in list(self._asked.items())})
                self._made = made
            return self._made

    def forget(self) -> None:
        """Drop what was made: it is old."""
        self._made = None

    def rendered(self, store: OutcomeStore, content_type: str, render: Render) -> bytes:
        """The families as they were made last, in this format. The first time of each format it takes a while."""
        self._asked[content_type] = render
        made = self._made or self.refresh(store)
        if content_type not in made.rendered:
            made.rendered[content_type] = render(made)
        return made.rendered[content_type]

    def _newest(self) -> int:
        return window_start(int(self._now_s() * 1000), self._pane_ms)

    def _families(self, store: OutcomeStore) -> Iterator[Metric]:
        """<dimension>_kpi_ratio, <dimension>_kpi_samples, those of calls, and label_values_dropped_total."""
        for dimension in DIMENSIONS:
            self.labels[dimension].keep(store.values(dimension))
            self._counters.drop_gone(dimension)
            yield from self._of(store, dimension, self._newest())
        yield from self._counters.families()
        yield self._dropped_family()

    def _of(self, store: OutcomeStore, dimension: Dimension, newest: int) -> Iterator[Metric]:
        labels = [dimension.name, "kpi", "window"]
        ratios = GaugeMetricFamily(f"{dimension.name}_kpi_ratio", "KPI; absent below 30 samples.", labels=labels)
        samples = GaugeMetricFamily(f"{dimension.name}_kpi_samples", "Sample size of the KPI.", labels=labels)
        for label, span, sums in self._windows(store, dimension, newest):
            for name, (numerator, denominator) in sums.items():
                samples.add_metric([label, name, span], denominator)
                if (kpi := kpi_of(name, numerator, denominator)) is not None:
                    ratios.add_metric([label, name, span], kpi["value"] or 0.0)
        yield from (ratios, samples)

    def _windows(self, store: OutcomeStore, dimension: Dimension, newest: int) -> Iterator[tuple[str, str, Sums]]:
        """(label, span, sum over the span); OTHER is what is left of the sum over all values."""
        end = newest + self._pane_ms
        spans_ms = {name: span_s * 1000 for name, span_s in SPANS_S.items() if span_s * 1000 % self._pane_ms == 0}
        starts = range(end - max(spans_ms.values(), default=0), end, self._pane_ms)
        left, owned = dict(self._sums[dimension]), self.labels[dimension].owned()
        others = {span: _total(left, range(end - span_ms, end, self._pane_ms)) for span, span_ms in spans_ms.items()}
        for value, label in owned.items():
            panes = {pane.window_start_at: kpi_counts(pane) for pane in store.trailing(dimension, value, starts)}
            for span, span_ms in spans_ms.items():
                if sums := _total(panes, range(end - span_ms, end, self._pane_ms)):
                    others[span] = _added(others[span], sums, -1)
                    yield label, span, sums
        for span, rest in others.items():
            if any(denominator > 0 for _, denominator in rest.values()):
                yield OTHER, span, {name: (max(0, part), max(0, n)) for name, (part, n) in rest.items()}

    def _dropped_family(self) -> Metric:
        text = f"Values that the cap sent to `{OTHER}`."
        family = CounterMetricFamily("label_values_dropped", text, labels=["label"])
        for dimension, labels in self.labels.items():
            family.add_metric([dimension.name], labels.dropped)
        family.add_metric(["question"], self._counters.questions_dropped)
        return family


def _total(panes: dict[int, Sums], starts: range) -> Sums:
    total: defaultdict[str, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for start in starts:
        for name, (numerator, denominator) in panes.get(start, {}).items():
            had, n = total[name]
            total[name] = (had + numerator, n + denominator)
    return dict(total)


def _added(sums: Sums, more: Sums, sign: int) -> Sums:
    """A new mapping, so that a reader in another thread has the old one or the new one."""
    return {
        name: (sums.get(name, (0, 0))[0] + sign * numerator, sums.get(name, (0, 0))[1] + sign * denominator)
        for name, (numerator, denominator) in more.items()
    }
