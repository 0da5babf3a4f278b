"""Pure: what the JSON API answers. The shapes are contract.md section 7's; instants read `2024-03-11T13:25:00Z`."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor import instants
from streams.monitor.health import Health
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.outcomes.parts import Cursor, part_of
from streams.monitor.outcomes.store import Dimension, OutcomeStore, WindowQuery
from streams.rules.kpis import kpis, question_kpis

_NOT_COUNTS = ("dimension", "value", "window_start_at", "window_end_at", "is_final", "revision")


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
    return {
        "topic": row.topic,
        "partition": row.partition,
        "current_offset": row.current_offset,
        "begin_offset": row.begin_offset,
        "end_offset": row.end_offset,
        "lag": row.lag,
        "lag_seconds": None if row.lag_seconds is None else round(row.lag_seconds, 3),
        "state": row.verdict,
        "rewound_by": row.rewound_by,
    }


def health_view(health: Health) -> dict[str, Any]:
    """{"state", "as_of", "problems": [{"what", "since", "evidence", "link"}]}, worst first."""
    return {
        "state": health.state,
        "as_of": instants.text(health.as_of_ms),
        "headline": health.headline,
        "problems": [
            {
                "what": problem.what,
                "since": instants.text(problem.since_ms or health.as_of_ms),
                "evidence": problem.evidence,
                "link": problem.link,
            }
            for problem in health.problems
        ],
    }


@dataclass(frozen=True)
class Asked:
    """What a request for windows asked for, and at which time, epoch ms; as_of_ms: of what is known."""

    dimension: Dimension
    window_s: int
    query: WindowQuery
    as_of_ms: int
    now_ms: int
    after: Cursor | None = None


def value_view(store: OutcomeStore, value: str, asked: Asked) -> tuple[dict[str, Any], Cursor | None]:
    """{"dimension", "value", "window_s", "as_of", "windows": [...]}, and where more follow. Raises NotFoundError."""
    store.check(asked.dimension, value)
    part = part_of(store, asked.dimension, [value], asked.query, asked.after)
    windows = part.values[0][1] if part.values else []
    return {
        "dimension": asked.dimension,
        "value": value,
        "window_s": asked.window_s,
        "as_of": instants.text(asked.as_of_ms),
        "windows": [window_view(window, asked.now_ms) for window in windows],
    }, part.next


def dimension_view(store: OutcomeStore, asked: Asked) -> tuple[dict[str, Any], Cursor | None]:
    """{"dimension", "window_s", "as_of", "values": [{"value", "windows"}]}; values without such windows are not."""
    part = part_of(store, asked.dimension, store.values(asked.dimension), asked.query, asked.after)
    return {
        "dimension": asked.dimension,
        "window_s": asked.window_s,
        "as_of": instants.text(asked.as_of_ms),
        "values": [
            {"value": value, "windows": [window_view(window, asked.now_ms) for window in windows]}
            for value, windows in part.values
        ],
    }, part.next


def phase(window: WindowedOutcomes, now_ms: int) -> str:
    """`counting` while the window lasts, `settling` while late calls may come, then `final`."""
    if window.is_final:
        return "final"
    return "counting" if now_ms < window.window_end_at else "settling"


def window_view(window: WindowedOutcomes, now_ms: int) -> dict[str, Any]:
    """One window: its bounds, every count, `kpis` (null below 30 samples) and `kpi_samples`; per question likewise."""
    values, samples = kpis(window)
    counts = {name: count for name, count in window.to_datum().items() if name not in _NOT_COUNTS}
    return {
        "window_start_at": instants.text(window.window_start_at),
        "window_end_at": instants.text(window.window_end_at),
        "is_final": window.is_final,
        "phase": phase(window, now_ms),
        "revision": window.revision,
        **counts,
        "kpis": values,
        "kpi_samples": samples,
        "question_kpis": question_kpis(window),
    }
