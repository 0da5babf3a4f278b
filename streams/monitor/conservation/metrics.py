"""The differences as a metric; no series of a step that is not known."""

import time
from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.monitor.conservation.conservation import Conservation


class ConservationMetrics(Collector):
    """conservation_difference{step}."""

    def __init__(self, conservation: Conservation) -> None:
        self._conservation = conservation

    def describe(self) -> Iterable[Metric]:
        """Nothing: no other collector has it."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The newest differences."""
        text = "Callbacks not accounted for at a step; absent while not known."
        family = GaugeMetricFamily("conservation_difference", text, labels=["step"])
        for found in self._conservation.differences(int(time.time() * 1000)):
            if found.value is not None:
                family.add_metric([found.step], found.value)
        yield family
