"""A burst of ten times the steady rate: what becomes of memory, and of the rate at which a worker works it off?

    python -m tests.faults.burst --steady 50 --times 10 --seconds 300

Real broker and registry, one worker. First the worker's own rate: a backlog is processed. Then callbacks come at the
steady rate, then at so many times that for `--seconds`, then not at all until everything is committed. While the
backlog of the burst stands, the worker must do at least `--least` of its own rate, or of what comes when that is less;
its resident set must stay below `--cap-mib`. Exit code 1 otherwise, also when the worker was so fast that no backlog
stood. Who writes shares the machine with the worker.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import psutil

from schemas.topics import CALLBACKS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.faults.chaos import LONG_GRACE
from tests.support.deliveries import delivery, detail
from tests.support.processes.system import FaultySystem, faulty_system
from tests.support.waiting import wait_until

TICK_S = 1.0
DONE_S = 1800


@dataclass
class Sample:
    """What there was at one time: seconds since the start, callbacks written and committed, MiB resident."""

    at: float
    written: int
    committed: int
    mib: float


def _rate(samples: list[Sample]) -> float | None:
    """Callbacks committed a second from the first sample to the last; None of fewer than two."""
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    return (last.committed - first.committed) / (last.at - first.at)


@dataclass
class Burst:
    """One run."""

    faulty: FaultySystem
    tell: Callable[[str], None]
    samples: list[Sample] = field(default_factory=list)
    written: int = 0

    async def run(self, steady: int, times: int, seconds: float) -> tuple[float, float | None, float]:
        """The worker's own rate and its rate while a backlog stood, callbacks a second; its highest MiB.

        The second is None when no backlog stood for two samples: the worker was faster than the burst.
        """
        own = await self.own_rate(steady * times * 10)
        worker = self.faulty.system.workers[0]
        process, began = psutil.Process(worker.process.pid), time.monotonic()
        phases: list[tuple[str, int, float]] = [("steady", steady, seconds / 5), ("burst", steady * times, seconds)]
        for name, rate, duration in phases:
            await self._phase(name, rate, duration, process, began)
        burst_end = self.samples[-1]
        await self._phase("after", 0, DONE_S, process, began)
        backlogged = [s for s in self.samples if s.written - s.committed > steady * times]
        self.tell(f"backlog {burst_end.written - burst_end.committed:,} at the end of the burst")
        return own, _rate(backlogged), max(sample.mib for sample in self.samples)

    async def own_rate(self, callbacks: int) -> float:
        """Callbacks a second from a backlog, with the worker warm."""
        await self.faulty.system.start_worker()
        await self._write(200)
        await self._until_committed()
        began, before = time.monotonic(), self.written
        await self._write(callbacks)
        await self._until_committed()
        rate = (self.written - before) / (time.monotonic() - began)
        self.tell(f"own rate {rate:,.0f} callbacks/s")
        return rate

    async def _phase(self, name: str, rate: int, seconds: float, process: psutil.Process, began: float) -> None:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            tick = time.monotonic()
            due = round(rate * TICK_S)
            await self._write(due)
            done = await self.committed()
            mib = process.memory_info().rss / 2**20
            self.samples.append(Sample(time.monotonic() - began, self.written, done, mib))
            self.tell(
                f"{self.samples[-1].at:7.1f} s {name:6} {self.written:>9,} written {done:>9,} done {mib:6,.0f} MiB"
            )
            if not rate and done == self.written:
                return
            await asyncio.sleep(max(tick + TICK_S - time.monotonic(), 0))

    async def _write(self, count: int) -> None:
        calls = [delivery(detail(f"c{self.written + i}"), workflow=f"wf-{i % 50}") for i in range(count)]
        await self.faulty.system.writer.write(calls, time.time_ns() // 1_000_000)
        self.written += count

    async def committed(self) -> int:
        """Callbacks committed, of all partitions."""
        lags = await self.faulty.lags()
        return sum(done for place, (done, _) in lags.items() if place.startswith(f"{CALLBACKS.name}-"))

    async def _until_committed(self) -> None:
        async def is_done() -> bool:
            return await self.committed() == self.written

        await wait_until(is_done, DONE_S, "everything is committed")


async def burst(
    directory: Path, steady: int, times: int, seconds: float, tell: Callable[[str], None]
) -> tuple[float, float | None, float]:
    """`Burst.run` in a new installation. Every call must then be in the windows, once."""
    async with faulty_system(directory, LONG_GRACE) as faulty:
        run = Burst(faulty, tell)
        figures = await run.run(steady, times, seconds)
        for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
            await faulty.system.wait_for_calls(topic, run.written)
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steady", type=int, default=100, help="callbacks a second")
    parser.add_argument("--times", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--least", type=float, default=0.9)
    parser.add_argument("--cap-mib", type=int, default=1024)
    options = parser.parse_args()
    tell = partial(print, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        own, rate, mib = asyncio.run(burst(Path(directory), options.steady, options.times, options.seconds, tell))
    offered = options.steady * options.times
    if rate is None:
        raise SystemExit(f"no backlog stood: own rate {own:,.0f}/s, offered {offered:,}/s; raise --steady")
    share = rate / min(own, offered)
    tell(f"own rate {own:,.0f}/s, offered {offered:,}/s, done {rate:,.0f}/s ({share:.0%}), {mib:,.0f} MiB at most")
    raise SystemExit(int(share < options.least or mib > options.cap_mib))


if __name__ == "__main__":
    main()
