"""The alarms as metrics, within the caps of labels. A line or workflow of which nothing is known has no series."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.monitor.lines.comparing import with_peers
from streams.monitor.lines.notices import MIN_LINES
from streams.monitor.lines.watch import LineState
from streams.rules.dimensions import SIP_LINE, WORKFLOW, Dimension
from streams.rules.kpis import MIN_SAMPLES
from streams.rules.labels import OTHER, Labels

NER: Final = "ner"
NEVER_RANG: Final = "never_rang"
DELIVERED: Final = "delivered"


class LineFamilies(Collector):
    """sip_line_anomaly, sip_line_anomaly_score and workflow_anomaly of the last look."""

    def __init__(self, state: Callable[[], LineState], labels: Mapping[Dimension, Labels]) -> None:
        self._state = state
        self._labels = labels

    def describe(self) -> Iterable[Metric]:
        """Nothing: no other collector has a family of ours."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All families."""
        state = self._state()
        if not state.views:
            return
        anomalies = GaugeMetricFamily("sip_line_anomaly", "1 while the line is in alarm.", labels=["sip_line", "kpi"])
        scores = GaugeMetricFamily("sip_line_anomaly_score", "Lowest z of its spans.", labels=["sip_line", "kpi"])
        for line, label in self._labels[SIP_LINE].owned().items():
            for kpi, is_bad in _of_line(state, line):
                anomalies.add_metric([label, kpi], is_bad)
            if (score := lowest_z(state, line)) is not None:
                scores.add_metric([label, NER], score)
        for kpi, bad in ((NER, state.behind), (NEVER_RANG, state.never)):
            if self._beyond_cap(SIP_LINE, bad):
                anomalies.add_metric([OTHER, kpi], 1)
        yield from (anomalies, scores, self._workflows(state))

    def _workflows(self, state: LineState) -> Metric:
        family = GaugeMetricFamily(
            "workflow_anomaly", "1 while all lines of the workflow are down.", labels=["workflow", "kpi"]
        )
        known = state.views[-1].span.workflows
        for workflow, label in self._labels[WORKFLOW].owned().items():
            if workflow in state.fallen or len(known.get(workflow, ())) >= MIN_LINES:
                family.add_metric([label, DELIVERED], workflow in state.fallen)
        if self._beyond_cap(WORKFLOW, state.fallen):
            family.add_metric([OTHER, DELIVERED], 1)
        return family

    def _beyond_cap(self, dimension: Dimension, bad: Iterable[str]) -> bool:
        return any(self._labels[dimension].of(value) == OTHER for value in bad)


def _of_line(state: LineState, line: str) -> Iterator[tuple[str, bool]]:
    span = state.views[-1].span
    if line in state.behind or with_peers(span, line).n >= MIN_SAMPLES:
        yield NER, line in state.behind
    if line in state.never or span.of_line(line).judged >= MIN_SAMPLES:
        yield NEVER_RANG, line in state.never


def lowest_z(state: LineState, line: str) -> float | None:
    """The lowest z of the line against its peers, of the spans with enough dials on both sides."""
    found = (with_peers(view.span, line) for view in state.views)
    scores = [compared.z for compared in found if min(compared.n, compared.control_n) >= MIN_SAMPLES]
    return min(scores, default=None)
