"""Counters of calls, made from how the windows grow. They never go down, also where a correction lowers a window.

A counter is the highest that the true sum has been: after a correction it stands still until as many calls have come as
were taken away. So it is exact again with the next calls, and `rate()` never takes a correction for a restart. What was
in the windows before the monitor had read them all is not counted: a restart is a counter that begins at 0.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.counted import ANSWERS, COUNTED, EDGES, SUM, Counted
from streams.monitor.outcomes.store import StoredPane
from streams.rules.dimensions import Dimension
from streams.rules.labels import Labels

MAX_QUESTIONS: Final = 50

Series = tuple[str, ...]  # the label of the pane's value, then the words


class CallCounters:
    """Counts what is told of an OutcomeStore. One thread counts; others may make families at the same time.

    labels: those of each dimension's values. is_counting: False while what is read is old.
    """

    def __init__(self, labels: dict[Dimension, Labels], is_counting: Callable[[], bool]) -> None:
        self._labels = labels
        self._is_counting = is_counting
        self._true: dict[Counted, defaultdict[Series, int]] = {counted: defaultdict(int) for counted in COUNTED}
        self._shown: dict[Counted, dict[Series, int]] = {counted: {} for counted in COUNTED}
        self._questions: dict[str, Labels] = {}

    def observe(self, dimension: Dimension, before: StoredPane | None, now: WindowedOutcomes | None) -> None:
        """Count what a pane has more, or fewer, than it had. A pane that is deleted takes nothing away."""
        if now is None or not self._is_counting():
            return
        old, label = before.unpacked() if before else None, self._labels[dimension].take(now.value)
        for counted in COUNTED:
            if counted.dimension is dimension:
                self._count(counted, label, old, now)

    def _count(self, counted: Counted, label: str, old: WindowedOutcomes | None, now: WindowedOutcomes) -> None:
        amounts, had = counted.of(now), counted.of(old) if old else {}
        true, shown = self._true[counted], self._shown[counted]
        for words in amounts.keys() | had.keys():
            if more := amounts.get(words, 0) - had.get(words, 0):
                series = (label, *(self._question(label, words) if counted is ANSWERS else words))
                true[series] += more
                shown[series] = max(shown.get(series, 0), true[series])

    def _question(self, workflow: str, words: Series) -> Series:
        name, state = words
        return self._questions.setdefault(workflow, Labels(MAX_QUESTIONS)).take(name), state

    def drop_gone(self, dimension: Dimension) -> None:
        """Forget the series of values that are gone."""
        kept = self._labels[dimension].all()
        for counted in COUNTED:
            if counted.dimension is dimension:
                for counts in (self._true[counted], self._shown[counted]):
                    for series in [series for series in list(counts) if series[0] not in kept]:
                        del counts[series]
        if dimension is ANSWERS.dimension:
            self._questions = {workflow: labels for workflow, labels in self._questions.items() if workflow in kept}

    def families(self) -> Iterator[Metric]:
        """A family for each of COUNTED. Series of closed words are there at 0 as soon as their value is."""
        for counted in COUNTED:
            shown, labels = dict(self._shown[counted]), sorted(self._labels[counted.dimension].all())
            yield (_histogram if counted.is_histogram else _counter)(counted, labels, shown)

    @property
    def questions_dropped(self) -> int:
        """How many questions had no label of their own."""
        return sum(labels.dropped for labels in list(self._questions.values()))


def _counter(counted: Counted, labels: list[str], shown: dict[Series, int]) -> Metric:
    family = CounterMetricFamily(counted.name, counted.help, labels=[counted.dimension.name, *counted.labels])
    at_zero = ((label, word) for label in labels for word in counted.words)
    for series in dict.fromkeys(chain(at_zero, shown)):
        family.add_metric(series, shown.get(series, 0))
    return family


def _histogram(counted: Counted, labels: list[str], shown: dict[Series, int]) -> Metric:
    family = HistogramMetricFamily(counted.name, counted.help, labels=[counted.dimension.name])
    for label in dict.fromkeys(chain(labels, (series[0] for series in shown))):
        buckets = [(edge, shown.get((label, edge), 0)) for edge in EDGES]
        family.add_metric([label], buckets, shown.get((label, SUM), 0))
    return family
