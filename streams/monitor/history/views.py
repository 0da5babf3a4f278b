"""Pure: the answers about the past. `values` are one for each step from `from` on; null: nobody looked."""

from typing import Any

from schemas.runtime import instants
from streams.monitor.history.asking import Span
from streams.monitor.history.history import History
from streams.monitor.history.memory import BETWEEN, VERDICT
from streams.monitor.history.names import SERIES, kind_of, of_topic

MAX_CHANGES = 1_000
DIGITS = 6
OF_LAG = ("lag_seconds", "lag_records", "rate_in", "rate_out")


def names_view(history: History) -> dict[str, Any]:
    """{"kept", "names": [...], "kinds": [{"name", "unit", "joined", "meaning"}]}."""
    kinds = [{"name": s.name, "unit": s.unit, "joined": s.joined, "meaning": s.meaning} for s in SERIES]
    return {**kept_view(history), "names": history.names(), "kinds": kinds}


def series_view(history: History, name: str, span: Span) -> dict[str, Any]:
    """{"name", "unit", "joined", "from", "to", "step_s", "values", "kept"}."""
    kind = kind_of(name)
    points = history.series(name, span.from_ms, span.to_ms, span.step_s)
    return {
        "name": name,
        "unit": kind.unit,
        "joined": kind.joined,
        **_span_view(points, span),
        "values": _values(points),
        **kept_view(history),
    }


def lag_history_view(history: History, group: str, topic: str, span: Span) -> dict[str, Any]:
    """{"consumergroup", "topic", "from", "to", "step_s", "lag_seconds": [...], ..., "verdicts": [{"at", "partition",
    "verdict"}]}. verdict null: the partition was no longer watched. At most MAX_CHANGES, the newest.
    """
    found = {
        name: history.series(of_topic(name, group, topic), span.from_ms, span.to_ms, span.step_s) for name in OF_LAG
    }
    changes = history.changes(VERDICT, f"{group}{BETWEEN}{topic}{BETWEEN}", span.from_ms, span.to_ms)
    verdicts = [
        {
            "at": instants.text(change.at_ms),
            "partition": int(change.subject.rpartition(BETWEEN)[2]),
            "verdict": change.value or None,
        }
        for change in changes[-MAX_CHANGES:]
    ]
    return {
        "consumergroup": group,
        "topic": topic,
        **_span_view(found[OF_LAG[0]], span),
        **{name: _values(points) for name, points in found.items()},
        "verdicts": verdicts,
        **kept_view(history),
    }


def kept_view(history: History) -> dict[str, Any]:
    """{"kept": "disk" or "memory", "fault"}: memory is lost when the monitor ends. fault: why it is not the disk."""
    is_on_disk = history.directory is not None and history.fault is None
    return {"kept": "disk" if is_on_disk else "memory", "fault": history.fault}


def _span_view(points: list[tuple[int, float | None]], span: Span) -> dict[str, Any]:
    step_ms = span.step_s * 1000
    begin, end = (points[0][0], points[-1][0] + step_ms) if points else (span.from_ms, span.to_ms)
    return {"from": instants.text(begin), "to": instants.text(end), "step_s": span.step_s}


def _values(points: list[tuple[int, float | None]]) -> list[float | None]:
    return [None if value is None else round(value, DIGITS) for _, value in points]
