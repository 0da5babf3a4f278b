"""The series that the monitor keeps, once: names, units, and how samples of one span become one number. Pure.

A series of a topic has its group and topic behind the name: `lag_seconds:billing:orders`. A new series is a line here.
"""

from dataclasses import dataclass
from typing import Final, Literal

from streams.rules.labels import short

CONSERVATION: Final = "conservation_difference"
PROBE_ROUNDTRIP: Final = "probe_roundtrip_s"

Joined = Literal["max", "mean"]


@dataclass(frozen=True)
class SeriesKind:
    """One kind of series. of_topic: there is one for each group and topic, too; alone: there is one without them.

    of_hop: there is one for each hop of a probe, too.
    """

    name: str
    unit: str
    joined: Joined
    meaning: str
    of_topic: bool = False
    alone: bool = True
    of_hop: bool = False


SERIES: Final = (
    SeriesKind("lag_seconds", "s", "max", "age of the oldest record that the worker has not read", of_topic=True),
    SeriesKind("lag_records", "records", "max", "records that the worker has not read", of_topic=True),
    SeriesKind("rate_in", "records/s", "mean", "appended to the topic", of_topic=True, alone=False),
    SeriesKind("rate_out", "records/s", "mean", "read and committed by the group", of_topic=True, alone=False),
    SeriesKind("ner", "", "mean", "network effectiveness of all lines; none below 30 dials; from the outcome topics"),
    SeriesKind("received_per_s", "callbacks/s", "mean", "callbacks that reached Kafka, without our own probes"),
    SeriesKind(CONSERVATION, "callbacks", "max", "not accounted for between gateway and windows"),
    SeriesKind(PROBE_ROUNDTRIP, "s", "max", "from the sending of a probe to its last hop, or to one hop", of_hop=True),
)
KINDS: Final = {kind.name: kind for kind in SERIES}


def of_topic(name: str, group: str, topic: str) -> str:
    """The name of a topic's series."""
    return f"{name}:{short(group)}:{topic}"


def of_hop(hop: str) -> str:
    """The name of the series of one hop of a probe."""
    return f"{PROBE_ROUNDTRIP}:{hop}"


def kind_of(name: str) -> SeriesKind:
    """The kind of a series. Raises: KeyError for a name that is not declared here."""
    base, separator, _ = name.partition(":")
    kind = KINDS[base]
    if not (kind.of_topic or kind.of_hop if separator else kind.alone):
        raise KeyError(name)
    return kind
