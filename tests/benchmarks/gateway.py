"""How fast the gateway takes callbacks, beside bare and lean Starlette and naive FastAPI; how latency grows with load.

    python -m tests.benchmarks.gateway [--repetitions 5] [--seconds 4] [--out FILE.json] [--plot FILE.svg]
    python -m tests.benchmarks.gateway --only throughput | --only sweep

Throughput: a closed loop over 64 connections with the provider's 5 kB example, every body another call with a valid
signature; the servers take turns within each repetition, so that each ratio is of neighbouring seconds. The gateway
has everything on: signature, strict reading, Avro, acks=all, duplicate check, limits, metrics, a log line each.

Sweep: an open loop (see load.py) with 1 kB and 20 kB bodies at growing shares of what a closed loop reached; latency
from the instant a request was due. All of it on one machine: generator, broker and server share its cores.

Needs pip install -e '.[dev,bench]'; the sweep alone does not.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from tests.benchmarks import gateway_plot, machine
from tests.benchmarks.gateway_servers import OURS, Measured, Server, run_load, running_servers
from tests.support.load.bodies import Shape
from tests.support.load.spec import Latency, Spec

SYSTEMS = ("bare", "lean", OURS, "naive", "naive-avro")
SWEPT: tuple[Shape, ...] = ("1kB", "20kB")
SHARES = (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0, 1.1)
CONNECTIONS = 64
SWEEP_CONNECTIONS = 512
MOST_PER_S = 12_000  # callbacks prepared per second of a closed loop; a faster server ends its run early


class Throughput(msgspec.Struct):
    """One closed loop against one server."""

    system: str
    repetition: int
    per_s: float
    cpu_us: float
    latency: Latency
    statuses: dict[str, int]


class Point(msgspec.Struct):
    """One open loop against the gateway: callbacks a second asked for and answered 200, and CPU in us for each."""

    shape: Shape
    share: float
    asked_per_s: float
    per_s: float
    cpu_us: float
    latency: Latency
    statuses: dict[str, int]
    unanswered: int
    sender_late_ms: float


class Report(msgspec.Struct):
    """Everything one run of the benchmark found."""

    machine: str
    throughput: list[Throughput]
    sweep: list[Point]


async def throughput(servers: dict[str, Server], repetitions: int, seconds: float) -> list[Throughput]:
    """Every server once per repetition, one after the other."""
    found = []
    for repetition in range(repetitions):
        for name, server in servers.items():
            measured = await closed_loop(server, "5kB", f"t{repetition}", seconds)
            result = measured.result
            found.append(Throughput(name, repetition, result.per_s, measured.cpu_us, result.latency, result.statuses))
            print(_throughput_line(found[-1]), flush=True)
    return found


async def closed_loop(server: Server, shape: Shape, prefix: str, seconds: float) -> Measured:
    """What it takes from CONNECTIONS that never wait."""
    spec = Spec(server.port, shape, prefix, seconds, connections=CONNECTIONS, at_most=int(MOST_PER_S * (seconds + 1)))
    if server.name != "bare":
        spec.at_most //= 3
    return await run_load(server, spec)


async def sweep(server: Server, shapes: Sequence[Shape], seconds: float) -> list[Point]:
    """The gateway at each share of its own saturation, which a closed loop finds first."""
    found = []
    for shape in shapes:
        saturation = (await closed_loop(server, shape, f"s{shape}", seconds)).result.per_s
        print(f"{shape}: saturation {saturation:,.0f} callbacks/s", flush=True)
        for share in SHARES:
            rate = saturation * share
            spec = Spec(server.port, shape, f"w{shape}{share}", seconds, rate=rate, connections=SWEEP_CONNECTIONS)
            measured = await run_load(server, spec)
            result = measured.result
            found.append(
                Point(
                    shape=shape,
                    share=share,
                    asked_per_s=rate,
                    per_s=result.per_s,
                    cpu_us=measured.cpu_us,
                    latency=result.latency,
                    statuses=result.statuses,
                    unanswered=result.unanswered + result.broken,
                    sender_late_ms=result.sender_late_ms,
                )
            )
            print(_point_line(found[-1]), flush=True)
    return found


def _throughput_line(run: Throughput) -> str:
    odd = {status: count for status, count in run.statuses.items() if status != "200"}
    return (
        f"  {run.repetition + 1}  {run.system:10}  {run.per_s:7,.0f} /s  {run.cpu_us:6,.0f} us CPU each"
        f"  p50 {run.latency.p50:7.1f}  p99 {run.latency.p99:7.1f} ms  {odd or ''}"
    )


def _point_line(point: Point) -> str:
    odd = {status: count for status, count in point.statuses.items() if status != "200"}
    return (
        f"  {point.shape:>4}  {point.share:4.0%}  asked {point.asked_per_s:7,.0f} /s  got {point.per_s:7,.0f} /s"
        f"  {point.cpu_us:6,.0f} us CPU each"
        f"  p50 {point.latency.p50:8.1f}  p99 {point.latency.p99:8.1f}  p99.9 {point.latency.p999:8.1f} ms"
        f"  (n={point.latency.count}, sender late p99 {point.sender_late_ms:.1f} ms)  {odd or ''}"
        + (f"  {point.unanswered} unanswered" if point.unanswered else "")
    )


def summary(runs: Sequence[Throughput]) -> str:
    """Medians and spread of each system, and the gateway's ratio to it within each repetition."""
    names = list(dict.fromkeys(run.system for run in runs))
    ours = {run.repetition: run for run in runs if run.system == OURS}
    lines = ["| system | callbacks/s, median | spread | CPU us each | gateway / it, median | pair by pair |"]
    lines.append("|---|---|---|---|---|---|")
    for name in names:
        mine = [run for run in runs if run.system == name]
        rates, cpu = [run.per_s for run in mine], statistics.median(run.cpu_us for run in mine)
        ratios = [ours[run.repetition].per_s / run.per_s for run in mine if run.repetition in ours and run.per_s]
        pairs = ", ".join(f"{ratio:.2f}" for ratio in ratios)
        lines.append(
            f"| {name} | {statistics.median(rates):,.0f} | {min(rates):,.0f}-{max(rates):,.0f} | {cpu:,.0f} "
            f"| {statistics.median(ratios) if ratios else 0:.2f} | {pairs} |"
        )
    return "\n".join(lines)


async def run(options: argparse.Namespace) -> Report:
    """What the options ask for."""
    report = Report(machine.describe(), [], [])
    print(report.machine)
    only: Literal["throughput", "sweep"] | None = options.only
    names = [OURS] if only == "sweep" else list(SYSTEMS)
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        async with running_servers(names, Path(directory)) as servers:
            if only != "sweep":
                report.throughput = await throughput(servers, options.repetitions, options.seconds)
                print(summary(report.throughput), flush=True)
            if only != "throughput":
                report.sweep = await sweep(servers[OURS], SWEPT, options.seconds)
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0, help="measured per run, after a second of warm-up")
    parser.add_argument("--only", choices=["throughput", "sweep"])
    parser.add_argument("--out", type=Path, help="everything as JSON")
    parser.add_argument("--plot", type=Path, help="the sweep's curves as SVG")
    options = parser.parse_args()
    report = asyncio.run(run(options))
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    if options.plot:
        gateway_plot.draw(report.sweep, options.plot, report.machine)


if __name__ == "__main__":
    main()
