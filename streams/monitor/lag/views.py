"""Pure: the answer of /api/lag. Instants read `2024-03-11T13:25:00Z`."""

import math
from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.lag.facts import FACTS
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag

SECONDS_DIGITS: Final = 3


def lag_view(snapshot: LagSnapshot) -> dict[str, Any]:
    """{"as_of", "groups": [{"consumergroup", "state", "members", "partitions": [...]}]}; `unseen` if any."""
    view: dict[str, Any] = {
        "as_of": instants.text(snapshot.as_of_ms),
        "groups": [_group(group) for group in snapshot.groups],
    }
    if snapshot.unseen:
        view["unseen"] = [{"what": missing.what, "why": missing.why} for missing in snapshot.unseen]
    return view


def _group(group: GroupLag) -> dict[str, Any]:
    return {
        "consumergroup": group.consumergroup,
        "state": group.state,
        "members": group.members,
        # JSON has no infinity: null says "not draining".
        "drain_seconds": {t: None if math.isinf(s) else round(s, 1) for t, s in group.drain_seconds.items()},
        "partitions": [_partition(row) for row in group.partitions],
    }


def _partition(row: PartitionLag) -> dict[str, Any]:
    """The facts of one partition; its verdict is called `state`."""
    facts = {fact.name: _rounded(fact.of(row)) for fact in FACTS}
    return {"topic": row.topic, "partition": row.partition, **facts, "state": row.verdict}


def _rounded(value: float | None) -> float | None:
    return round(value, SECONDS_DIGITS) if isinstance(value, float) else value
