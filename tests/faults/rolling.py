"""Workers restarted one after the other, added and removed, while callbacks keep coming: what is the longest pause?

    python -m tests.faults.rolling --workers 3 --rounds 1

Real broker and registry, static membership (each worker keeps its group instance id with its data). The pause is the
longest stretch, by the broker's clock, without a record in any one partition of the calls topic while callbacks for it
kept coming. At the end everything is held against the oracle.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from schemas.topics import CALLS
from tests.faults.chaos import LONG_GRACE
from tests.support.comparison import Report
from tests.support.processes.system import FaultySystem, faulty_system
from tests.support.processes.worker import WorkerProcess
from tests.support.traffic import ContractTraffic
from tests.support.waiting import wait_until

PARTITIONS = 6
BATCH = 20
PERIOD_S = 0.2
READY_S = 180
SETTLE_S = 5


@dataclass
class Rolling:
    """One run: the steps taken, and what they came to."""

    faulty: FaultySystem
    tell: Callable[[str], None]
    workers: dict[str, WorkerProcess] = field(default_factory=dict)
    pauses: dict[str, float] = field(default_factory=dict)
    exit_codes: list[int] = field(default_factory=list)

    @contextlib.asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Callbacks keep coming, at a steady rate."""
        load, is_over = ContractTraffic(3, is_plain=True), asyncio.Event()

        async def write() -> None:
            while not is_over.is_set():
                at = time.time_ns() // 1_000_000
                await self.faulty.write(load.batch(BATCH, at), at)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(is_over.wait(), PERIOD_S)

        writing = asyncio.create_task(write())
        try:
            yield
        finally:
            is_over.set()
            await writing

    async def start(self, name: str) -> None:
        """A worker with the disk of that name, until it is ready."""
        worker = self.workers[name] = self.faulty.system.launch_worker(name)
        await wait_until(worker.is_ready, READY_S, f"worker {name} is ready")

    async def stop(self, name: str) -> None:
        """SIGTERM, and its end."""
        self.exit_codes.append(await asyncio.to_thread(self.workers.pop(name).terminate, 60))

    async def step(self, what: str, *actions: Any) -> None:
        """Do it, let the load go on for a while, and note the longest pause that fell into it."""
        began = time.time_ns() // 1_000_000
        for action in actions:
            await action
        await asyncio.sleep(SETTLE_S)  # not a wait for anything: the load's share after the step
        caught_up = await self.catch_up()
        self.pauses[what] = await self.longest_pause(began, caught_up)
        self.tell(f"{what}: longest pause of a partition {self.pauses[what]:.1f} s")

    async def catch_up(self) -> int:
        """Wait until what was written before now has been committed; when that was, epoch ms."""
        ends = {topic: end for topic, (_, end) in (await self.faulty.lags()).items()}

        async def is_done() -> bool:
            return all(committed >= ends[topic] for topic, (committed, _) in (await self.faulty.lags()).items())

        await wait_until(is_done, READY_S, "all written before is processed")
        return time.time_ns() // 1_000_000

    async def longest_pause(self, began: int, ended: int) -> float:
        """Seconds between two records of one partition of the calls topic, the begin and end of the step included."""
        longest = 0
        records = await self.faulty._raw(CALLS.name)
        for partition in range(self.faulty.system.partitions):
            times = [record.timestamp for record in records if record.partition == partition]
            marks = [began, *(at for at in times if began <= at <= ended)]
            longest = max([longest, *(after - before for before, after in pairwise(marks))])
        return longest / 1000


async def roll(directory: Path, workers: int, rounds: int, tell: Callable[[str], None]) -> tuple[Rolling, Report]:
    """Restart each worker in turn, then add one and remove one; the truth at the end."""
    async with faulty_system(directory, LONG_GRACE, PARTITIONS) as faulty:
        rolling = Rolling(faulty, tell)
        for number in range(workers):
            await rolling.start(f"w{number}")
        async with rolling.load():
            await rolling.step("no step at all")
            for number in range(rounds * workers):
                name = f"w{number % workers}"
                await rolling.step(f"restart {number + 1}", rolling.stop(name), rolling.start(name))
            await rolling.step("one more worker", rolling.start("more"))
            await rolling.step("one worker less", rolling.stop("more"))
        await faulty.wait_until_processed()
        return rolling, await faulty.compare()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    tell = partial(print, flush=True)
    with tempfile.TemporaryDirectory() as directory:
        rolling, report = asyncio.run(roll(Path(directory), options.workers, options.rounds, tell))
    tell(f"longest pause {max(rolling.pauses.values()):.1f} s, exit codes {rolling.exit_codes}")
    tell(f"{report.records.total()} records, {report.windows} windows, {len(report.differences)} differences")
    raise SystemExit(int(bool(report.differences)))


if __name__ == "__main__":
    main()
