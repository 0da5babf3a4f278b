"""Pure: what one lag poll adds to the series, by its snapshot and the one before."""

from collections.abc import Iterator
from typing import Final, TypeVar

from streams.monitor.history.names import of_topic
from streams.monitor.lag.facts import LAG, LAG_SECONDS, TopicLag, topics_of
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import LagSnapshot, PartitionLag

# Over a longer gap a rate would say what nobody has looked at.
MAX_GAP_S: Final = 15.0

Sample = tuple[str, float]
Key = tuple[str, Partition]
K = TypeVar("K")


def samples(
    snapshot: LagSnapshot, before: LagSnapshot | None, worker: str, callbacks: str, probes: int = 0
) -> Iterator[Sample]:
    """(series, value) of everything that is known. worker: its group; callbacks: the topic of callbacks.

    probes: our own that came to that topic in between; nobody received them.
    """
    gap_s = 0.0 if before is None else (snapshot.as_of_ms - before.as_of_ms) / 1000
    earlier = before if 0 < gap_s <= MAX_GAP_S else None
    rows_before = {} if earlier is None else _rows(earlier)
    for group in snapshot.groups:
        if group.consumergroup == worker:
            yield from _known("lag_seconds", LAG_SECONDS.of(*group.partitions))
            yield from _known("lag_records", LAG.of(*group.partitions))
        for topic in topics_of(group):
            yield from _of_topic(topic, rows_before, gap_s)
    if earlier is not None:
        ends = {p: end for p, end in snapshot.end.items() if p.topic == callbacks}
        rate = _rate(earlier.end, ends, gap_s)
        yield from _known("received_per_s", None if rate is None else max(0.0, rate - probes / gap_s))


def _rows(snapshot: LagSnapshot) -> dict[Key, PartitionLag]:
    return {
        (group.consumergroup, Partition(row.topic, row.partition)): row
        for group in snapshot.groups
        for row in group.partitions
    }


def _of_topic(topic: TopicLag, before: dict[Key, PartitionLag], gap_s: float) -> Iterator[Sample]:
    group = topic.group.consumergroup
    now = {(group, Partition(row.topic, row.partition)): row for row in topic.partitions}
    then = {key: row for key in now if (row := before.get(key)) is not None}
    values = {
        "lag_seconds": LAG_SECONDS.of(*topic.partitions),
        "lag_records": LAG.of(*topic.partitions),
        "rate_in": _rate(_ends(then), _ends(now), gap_s),
        "rate_out": _rate(_committed(then), _committed(now), gap_s),
    }
    for name, value in values.items():
        yield from _known(of_topic(name, group, topic.topic), value)


def _ends(rows: dict[Key, PartitionLag]) -> dict[Key, int]:
    return {key: row.end_offset for key, row in rows.items()}


def _committed(rows: dict[Key, PartitionLag]) -> dict[Key, int]:
    return {key: row.current_offset for key, row in rows.items() if row.current_offset is not None}


def _rate(then: dict[K, int], now: dict[K, int], gap_s: float) -> float | None:
    """Offsets per second over the partitions known both times; None when one went back: it was made anew, or reset."""
    grown = [offset - then[key] for key, offset in now.items() if key in then]
    return sum(grown) / gap_s if grown and min(grown) >= 0 else None


def _known(name: str, value: float | None) -> Iterator[Sample]:
    if value is not None:
        yield name, value
