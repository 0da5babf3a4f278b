"""Turns of conversation by workflow, as a histogram that costs the hot path three calls."""

from bisect import bisect_left
from collections.abc import Iterator
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.rules.dimensions import WORKFLOW
from streams.rules.labels import OTHER, Labels

EDGES: Final = (0, 1, 2, 3, 5, 8, 13, 21)


class TalkRounds(Collector):
    """`call_talk_rounds`: each call once, as it was counted first. Workflows beyond the cap are one."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._labels = Labels(WORKFLOW.max_labels)
        self._by_workflow: dict[str, list[int]] = {}
        self._by_label: dict[str, list[int]] = {}
        registry.register(self)

    def observe(self, workflow_id: str, rounds: int) -> None:
        """Count one call."""
        counts = self._by_workflow.get(workflow_id) or self._counts_of(workflow_id)
        counts[bisect_left(EDGES, rounds)] += 1
        counts[-1] += rounds if rounds > 0 else 0

    def describe(self) -> Iterator[Metric]:
        """The family without series."""
        yield self._family()

    def collect(self) -> Iterator[Metric]:
        """The family with a series for each label."""
        family = self._family()
        for label, (*counts, total) in list(self._by_label.items()):
            buckets, reached = [], 0
            for edge, count in zip((*map(str, EDGES), "+Inf"), counts, strict=True):
                reached += count
                buckets.append((edge, reached))
            family.add_metric([label], buckets, total)
        yield family

    def _counts_of(self, workflow_id: str) -> list[int]:
        label = self._labels.take(workflow_id)
        counts = self._by_label.setdefault(label, [0] * (len(EDGES) + 2))
        if label != OTHER:
            self._by_workflow[workflow_id] = counts
        return counts

    @staticmethod
    def _family() -> HistogramMetricFamily:
        return HistogramMetricFamily("call_talk_rounds", "Turns of conversation of a call.", labels=["workflow"])
