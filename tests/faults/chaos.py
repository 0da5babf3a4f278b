"""Traffic and faults from one seed, and then the truth.

Each fault comes while a share of the load is being written and processed, at a moment that the seed draws.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.support.comparison import Report
from tests.support.processes.system import FaultySystem, faulty_system
from tests.support.processes.worker import WorkerProcess
from tests.support.traffic import ContractTraffic
from tests.support.waiting import wait_until

SESSION_S = 15.0
"""The workers' session timeout: frozen for longer, a worker loses its partitions and does not know it."""

READY_S = 120
CHUNK = 25
SPREAD_S = 1.2
"""About how long the load of one fault takes to write when it is spread."""

LONG_GRACE = {"STREAMS_GRACE_S": str(30 * 86_400)}
MAX_WORKERS = 3
MAX_FALLS = 5

Tell = Callable[[str], None]
Fault = Callable[[], Awaitable[str]]


@dataclass
class Outcome:
    """What a run came to."""

    seed: int
    faults: Counter[str]
    deliveries: int
    restarts: int
    seconds: float
    report: Report

    @property
    def repeats(self) -> int:
        return sum(self.report.repeats.values())


@dataclass
class Chaos:
    """One run. `tell` gets one line per fault."""

    faulty: FaultySystem
    seed: int
    tell: Tell
    load: ContractTraffic
    per_fault: int = 400
    faults: Counter[str] = field(default_factory=Counter)
    restarts: int = 0
    running: dict[str, WorkerProcess] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random, self._pace = Random(f"faults {self.seed}"), Random(f"pace {self.seed}")
        self._started = time.monotonic()
        self._workers = 0
        self._fallen: Counter[str] = Counter()

    async def run(self, faults: int) -> None:
        """Break things so many times under load, then mend everything and wait until all is processed."""
        await self.run_these(self._names(faults))

    async def run_these(self, names: Sequence[str]) -> None:
        """`run` with the faults chosen."""
        await self._add_worker()
        for number, name in enumerate(names, 1):
            await self._inject(f"{number}/{len(names)}", name)
        await self._write()
        await self._mend()
        began = time.monotonic()
        await self.faulty.wait_until_processed()
        self.tell(f"{self._elapsed:7.1f} s  processed within {time.monotonic() - began:.1f} s")

    def _names(self, count: int) -> list[str]:
        """Every kind once before any comes again, in an order of the seed's."""
        names: list[str] = []
        while len(names) < count:
            kinds = list(self._kinds())
            self._random.shuffle(kinds)
            names += kinds
        return names[:count]

    def _kinds(self) -> dict[str, Fault]:
        return {
            "kill worker": self._kill_worker,
            "kill worker soon after its start": self._kill_starting_worker,
            "freeze worker briefly": self._freeze_worker_briefly,
            "freeze worker beyond its session": self._freeze_worker_long,
            "restart worker": self._restart_worker,
            "move worker to an empty disk": self._move_worker,
            "add worker": self._add_worker,
            "remove worker": self._remove_worker,
            "kill broker": self._kill_broker,
            "freeze broker": self._freeze_broker,
            "registry away": self._registry_away,
        }

    async def _inject(self, number: str, name: str) -> None:
        began, at = time.monotonic(), self._elapsed
        writing = asyncio.create_task(self._write())
        try:
            await self._some_moment(0.05, SPREAD_S)
            what = await self._kinds()[name]()
        finally:
            await writing
        await self._restart_the_fallen()
        self.faults[name] += 1
        self.tell(f"{at:7.1f} s  fault {number} {name}: {what} ({time.monotonic() - began:.1f} s)")

    async def _write(self) -> None:
        """A share of the load: at once, so that the fault meets a backlog, or spread, so that it meets live traffic."""
        pause_s = self._pace.choice([0.0, 2 * SPREAD_S * CHUNK / self.per_fault])
        for _ in range(0, self.per_fault, CHUNK):
            at = time.time_ns() // 1_000_000
            await self.faulty.write(self.load.batch(CHUNK, at), at)
            await asyncio.sleep(self._pace.uniform(0, pause_s))

    async def _some_moment(self, least_s: float, most_s: float) -> None:
        """Not a wait for anything: the moment at which a fault strikes, and how long it lasts, is the seed's choice."""
        await asyncio.sleep(self._random.uniform(least_s, most_s))

    @property
    def _elapsed(self) -> float:
        return time.monotonic() - self._started

    # --- workers -----------------------------------------------------------------------------------------------------

    async def _kill_worker(self) -> str:
        name = self._some_worker()
        self.running.pop(name).kill()
        return await self._start(name)

    async def _kill_starting_worker(self) -> str:
        """Twice: also while it recovers its tables and before it was ever ready."""
        name = self._some_worker()
        self.running.pop(name).kill()
        self._launch(name)
        await self._some_moment(0.5, 6)
        self.running.pop(name).kill()
        return await self._start(name)

    async def _freeze_worker_briefly(self) -> str:
        return await self._freeze_worker(self._random.uniform(1, 8))

    async def _freeze_worker_long(self) -> str:
        """Another takes over its partitions; when it wakes, what it had in hand must not spoil theirs."""
        if len(self.running) == 1:
            await self._add_worker()
        return await self._freeze_worker(SESSION_S + self._random.uniform(2, 8))

    async def _freeze_worker(self, seconds: float) -> str:
        name = self._some_worker()
        process = self.running[name].process
        process.send_signal(signal.SIGSTOP)
        try:
            await self._some_moment(seconds, seconds)
        finally:
            process.send_signal(signal.SIGCONT)
        return f"{name} for {seconds:.1f} s"

    async def _restart_worker(self) -> str:
        name = self._some_worker()
        code = await asyncio.to_thread(self.running.pop(name).terminate, 60)
        return f"{await self._start(name)}, SIGTERM gave {code}"

    async def _move_worker(self) -> str:
        """Its state must come from the changelog."""
        self.running.pop(self._some_worker()).kill()
        return await self._add_worker()

    async def _add_worker(self) -> str:
        if len(self.running) >= MAX_WORKERS:
            return await self._remove_worker()
        self._workers += 1
        return await self._start(f"w{self._workers}")

    async def _remove_worker(self) -> str:
        if len(self.running) == 1:
            await self._add_worker()
        name = self._some_worker()
        code = await asyncio.to_thread(self.running.pop(name).terminate, 60)
        return f"{name} left with {code}, {len(self.running)} stay"

    async def _start(self, name: str) -> str:
        began = time.monotonic()
        self._fallen.clear()
        self._launch(name)
        await wait_until(lambda: self._is_ready(name), READY_S, f"worker {name} is ready")
        return f"{name} ready after {time.monotonic() - began:.1f} s"

    def _launch(self, name: str) -> None:
        """Start a worker on the disk of that name."""
        self.running[name] = self.faulty.system.launch_worker(name)

    async def _is_ready(self, name: str) -> bool:
        """A worker that ends is started again, as every supervisor would, but not for ever."""
        worker = self.running[name]
        if worker.process.poll() is None:
            return await worker.is_ready()
        self.restarts += 1
        self._fallen[name] += 1
        end = f"{name} ended with {worker.process.returncode}, log {worker.log}"
        assert self._fallen[name] <= MAX_FALLS, f"{end}:\n{worker.log.read_text()[-2000:]}"
        self.tell(f"           {end}")
        self._launch(name)
        return False

    def _some_worker(self) -> str:
        return self._random.choice(sorted(self.running))

    async def _restart_the_fallen(self) -> None:
        for name, worker in list(self.running.items()):
            if worker.process.poll() is not None:
                self.tell(f"           {name} had ended with {worker.process.returncode}")
                self.restarts += 1
                await self._start(name)

    # --- broker and registry -----------------------------------------------------------------------------------------

    async def _kill_broker(self) -> str:
        kafka = self.faulty.kafka
        await asyncio.to_thread(kafka.kill)
        away_s = self._random.choice([0.0, 3.0, 20.0])
        await self._some_moment(away_s, away_s)
        await asyncio.to_thread(kafka.start)
        return f"away for {away_s:.0f} s and its start"

    async def _freeze_broker(self) -> str:
        seconds = self._random.choice([2.0, 8.0, 20.0])
        self.faulty.kafka.freeze()
        try:
            await self._some_moment(seconds, seconds)
        finally:
            self.faulty.kafka.thaw()
        return f"for {seconds:.0f} s"

    async def _registry_away(self) -> str:
        """Ids that are known go on; a worker that starts meanwhile must wait, not give up records."""
        await asyncio.to_thread(self.faulty.registry.kill)
        name = self._some_worker()
        self.running.pop(name).kill()
        self._launch(name)
        await self._some_moment(2, 6)
        await asyncio.to_thread(self.faulty.registry.start)
        await wait_until(lambda: self._is_ready(name), READY_S, f"worker {name} is ready")
        return f"{name} started without it"

    async def _mend(self) -> None:
        await self._restart_the_fallen()
        for name in self.running:
            await wait_until(lambda name=name: self._is_ready(name), READY_S, f"worker {name} is ready")  # type: ignore[misc]


async def run_chaos(directory: Path, seed: int, faults: int, per_fault: int, tell: Tell) -> Outcome:
    """A new installation, so many faults under load, and the comparison with the oracle."""
    began = time.monotonic()
    async with faulty_system(directory, LONG_GRACE) as faulty:
        chaos = Chaos(faulty, seed, tell, ContractTraffic(seed), per_fault)
        await chaos.run(faults)
        report = await faulty.compare()
        tell(f"{time.monotonic() - began:7.1f} s  compared: {len(report.differences)} differences")
        return Outcome(seed, chaos.faults, faulty.written, chaos.restarts, time.monotonic() - began, report)
