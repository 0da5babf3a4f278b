"""What is shown of lag, once: the facts of a partition, and how those of a topic's partitions become one row. Pure.

`metrics.py`, `views.py` (the API), `table.py` (the command) and the page show these facts. A new fact is an attribute
of PartitionLag and a line of FACTS.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Final

from streams.monitor.lag.tracker import GroupLag, PartitionLag
from streams.monitor.lag.verdicts import WORST_FIRST, LagVerdict

UNKNOWN_TEXT: Final = "-"


@dataclass(frozen=True)
class Fact:
    """One number of a partition; None where nobody can know it.

    name: its attribute of PartitionLag, and its name in the API.
    metric, help: its metric; None: it has none.
    of_partition, of_topic: its column heading in tables of partitions and of topics; None: no column.
    joined: how the numbers of a topic's partitions become the topic's.
    """

    name: str
    metric: str | None = None
    help: str = ""
    of_partition: str | None = None
    of_topic: str | None = None
    joined: Callable[[Iterable[float]], float] = sum

    def of(self, *rows: PartitionLag) -> float | None:
        """The number of these partitions together, as far as it is known; None when it is known of none."""
        known = [value for row in rows if (value := getattr(row, self.name)) is not None]
        return self.joined(known) if known else None

    def text(self, *rows: PartitionLag) -> str:
        """The same for people."""
        value = self.of(*rows)
        if value is None:
            return UNKNOWN_TEXT
        return f"{value:.1f}" if isinstance(value, float) else str(value)


CURRENT_OFFSET: Final = Fact(
    "current_offset", "kafka_consumergroup_current_offset", "Committed offset: the next to read.", "committed"
)
LAG: Final = Fact("lag", "kafka_consumergroup_lag", "Records still to read.", "records", "records")
LAG_SECONDS: Final = Fact(
    "lag_seconds", "kafka_consumergroup_lag_seconds", "Age of the next unread record.", "seconds", "seconds", max
)
REWOUND_BY: Final = Fact("rewound_by")
FACTS: Final = (
    CURRENT_OFFSET,
    Fact("begin_offset"),
    Fact("end_offset", of_partition="end"),
    LAG,
    LAG_SECONDS,
    REWOUND_BY,
)


@dataclass(frozen=True)
class TopicLag:
    """One topic of one group, as one row."""

    group: GroupLag
    topic: str
    partitions: tuple[PartitionLag, ...]

    @property
    def verdict(self) -> LagVerdict:
        """The worst verdict of its partitions; one that is empty and was never committed has no say beside others."""
        rows = [row for row in self.partitions if row.has_records or row.verdict != "unknown"] or self.partitions
        return worst(row.verdict for row in rows)

    @property
    def guilty(self) -> tuple[PartitionLag, ...]:
        """The partitions with the worst verdict, where that is a bad one."""
        found = self.verdict
        return () if found in ("ok", "unknown") else tuple(row for row in self.partitions if row.verdict == found)

    @property
    def rewound_by(self) -> float:
        """How many records are read again."""
        return REWOUND_BY.of(*self.partitions) or 0

    @property
    def drain_s(self) -> float | None:
        """Seconds until nothing is left; infinite when not draining, None when nobody can know."""
        return self.group.drain_seconds.get(self.topic)


def topics_of(group: GroupLag) -> list[TopicLag]:
    """A row for each topic of a group, by name."""
    rows = sorted(group.partitions, key=lambda row: (row.topic, row.partition))
    return [TopicLag(group, topic, tuple(found)) for topic, found in groupby(rows, lambda row: row.topic)]


def worst(verdicts: Iterable[LagVerdict]) -> LagVerdict:
    """The worst of these; `ok` when there are none."""
    return min(verdicts, key=WORST_FIRST.index, default="ok")
