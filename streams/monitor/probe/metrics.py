"""The probe's metrics, by hop. There only where probes are sent: no series means that nothing is known."""

from collections.abc import Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from streams.monitor.probe.hops import NAMES
from streams.monitor.probe.ledger import ProbeLedger

# The highest is the deadline: what takes longer is lost.
BUCKETS_S: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class ProbeMetrics(Collector):
    """The counts of a ledger, and the round trips as they are observed."""

    def __init__(self, registry: CollectorRegistry, ledger: ProbeLedger) -> None:
        self._ledger = ledger
        self._roundtrips = Histogram(
            "probe_roundtrip_seconds",
            "From the sending of a probe to each hop that showed it in time.",
            ["hop"],
            buckets=BUCKETS_S,
            registry=registry,
        )
        for hop in NAMES:
            self._roundtrips.labels(hop)
        registry.register(self)

    def observe(self, hop: str, seconds: float) -> None:
        """One hop showed a probe in time."""
        self._roundtrips.labels(hop).observe(seconds)

    def describe(self) -> Iterable[Metric]:
        """Nothing: no other collector of the registry can have a family of ours."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The counts: for each hop, sent = received + lost + in flight."""
        ledger, in_flight = self._ledger, self._ledger.in_flight
        counters = (
            ("probe_sent", "Probes that a hop was to show.", ledger.sent),
            ("probe_received", "Probes that a hop showed in time.", ledger.received),
            ("probe_lost", "Probes lost at a hop: the first that did not show it in time, or refused it.", ledger.lost),
        )
        for name, text, counts in counters:
            counter = CounterMetricFamily(name, text, labels=["hop"])
            for hop in NAMES:
                counter.add_metric([hop], counts[hop])
            yield counter
        gauge = GaugeMetricFamily("probe_in_flight", "Probes that a hop has yet to show.", labels=["hop"])
        for hop in NAMES:
            gauge.add_metric([hop], in_flight[hop])
        yield gauge
