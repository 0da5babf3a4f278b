"""Does the whole system stay as it is under a steady load: memory, lag and latency?

    python -m tests.benchmarks.soak --minutes 30 [--rate 200] [--out FILE.json]    (--minutes 2: a short look)

Gateway, worker, monitor and broker on one machine take callbacks at --rate, without it at 40 % of what they can take
together. The first third is settling down: caches fill, Python's and RocksDB's buffers reach their size. What grows
after it is told by a straight line through the rest (least squares), and flat means that over those two thirds

    memory of a role grows by less than 5 % of its median and 5 MiB together,
    lag at the end of the line is below two seconds' worth of callbacks,
    the median latency per slice grows by less than half, or by less than 5 ms.

A worker keeps every call for the days that it knows repeats (STREAMS_DEDUP_DAYS), on disk; its memory must not follow.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.benchmarks import machine
from tests.benchmarks.whole_system import CONNECTIONS, WholeSystem, saturation, whole_system
from tests.support.load.process import send
from tests.support.load.spec import Result, Spec

SHARE = 0.4
SETTLING = 1 / 3
SATURATION_S = 10.0
SAMPLES = 120  # of memory and lag over the run
SLICES = 30
MEMORY_SHARE, MEMORY_MIB = 0.05, 5.0
LAG_S = 2.0
LATENCY_SHARE, LATENCY_MS = 0.5, 5.0


class Sample(msgspec.Struct):
    """At one moment."""

    at_s: float
    rss_mib: dict[str, float]
    lag: int


class Verdict(msgspec.Struct):
    """One thing that should be flat: where the line begins and ends."""

    name: str
    begin: float
    end: float
    is_flat: bool


class Soak(msgspec.Struct):
    """A whole run."""

    machine: str
    rate: float
    minutes: float
    result: Result
    samples: list[Sample]
    verdicts: list[Verdict]


def line_through(points: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Begin and end of the straight line through what comes after the settling."""
    settled = [(at, value) for at, value in points if at >= points[-1][0] * SETTLING]
    times, values = zip(*settled, strict=True)
    slope, base = statistics.linear_regression(times, values)
    return base + slope * times[0], base + slope * times[-1]


def memory_verdict(role: str, points: Sequence[tuple[float, float]]) -> Verdict:
    begin, end = line_through(points)
    room = MEMORY_SHARE * statistics.median(value for _, value in points) + MEMORY_MIB
    return Verdict(f"MiB of {role}", begin, end, end - begin < room)


def lag_verdict(points: Sequence[tuple[float, float]], rate: float) -> Verdict:
    begin, end = line_through(points)
    return Verdict("records of lag", begin, end, end < LAG_S * rate)


def latency_verdict(points: Sequence[tuple[float, float]]) -> Verdict:
    begin, end = line_through(points)
    return Verdict("ms of latency, p50", begin, end, end - begin < max(LATENCY_SHARE * begin, LATENCY_MS))


async def sample_for_ever(system: WholeSystem, every_s: float, samples: list[Sample]) -> None:
    started = time.monotonic()
    while True:
        sample = Sample(time.monotonic() - started, system.rss_mib(), await system.lag())
        samples.append(sample)
        memory = "  ".join(f"{role} {mib:,.0f}" for role, mib in sample.rss_mib.items())
        print(f"  {sample.at_s / 60:5.1f} min: lag {sample.lag:,}  MiB {memory}", flush=True)
        await asyncio.sleep(every_s)


async def run(minutes: float, rate: float | None) -> Soak:
    """Load, samples and verdicts."""
    seconds = minutes * 60
    with tempfile.TemporaryDirectory(prefix="benchmark-") as directory:
        async with whole_system(Path(directory)) as system:
            if rate is None:
                rate = SHARE * min(await saturation(system, "5kB", SATURATION_S))
            print(f"{rate:,.0f} callbacks/s for {minutes:g} minutes", flush=True)
            samples: list[Sample] = []
            sampling = asyncio.create_task(sample_for_ever(system, seconds / SAMPLES, samples))
            spec = Spec(
                system.gateway.port,
                "5kB",
                "soak",
                seconds,
                rate=rate,
                connections=CONNECTIONS,
                is_live=True,
                slice_s=seconds / SLICES,
            )
            result = await send(spec)
            if sampling.done():
                sampling.result()  # it never ends by itself, so this raises
            sampling.cancel()
    verdicts = [memory_verdict(role, [(one.at_s, one.rss_mib[role]) for one in samples]) for role in samples[0].rss_mib]
    verdicts.append(lag_verdict([(one.at_s, one.lag) for one in samples], rate))
    verdicts.append(latency_verdict([(float(number), one.p50) for number, one in enumerate(result.slices)]))
    return Soak(machine.describe(), rate, minutes, result, samples, verdicts)


def show(soak: Soak) -> None:
    result, n = soak.result, max(1, len(soak.result.slices) // 10)
    print(f"answered {result.statuses}, {result.unanswered} unanswered, {result.broken} broken connections")
    for number, latency in list(enumerate(result.slices))[::n]:
        minute = number * soak.minutes / SLICES
        print(f"  minute {minute:5.1f}: p50 {latency.p50:7.1f}  p99 {latency.p99:7.1f} ms  (n={latency.count})")
    print("| what | begin of the line | end | flat |\n|---|---|---|---|")
    for verdict in soak.verdicts:
        print(f"| {verdict.name} | {verdict.begin:,.1f} | {verdict.end:,.1f} | {'yes' if verdict.is_flat else 'NO'} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, help="callbacks a second")
    parser.add_argument("--out", type=Path, help="everything as JSON")
    options = parser.parse_args()
    print(machine.describe())
    soak = asyncio.run(run(options.minutes, options.rate))
    show(soak)
    if options.out:
        options.out.write_bytes(msgspec.json.format(msgspec.json.encode(soak)))
    sys.exit(0 if all(verdict.is_flat for verdict in soak.verdicts) else 1)


if __name__ == "__main__":
    main()
