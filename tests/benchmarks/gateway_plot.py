"""The sweep as curves: latency against the rate answered, one picture per body size."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.benchmarks.gateway import Point


def draw(points: Sequence[Point], path: Path, machine: str) -> None:
    """Write an SVG."""
    import matplotlib  # slow to import, and only wanted here

    matplotlib.use("svg")
    from matplotlib import pyplot

    shapes = list(dict.fromkeys(point.shape for point in points))
    figure, axes = pyplot.subplots(1, len(shapes), figsize=(5 * len(shapes), 4), squeeze=False, layout="constrained")
    for axis, shape in zip(axes[0], shapes, strict=True):
        mine = [point for point in points if point.shape == shape]
        asked = [point.asked_per_s for point in mine]
        for label, quantile in (("p50", "p50"), ("p99", "p99"), ("p99.9", "p999")):
            axis.plot(asked, [getattr(point.latency, quantile) for point in mine], marker="o", label=label)
        axis.set(
            title=f"{shape} bodies", xlabel="callbacks/s asked for", ylabel="ms from due to answered", yscale="log"
        )
        axis.grid(visible=True, alpha=0.3)
        axis.legend()
    figure.suptitle(machine, fontsize=6)
    figure.savefig(path, metadata={"Date": None})
