"""One run of one runner: start it on a topic that is full already, clock it, and look at what it left."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psutil

from streams.local.process import Command, last_lines, signal_group
from streams.local.reaper import Reaper
from tests.benchmarks.peers.broker import Broker
from tests.benchmarks.peers.checks import faults_in, is_final
from tests.benchmarks.peers.job import Input, Job
from tests.benchmarks.peers.runners import Runner
from tests.benchmarks.peers.work import Place, SchemaIds
from tests.support.processes.service import run_command

POLL_S = 0.1
MAX_FROZEN_S = 8.0  # ours ends itself after 10 s, and some groups give up a silent member after as long
COMPLETE_S = 30  # how long after the last commit outputs may still appear before the run has failed


@dataclass
class Run:
    """One measured run. `fault` says why it does not count; then the figures mean nothing."""

    runner: str
    repetition: int
    callbacks: int = 0
    seconds: float = 0.0
    cpu_s: float = 0.0
    rss_mib: float = 0.0
    fault: str = ""

    @property
    def per_s(self) -> float:
        """Callbacks a second."""
        return self.callbacks / self.seconds

    def as_dict(self) -> dict[str, Any]:
        """For the file of results."""
        return {**asdict(self), "callbacks_per_s": None if self.fault else self.per_s}


class RunFailedError(Exception):
    """A run that does not count, and why."""


@dataclass
class Bench:
    """Broker, registry and job of one session."""

    broker: Broker
    registry_url: str
    ids: SchemaIds
    job: Job
    directory: Path
    warm_up: int
    limit_s: float = 900.0

    def run(self, runner: Runner, repetition: int, callbacks: int, processes: int = 1) -> Run:
        """Measure once. A failure is in the result, never raised."""
        warm_up, callbacks = runner.sizes(self.warm_up, callbacks)
        run = Run(runner.name, repetition, callbacks)
        group = f"{runner.name}-{repetition}-{os.getpid()}"
        reads = [topic.format(group=group) for topic in runner.reads]
        self.broker.fresh_topics(group)
        self.broker.fill(self.job.inputs[:warm_up])
        team = Team(self, runner, group, processes)
        try:
            team.wait(lambda: self.broker.is_processed(group, reads) and self.broker.groups.members(group) >= processes)
            self._fill_behind_its_back(team, self.job.inputs[warm_up : warm_up + callbacks])
            self._clock(run, team, lambda: self.broker.is_processed(group, reads))
            self._check(run, runner, warm_up + callbacks)
        except RunFailedError as failure:
            run.fault = str(failure) + team.last_words()
        finally:
            team.kill()
        return run

    def _fill_behind_its_back(self, team: Team, inputs: list[Input]) -> None:
        """Write the input while the runner, warm and idle, stands still: it finds all of it when it goes on."""
        started = time.monotonic()
        team.freeze()
        self.broker.fill(inputs)
        if (seconds := time.monotonic() - started) > MAX_FROZEN_S:
            raise RunFailedError(f"writing the input took {seconds:.0f} s, which its group may not have waited for")

    def _clock(self, run: Run, team: Team, done: Callable[[], bool]) -> None:
        """From the moment it may go on to the commit of the last record of the last topic."""
        cpu, started = team.cpu_s(), time.monotonic()
        team.thaw()
        team.wait(done)
        run.seconds = time.monotonic() - started
        run.cpu_s = team.cpu_s() - cpu
        run.rss_mib = team.rss_mib()

    def _check(self, run: Run, runner: Runner, total: int) -> None:
        """Everything must be there. What appears only after the commit is waited for, on the clock."""
        expected = self.job.expected(total, windows=runner.windows)
        committed_at = time.monotonic()
        while True:
            looked_at = time.monotonic()
            faults = faults_in(self.broker.found(), expected)
            if not faults:
                run.seconds += looked_at - committed_at
                return
            if is_final(faults) or time.monotonic() > committed_at + COMPLETE_S:
                raise RunFailedError("; ".join(faults))


class Team:
    """The processes of one run, each with a directory of its own."""

    def __init__(self, bench: Bench, runner: Runner, group: str, size: int) -> None:
        self._deadline = time.monotonic() + bench.limit_s
        self._processes: list[tuple[subprocess.Popen[bytes], Path]] = []
        self._reaper = Reaper()  # a benchmark that is killed leaves nobody behind
        for number in range(size):
            place = Place(bench.broker.bootstrap, group, bench.directory / f"{group}-{number}", bench.ids)
            place.directory.mkdir()
            log = place.directory / "log"
            environ = {**place.environ(), **runner.environ(place, bench.registry_url)}
            command = Command(runner.name, tuple(runner.argv(place)), log, environ)
            self._processes.append((run_command(command), log))
            self._reaper.register(self._processes[-1][0].pid)

    def freeze(self) -> None:
        """Let them stand still."""
        for process, _ in self._processes:
            signal_group(process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        for process, _ in self._processes:
            signal_group(process.pid, signal.SIGCONT)

    def wait(self, done: Callable[[], bool]) -> None:
        """Wait until something is done. Raises: RunFailedError when a process ends or the time is up."""
        while not done():
            if any(process.poll() is not None for process, _ in self._processes):
                raise RunFailedError("the runner ended")
            if time.monotonic() > self._deadline:
                raise RunFailedError("not done in time")
            time.sleep(POLL_S)

    def cpu_s(self) -> float:
        """CPU seconds that all have used, their children included."""
        try:
            return float(sum(sum(process.cpu_times()[:2]) for process in self._all()))
        except psutil.NoSuchProcess:
            raise RunFailedError("the runner ended") from None

    def rss_mib(self) -> float:
        """Resident memory of all."""
        return float(sum(process.memory_info().rss for process in self._all()) / 2**20)

    def last_words(self) -> str:
        """How and with which last lines those ended that ended by themselves."""
        ended = [(process, log) for process, log in self._processes if process.poll() is not None]
        return "".join(f" (exit code {process.returncode})\n{last_lines(log)}" for process, log in ended)

    def kill(self) -> None:
        """End all at once."""
        for process, _ in self._processes:
            signal_group(process.pid, signal.SIGKILL)
            process.wait()
            self._reaper.unregister(process.pid)
        self._reaper.close()

    def _all(self) -> list[psutil.Process]:
        parents = [psutil.Process(process.pid) for process, _ in self._processes]
        return [process for parent in parents for process in (parent, *parent.children(recursive=True))]
