"""The overview as JSON and for the page: one builder for both."""

from dataclasses import dataclass
from typing import Any

from schemas.runtime import instants
from streams.monitor.monitor import Monitor
from streams.monitor.overview.figures import Figure, figures

DIGITS = 6


@dataclass(frozen=True)
class Overview:
    """The five numbers over [from_ms, to_ms), and over as long before it."""

    as_of_ms: int
    from_ms: int
    to_ms: int
    figures: list[Figure]


def overview(monitor: Monitor, from_ms: int, to_ms: int, now_ms: int) -> Overview:
    """The numbers of a range, in whole seconds."""
    from_ms, to_ms = from_ms // 1000 * 1000, to_ms // 1000 * 1000
    pane_ms = monitor.settings.window_s * 1000
    found = figures(monitor.history.series, monitor.totals, from_ms, to_ms, pane_ms, now_ms)
    return Overview(now_ms, from_ms, to_ms, found)


def overview_view(found: Overview) -> dict[str, Any]:
    """{"as_of", "from", "to", "figures": [{"name", "title", "unit", "value", "before", "now", "n", "n_before", "low",
    "high", "hour": [...]}]}.
    """
    return {
        "as_of": instants.text(found.as_of_ms),
        "from": instants.text(found.from_ms),
        "to": instants.text(found.to_ms),
        "figures": [_figure(figure) for figure in found.figures],
    }


def _figure(figure: Figure) -> dict[str, Any]:
    return {
        "name": figure.name,
        "title": figure.title,
        "unit": figure.unit,
        "value": _rounded(figure.value),
        "before": _rounded(figure.before),
        "now": _rounded(figure.now),
        "n": figure.n,
        "n_before": figure.n_before,
        "low": figure.low,
        "high": figure.high,
        "hour": [_rounded(value) for value in figure.hour],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, DIGITS)
