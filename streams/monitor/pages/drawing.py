"""Pure: the geometry of SVGs and charts on the pages; templates/macros/charts.html has the shapes."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

SPARK_WIDTH: Final = 96
SPARK_HEIGHT: Final = 24
MARGIN: Final = 2

Values = Sequence[float | None]


@dataclass(frozen=True)
class Part:
    """One part of a stacked bar, in per cent of its width."""

    name: str
    count: int
    x: float
    width: float


def spark(values: Values, top: float | None = None) -> list[str]:
    """The lines of a sparkline as the `points` of polylines; a gap where nobody looked. A lone value is a short dash.

    top: the value at the upper edge; without it the largest. The lower edge is always 0: a line that seems to fall has
    fallen.
    """
    known = [value for value in values if value is not None]
    highest = max(top or 0.0, max(known, default=0.0)) or 1.0
    step = SPARK_WIDTH / max(1, len(values) - 1)
    lines: list[list[str]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            lines.append([])
            continue
        y = SPARK_HEIGHT - MARGIN - (SPARK_HEIGHT - 2 * MARGIN) * value / highest
        lines[-1].append(f"{place * step:.1f},{y:.1f}")
    return [" ".join(points if len(points) > 1 else [points[0], _beside(points[0])]) for points in lines if points]


def _beside(point: str) -> str:
    x, y = point.split(",")
    return f"{max(0.0, float(x) - 1.5):.1f},{y}"


def shares(counts: Mapping[str, int]) -> list[Part]:
    """The parts of a stacked bar, in the order given; counts of 0 are left out."""
    total = sum(counts.values())
    parts, x = [], 0.0
    for name, count in counts.items():
        if count > 0:
            width = 100 * count / total
            parts.append(Part(name, count, round(x, 2), round(width, 2)))
            x += width
    return parts


@dataclass(frozen=True)
class Line:
    """One line of a chart. role: `main`, `peer`, or `low` and `high`, the edges of a band around the line before."""

    label: str
    values: Values
    role: str = "main"


@dataclass(frozen=True)
class Strip:
    """One strip of a chart, with an axis of its own: what it shows, in which unit (`/s`, `s`, `%`)."""

    label: str
    unit: str
    lines: Sequence[Line]


@dataclass(frozen=True)
class Chart:
    """Strips over one time axis. at_ms: the instants of all values, epoch ms; shaded: spans, with what they mean."""

    title: str
    at_ms: Sequence[int]
    strips: Sequence[Strip]
    shaded: Sequence[tuple[int, int]] = ()
    shade_means: str = ""
    zone: str = "UTC"
    rows: int = field(default=60, kw_only=True)

    @property
    def json(self) -> str:
        """For assets/charts.js: times in seconds."""
        body: dict[str, Any] = {
            "title": self.title,
            "x": [at_ms / 1000 for at_ms in self.at_ms],
            "strips": [_strip(strip) for strip in self.strips],
            "shaded": [(start / 1000, end / 1000) for start, end in self.shaded],
            "zone": self.zone,
        }
        return json.dumps(body)

    @property
    def is_empty(self) -> bool:
        """True when no value of no line is known."""
        return all(value is None for strip in self.strips for line in strip.lines for value in line.values)

    @property
    def columns(self) -> list[tuple[str, str]]:
        """(label, unit) of every line, for the table."""
        return [(line.label, strip.unit) for strip in self.strips for line in strip.lines]

    @property
    def table(self) -> list[tuple[int, list[float | None]]]:
        """The newest instants first, at most `rows` of them, evenly chosen; the table that stands beside the chart."""
        lines = [line.values for strip in self.strips for line in strip.lines]
        places = _evenly(len(self.at_ms), self.rows)
        return [(self.at_ms[place], [values[place] for values in lines]) for place in reversed(places)]


def _strip(strip: Strip) -> dict[str, Any]:
    lines = [{"label": line.label, "values": list(line.values), "role": line.role} for line in strip.lines]
    return {"label": strip.label, "unit": strip.unit, "lines": lines}


def _evenly(length: int, most: int) -> list[int]:
    """At most so many places of a list of this length, its last among them."""
    step = max(1, -(-length // most))
    return sorted(range(length - 1, -1, -step))


def spans_over(at_ms: Sequence[int], values: Values, limit: float) -> list[tuple[int, int]]:
    """The spans in which the value was over the limit, from the first instant over it to the first that is not."""
    spans: list[tuple[int, int]] = []
    began: int | None = None
    for at, value in zip(at_ms, values, strict=True):
        is_over = value is not None and value > limit
        if is_over and began is None:
            began = at
        if not is_over and began is not None:
            spans.append((began, at))
            began = None
    if began is not None:
        spans.append((began, at_ms[-1]))
    return spans


def column(points: Iterable[tuple[int, float | None]]) -> tuple[list[int], list[float | None]]:
    """A series of points as instants and values."""
    found = list(points)
    return [at for at, _ in found], [value for _, value in found]
