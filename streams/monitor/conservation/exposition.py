"""Pure: what another role says at /metrics -> the samples that we want of it."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from prometheus_client.parser import text_string_to_metric_families

Labels = tuple[tuple[str, str], ...]
"""Names and values of a sample's labels, sorted."""
Samples = Mapping[str, Mapping[Labels, float]]
"""Values by the sample's name and labels."""

WANTED: Final = frozenset(
    {
        "http_server_request_duration_seconds_count",
        "webhook_publish_duration_seconds_count",
        "webhook_quarantine_bytes_limit",
        "webhook_quarantine_bytes_today",
        "webhook_quarantined_total",
        "webhook_requests_total",
        "webhook_spool_bytes",
        "webhook_spool_bytes_limit",
        "webhook_spool_entries",
        "webhook_spool_oldest_age_seconds",
        "stream_dead_letter_total",
        "stream_late_corrections_total",
        "stream_records_total",
        "stream_recoveries_total",
        "stream_window_late_total",
    }
)
# Not summed: it tells one life of a process from the next.
STARTED: Final = "process_start_time_seconds"


def samples_of(text: str) -> dict[str, dict[Labels, float]]:
    """The wanted samples of one exposition. Raises: ValueError when it is none."""
    lines = (line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] in WANTED | {STARTED})
    found: dict[str, dict[Labels, float]] = {}
    for family in text_string_to_metric_families("\n".join(lines) + "\n"):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return found


def summed(expositions: Iterable[Samples]) -> dict[str, dict[Labels, float]]:
    """Several instances together."""
    total: dict[str, dict[Labels, float]] = {}
    for samples in expositions:
        for name, values in samples.items():
            into = total.setdefault(name, {})
            for labels, value in values.items():
                into[labels] = into.get(labels, 0.0) + value
    return total


@dataclass(frozen=True)
class Scraped:
    """What the instances of one or more roles said. instances: by address, each that answered.

    as_of_ms: when the oldest answer came, epoch ms; None without any. faults: why an instance did not answer.
    lives: what tells these lives of the processes from others.
    """

    as_of_ms: int | None = None
    instances: Mapping[str, Samples] = field(default_factory=dict)
    faults: tuple[str, ...] = ()
    lives: tuple[float, ...] = ()

    @cached_property
    def values(self) -> Samples:
        """Summed over all that answered. The sum falls when one does not: for growth, look at each instance."""
        return summed(self.instances.values())

    def of(self, name: str, **labels: str) -> Iterator[tuple[dict[str, str], float]]:
        """(labels, value) of each sample of this name with these labels."""
        for found, value in self.values.get(name, {}).items():
            known = dict(found)
            if all(known.get(label) == wanted for label, wanted in labels.items()):
                yield known, value

    def total(self, name: str, **labels: str) -> int:
        """The sum of these samples; 0 without any: a counter that is not there has not counted."""
        return round(sum(value for _, value in self.of(name, **labels)))
