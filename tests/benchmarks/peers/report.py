"""The figures as a table, as JSON and as a plot."""

from __future__ import annotations

import json
import statistics
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.benchmarks.peers.measuring import Run
from tests.benchmarks.peers.runners import BY_NAME, OURS

TITLE_WIDTH = 150  # letters that fit over a plot
PLOT_REMEDY = "--plot needs matplotlib: pip install -e '.[dev,bench]'"


def good(runs: Sequence[Run], name: str) -> dict[int, Run]:
    """The runs of one runner that count, by repetition."""
    return {run.repetition: run for run in runs if run.runner == name and not run.fault}


def ratios_to_ours(runs: Sequence[Run], name: str) -> list[float]:
    """Ours over the other's, repetition by repetition: neighbours in time, so that the machine's mood cancels out."""
    ours, other = good(runs, OURS), good(runs, name)
    return [ours[number].per_s / other[number].per_s for number in sorted(ours.keys() & other.keys())]


def names_of(runs: Sequence[Run]) -> list[str]:
    """Runners in the order of their first run."""
    return list(dict.fromkeys(run.runner for run in runs))


def table(runs: Sequence[Run]) -> Table:
    """One row per runner; a runner without a run that counts shows FAILED and no number."""
    drawn = Table()
    drawn.add_column("runner")
    for column in ("callbacks/s", "min-max", "ours is x times", "CPU ms each", "MiB", "callbacks", "counted"):
        drawn.add_column(column, justify="right")
    drawn.add_column("does not do")
    for name in names_of(runs):
        drawn.add_row(name, *_cells(runs, name), BY_NAME[name].less)
    return drawn


def _cells(runs: Sequence[Run], name: str) -> list[str]:
    counted, all_runs = list(good(runs, name).values()), [run for run in runs if run.runner == name]
    score = f"{len(counted)}/{len(all_runs)}"
    if not counted:
        return ["FAILED", "", "", "", "", "", score]
    speeds, ratios = [run.per_s for run in counted], ratios_to_ours(runs, name)
    return [
        f"{statistics.median(speeds):,.0f}",
        f"{min(speeds):,.0f}-{max(speeds):,.0f}",
        f"{statistics.median(ratios):.2f} ({min(ratios):.2f}-{max(ratios):.2f})" if ratios else "",
        f"{statistics.median(1000 * run.cpu_s / run.callbacks for run in counted):.2f}",
        f"{statistics.median(run.rss_mib for run in counted):.0f}",
        f"{counted[0].callbacks:,}",
        score,
    ]


def show(runs: Sequence[Run]) -> None:
    """Print the table and every fault."""
    Console(width=None if Console().is_terminal else 180).print(table(runs))
    for run in runs:
        if run.fault:
            print(f"{run.runner}, repetition {run.repetition}, does not count: {run.fault}")


def write_json(path: Path, runs: Sequence[Run], about: dict[str, Any]) -> None:
    """Every run, and what they were made with."""
    runners = {name: {"what": BY_NAME[name].what, "does_not_do": BY_NAME[name].less} for name in names_of(runs)}
    path.write_text(json.dumps({**about, "runners": runners, "runs": [run.as_dict() for run in runs]}, indent=1) + "\n")


def require_matplotlib() -> None:
    """Raises: SystemExit with the remedy when there is none."""
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise SystemExit(PLOT_REMEDY) from None


def write_plot(path: Path, runs: Sequence[Run], about: str) -> None:
    """Bars of the medians with every run as a dot."""
    from matplotlib.figure import Figure  # only who plots needs it

    names = [name for name in names_of(runs) if good(runs, name)]
    figure = Figure(figsize=(9, 0.5 * len(names) + 1.6), layout="constrained")
    axes = figure.subplots()
    for place, name in enumerate(names):
        speeds = [run.per_s for run in good(runs, name).values()]
        axes.barh(place, statistics.median(speeds), color="tab:green" if name == OURS else "tab:blue", alpha=0.6)
        axes.plot(speeds, [place] * len(speeds), "k.", markersize=4)
        axes.annotate(f" {statistics.median(speeds):,.0f}", (max(speeds), place), va="center")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set_xlabel("callbacks/s (each 11 records and 2 windows), median and every run")
    axes.set_title(textwrap.fill(about, TITLE_WIDTH), fontsize=7)
    figure.savefig(path, format="svg", metadata={"Date": None})
