"""Pure: what the JSON API answers. The shapes are contract.md section 7's; instants read `2024-03-11T13:25:00Z`."""

from __future__ import annotations

import math
from typing import Any

from schemas.records import WindowedOutcomes
from streams.monitor.instants import written
from streams.monitor.kpis import kpis, question_kpis
from streams.monitor.lag import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.stats import Dimension, OutcomeStore, WindowQuery

_NOT_COUNTS = ("dimension", "value", "window_start_at", "window_end_at", "is_final", "revision")


def lag_view(snapshot: LagSnapshot) -> dict[str, Any]:
    """{"as_of", "groups": [{"consumergroup", "state", "members", "partitions": [...]}]}"""
    return {"as_of": written(snapshot.as_of_ms), "groups": [_group(group) for group in snapshot.groups]}


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
    return {
        "topic": row.topic,
        "partition": row.partition,
        "current_offset": row.current_offset,
        "begin_offset": row.begin_offset,
        "end_offset": row.end_offset,
        "lag": row.lag,
        "lag_seconds": None if row.lag_seconds is None else round(row.lag_seconds, 3),
        "state": row.state,
        "rewound_by": row.rewound_by,
    }


def value_view(
    store: OutcomeStore, as_of_ms: int, dimension: Dimension, value: str, query: WindowQuery
) -> dict[str, Any]:
    """{"dimension", "value", "window_s", "as_of", "windows": [...]}. Raises NotFoundError."""
    windows = store.windows(dimension, value, query)
    return {
        "dimension": dimension,
        "value": value,
        "window_s": query.window_s,
        "as_of": written(as_of_ms),
        "windows": [window_view(window) for window in windows],
    }


def dimension_view(store: OutcomeStore, as_of_ms: int, dimension: Dimension, query: WindowQuery) -> dict[str, Any]:
    """{"dimension", "window_s", "as_of", "values": [{"value", "windows"}]}; values without such windows are not."""
    by_value = ((value, store.windows(dimension, value, query)) for value in store.values(dimension))
    return {
        "dimension": dimension,
        "window_s": query.window_s,
        "as_of": written(as_of_ms),
        "values": [
            {"value": value, "windows": [window_view(w) for w in windows]} for value, windows in by_value if windows
        ],
    }


def window_view(window: WindowedOutcomes) -> dict[str, Any]:
    """One window: its bounds, every count, `kpis` (null below 30 samples) and `kpi_samples`; per question likewise."""
    values, samples = kpis(window)
    counts = {name: count for name, count in window.to_datum().items() if name not in _NOT_COUNTS}
    return {
        "window_start_at": written(window.window_start_at),
        "window_end_at": written(window.window_end_at),
        "is_final": window.is_final,
        "revision": window.revision,
        **counts,
        "kpis": values,
        "kpi_samples": samples,
        "question_kpis": question_kpis(window),
    }
