"""How the worker's cost grows: with answers per call, partitions, workers and window keys, and its memory in each.

    python -m tests.benchmarks.scaling --out scaling.json --plot scaling.svg
    python -m tests.benchmarks.scaling --only workers,keys --callbacks 10000 --repetitions 1

Real broker and registry. Each run is measured and checked as in `tests.benchmarks.peers`: every record byte for byte,
every window's count, everything committed; otherwise it is FAILED. One axis moves, the rest stays at 8 answers,
4 partitions, 1 worker and 50 workflows; the axis of keys has 1 answer a call, and as many callbacks as keys at least.
Several workers share this machine's cores with the broker: their figures show what sharing costs, not how far it goes.
Restoring tables by rows has a benchmark of its own: `python -m tests.benchmarks.restore`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import tempfile
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.benchmarks import machine
from tests.benchmarks.peers import report
from tests.benchmarks.peers.broker import Broker
from tests.benchmarks.peers.job import PARTITIONS, SPREAD_S, WORKFLOWS, Job
from tests.benchmarks.peers.measuring import Bench, Run
from tests.benchmarks.peers.runners import BY_NAME, OURS
from tests.benchmarks.peers.session import BROKER_HEAP_MIB, schema_ids
from tests.benchmarks.peers.work import SchemaIds
from tests.support.processes.service import KafkaProcess, RegistryProcess

ANSWERS = 8


@dataclass(frozen=True)
class Point:
    """One setting of all axes; `axis` and `value` name the one that moves."""

    axis: str
    value: int
    answers: int = ANSWERS
    partitions: int = PARTITIONS
    workers: int = 1
    workflows: int = WORKFLOWS
    spread_s: int = SPREAD_S

    def callbacks(self, wanted: int, warm_up: int) -> int:
        """On the clock: so many that every workflow has a call."""
        return max(wanted, self.workflows - warm_up)

    @property
    def records(self) -> int:
        """Output records of one callback."""
        return 1 + self.answers + 2


POINTS = (
    *(Point("answers", n, answers=n) for n in (0, 1, 8, 20, 50)),
    *(Point("partitions", n, partitions=n) for n in (1, 4, 12)),
    *(Point("workers", n, partitions=12, workers=n) for n in (1, 2, 3)),
    *(Point("keys", n, answers=1, workflows=n, spread_s=0) for n in (100, 1_000, 10_000, 100_000)),
)
AXES = tuple(dict.fromkeys(point.axis for point in POINTS))


def measure(
    kafka: KafkaProcess,
    registry: RegistryProcess,
    ids: SchemaIds,
    directory: Path,
    point: Point,
    options: argparse.Namespace,
) -> list[Run]:
    """The runs of one point."""
    callbacks = point.callbacks(options.callbacks, options.warm_up)
    job = Job.make(callbacks + options.warm_up, point.answers, ids, workflows=point.workflows, spread_s=point.spread_s)
    here = directory / f"{point.axis}-{point.value}"
    here.mkdir()
    runs = []
    with Broker(kafka.bootstrap_servers, point.partitions) as broker:
        bench = Bench(broker, registry.url, ids, job, here, options.warm_up)
        for repetition in range(1, options.repetitions + 1):
            run = bench.run(BY_NAME[OURS], repetition, callbacks, point.workers)
            figures = (
                f"{run.per_s:,.0f} callbacks/s, {run.rss_mib:.0f} MiB" if not run.fault else f"FAILED: {run.fault}"
            )
            print(f"{point.axis} {point.value}: {figures}", flush=True)
            runs.append(run)
    return runs


def table(measured: Sequence[tuple[Point, list[Run]]]) -> Table:
    """One row per point."""
    drawn = Table()
    drawn.add_column("axis")
    for column in ("value", "callbacks/s", "min-max", "records/s", "CPU ms/callback", "MiB in all", "counted"):
        drawn.add_column(column, justify="right")
    for point, runs in measured:
        counted = [run for run in runs if not run.fault]
        drawn.add_row(point.axis, f"{point.value:,}", *_cells(point, counted), f"{len(counted)}/{len(runs)}")
    return drawn


def _cells(point: Point, counted: list[Run]) -> list[str]:
    if not counted:
        return ["FAILED", "", "", "", ""]
    speeds = [run.per_s for run in counted]
    return [
        f"{statistics.median(speeds):,.0f}",
        f"{min(speeds):,.0f}-{max(speeds):,.0f}",
        f"{statistics.median(speeds) * point.records:,.0f}",
        f"{statistics.median(1000 * run.cpu_s / run.callbacks for run in counted):.2f}",
        f"{statistics.median(run.rss_mib for run in counted):.0f}",
    ]


def write_plot(path: Path, measured: Sequence[tuple[Point, list[Run]]], about: str) -> None:
    """One small plot per axis: callbacks/s, and memory on a second scale."""
    from matplotlib.figure import Figure  # only who plots needs it

    axes_names = [axis for axis in AXES if any(point.axis == axis for point, _ in measured)]
    figure = Figure(figsize=(3.4 * len(axes_names), 3.2), layout="constrained")
    for name, axes in zip(axes_names, figure.subplots(1, len(axes_names), squeeze=False)[0], strict=True):
        rows = [(point, [run for run in runs if not run.fault]) for point, runs in measured if point.axis == name]
        rows = [(point, runs) for point, runs in rows if runs]
        values = [point.value for point, _ in rows]
        axes.plot(values, [statistics.median(run.per_s for run in runs) for _, runs in rows], "o-", color="tab:green")
        axes.set_ylim(bottom=0)
        axes.set_xlabel(name)
        axes.set_ylabel("callbacks/s", color="tab:green")
        if name == "keys":
            axes.set_xscale("log")
        else:
            axes.set_xticks(values)
        memory = axes.twinx()
        memory.plot(values, [statistics.median(run.rss_mib for run in runs) for _, runs in rows], "s--", color="gray")
        memory.set_ylim(bottom=0)
        memory.set_ylabel("MiB", color="gray")
    figure.suptitle(textwrap.fill(about, report.TITLE_WIDTH), fontsize=7)
    figure.savefig(path, format="svg", metadata={"Date": None})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.scaling",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--callbacks", type=int, default=10_000, help="on the clock (10000)")
    parser.add_argument("--warm-up", type=int, default=3_000, help="before the clock (3000)")
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--only", type=_axes, default=list(AXES), help=f"axes, separated by commas: {', '.join(AXES)}")
    parser.add_argument("--out", type=Path, help="write every run as JSON")
    parser.add_argument("--plot", type=Path, help="draw an SVG; needs pip install -e '.[dev,bench]'")
    return parser.parse_args()


def _axes(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in AXES]:
        raise argparse.ArgumentTypeError(f"no axis {', '.join(unknown)}; there are {', '.join(AXES)}")
    return names


def main() -> None:
    options = _options()
    if options.plot:
        report.require_matplotlib()
    about = machine.describe()
    print(about, flush=True)
    with (
        tempfile.TemporaryDirectory(prefix="scaling-", ignore_cleanup_errors=True) as temporary,
        RegistryProcess(Path(temporary) / "registry") as registry,
        KafkaProcess(Path(temporary) / "kafka", steady=True, heap_mib=BROKER_HEAP_MIB) as kafka,
    ):
        ids = asyncio.run(schema_ids(registry.url))
        points = [point for point in POINTS if point.axis in options.only]
        measured = [(point, measure(kafka, registry, ids, Path(temporary), point, options)) for point in points]
    Console(width=None if Console().is_terminal else 120).print(table(measured))
    if options.out:
        points_as_dicts = [{**vars(point), "runs": [run.as_dict() for run in runs]} for point, runs in measured]
        options.out.write_text(json.dumps({"machine": about, "points": points_as_dicts}, indent=1) + "\n")
    if options.plot:
        write_plot(options.plot, measured, about)


if __name__ == "__main__":
    main()
