"""Our worker against its peers: the same callbacks, the same records byte for byte, the same windows.

    python -m tests.benchmarks.peers --repetitions 5 --out peers.json --plot peers.svg
    python -m tests.benchmarks.peers --only ours,quix,kafka-streams --callbacks 20000 --repetitions 3

One real broker (4 partitions, fresh topics for each run) and registry, started here. A runner first processes a
warm-up; then it is stopped (SIGSTOP) while the input is written. The clock runs from the moment it goes on until its
group has committed the end of everything it reads. Then every output is compared byte for byte, and every window's
count; a run in which one record or one window update is missing is FAILED and shows no number. Runners are
interleaved (A B C, A B C), and ratios are made within a repetition.

Runners (each a process of its own, one at a time; slow ones get a share of the callbacks):
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import textwrap
import time
from collections.abc import Iterator
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import machine
from tests.benchmarks.peers import report
from tests.benchmarks.peers.broker import Broker
from tests.benchmarks.peers.job import PARTITIONS, Job
from tests.benchmarks.peers.measuring import Bench, Run
from tests.benchmarks.peers.runners import BY_NAME, RUNNERS, Runner
from tests.benchmarks.peers.session import BROKER_HEAP_MIB, schema_ids
from tests.support.processes.service import KafkaProcess, RegistryProcess


def main() -> None:
    options = _options()
    runners = [BY_NAME[name] for name in options.only]
    if options.plot:
        report.require_matplotlib()
    for prepare in dict.fromkeys(runner.prepare for runner in runners):
        prepare()
    about = f"{machine.describe()}, confluent-kafka {version('confluent-kafka')}"
    print(about, flush=True)
    started, runs = time.monotonic(), list[Run]()
    with (
        tempfile.TemporaryDirectory(prefix="peers-", ignore_cleanup_errors=True) as temporary,
        RegistryProcess(Path(temporary) / "registry") as registry,
        KafkaProcess(Path(temporary) / "kafka", steady=True, heap_mib=BROKER_HEAP_MIB) as kafka,
        Broker(kafka.bootstrap_servers, PARTITIONS) as broker,
    ):
        ids = asyncio.run(schema_ids(registry.url))
        largest = max(sum(runner.sizes(options.warm_up, options.callbacks)) for runner in runners)
        job = Job.make(largest, options.answers, ids)
        bench = Bench(broker, registry.url, ids, job, Path(temporary), options.warm_up)
        with suppress(KeyboardInterrupt):  # what is measured by then is shown
            for run in _measure_all(bench, runners, options.repetitions, options.callbacks):
                runs.append(run)
                if options.out:
                    report.write_json(options.out, runs, {"machine": about, "arguments": _plain(options)})
    report.show(runs)
    print(f"{time.monotonic() - started:.0f} s in all")
    if options.plot:
        report.write_plot(options.plot, runs, about)


def _measure_all(bench: Bench, runners: list[Runner], repetitions: int, callbacks: int) -> Iterator[Run]:
    """Interleaved: each repetition has every runner once."""
    for repetition in range(1, repetitions + 1):
        for runner in runners:
            run = bench.run(runner, repetition, callbacks)
            cost = f"{1000 * run.cpu_s / run.callbacks:.2f} ms of CPU each"
            figures = f"FAILED: {run.fault.splitlines()[0]}" if run.fault else f"{run.per_s:,.0f} callbacks/s, {cost}"
            print(f"{repetition}/{repetitions} {runner.name}: {figures}", flush=True)
            yield run


def _options() -> argparse.Namespace:
    runners = "\n".join(
        textwrap.fill(f"{runner.what} (does not do: {runner.less})", 110, initial_indent=f"  {runner.name:<18} ",
                      subsequent_indent=" " * 21)
        for runner in RUNNERS
    )  # fmt: skip
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.peers",
        description=f"{__doc__}{runners}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--callbacks", type=int, default=20_000, help="on the clock, times the runner's share (20000)")
    parser.add_argument(
        "--warm-up", type=int, default=4_000, help="before the clock, times the share; Java gets 2.5 times that (4000)"
    )
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--answers", type=int, default=8, help="answers in each callback (8)")
    parser.add_argument("--only", type=_names, default=list(BY_NAME), help="runners, separated by commas")
    parser.add_argument("--out", type=Path, help="write the runs as JSON, after each one")
    parser.add_argument("--plot", type=Path, help="draw an SVG; needs pip install -e '.[dev,bench]'")
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in BY_NAME]:
        raise argparse.ArgumentTypeError(f"no runner {', '.join(unknown)}; there are {', '.join(BY_NAME)}")
    return names


def _plain(options: argparse.Namespace) -> dict[str, Any]:
    return {name: str(value) if isinstance(value, Path) else value for name, value in vars(options).items()}


if __name__ == "__main__":
    main()
