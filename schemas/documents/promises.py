"""What a subscriber may rely on, each promise once: the README's table and the documents of every topic have it."""

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Final

from schemas.topics import LATE_CALLS, SYNTHETIC_HEADER, SYNTHETIC_WORKFLOW_ID, Topic

Applies = Callable[[Topic, Set[str]], bool]


@dataclass(frozen=True)
class Promise:
    """One promise. `applies`: whether it is one of a topic whose record has these fields."""

    about: str
    text: str
    applies: Applies = lambda topic, fields: True


def _has(*names: str) -> Applies:
    return lambda topic, fields: not fields.isdisjoint(names)


PROMISES: Final = (
    Promise(
        "order",
        "Records of one key come in the order in which they were written. Between keys and between topics there is "
        "no order.",
    ),
    Promise(
        "duplicates",
        "Delivery is at least once. A repeat has the same `ce_id` and the same bytes: drop it by topic and `ce_id`.",
    ),
    Promise(
        "ids",
        "`ce_id` names one record of one topic and is the same on every replay. Schema ids differ between "
        "installations.",
    ),
    Promise(
        "revisions",
        "`revision` begins at 1 and grows by one with each change. Take the highest of a call or of a window's key.",
        _has("revision"),
    ),
    Promise(
        "corrections",
        "A corrected call comes again whole, with all its answers and attempts. `answer_count` and `attempt_count` say "
        "how many its revision has; those of lower revisions beyond are gone. A revision without answers shows on "
        "`calls` alone.",
        _has("answer_count", "attempt_count"),
    ),
    Promise(
        "finals",
        "A window becomes final once, `STREAMS_GRACE_S` (an hour) after its end at the earliest. Until then its counts "
        "may change.",
        _has("window_end_at"),
    ),
    Promise(
        "late",
        "A call that comes after its window is final changes no window. It is on `calls` as any other, and once more "
        "on `late-calls`, as an event of its own.",
        lambda topic, fields: topic is LATE_CALLS or "window_end_at" in fields or "ended_at_source" in fields,
    ),
    Promise(
        "synthetic",
        f"Probe traffic has the header `{SYNTHETIC_HEADER}: 1` and the workflow `{SYNTHETIC_WORKFLOW_ID}`, and enters "
        "no window. Skip it.",
        lambda topic, fields: "window_end_at" not in fields,
    ),
    Promise(
        "codec",
        "Batches are compressed with zstd, unless `KAFKA_COMPRESSION_TYPE` names another codec. Some clients need one "
        "package more to read it.",
    ),
    Promise(
        "retention",
        "Records stay for the topic's retention, 7 or 30 days. A compacted topic keeps at least the newest record of "
        "each key for as long, and sends no tombstones.",
    ),
    Promise(
        "compatibility",
        "Schemas are `FULL_TRANSITIVE`: any version reads the records of any other. Fields may come and, where they "
        "have a default, go; no field changes its type or its meaning.",
    ),
    Promise(
        "new words",
        "A word may be new, such as a `disposition`, `reason` or `state`. Treat it as unknown, not as an error.",
    ),
)


def promises_of(topic: Topic, fields: Set[str]) -> list[Promise]:
    """Those of one topic, in the order of the table. fields: the names of its record's fields."""
    return [promise for promise in PROMISES if promise.applies(topic, fields)]
