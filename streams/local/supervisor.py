"""Keep one program running: start it, say when it dies, start it again later and later, stop it in good order."""

import asyncio
import signal
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from streams.local.console import Console
from streams.local.errors import DATA_REMEDY, EXIT_CONFIG, EXIT_USAGE, RoleRefusedError, disk_error
from streams.local.process import Command, last_lines, set_aside_large, signal_group, spawn
from streams.local.reaper import Reaper

FIRST_DELAY_S = 0.5
LONGEST_DELAY_S = 30.0
LOG_CHECK_S = 10.0
# A program that lived this long has started well: its next death counts as the first.
STABLE_AFTER_S = 60.0

REFUSALS = frozenset({EXIT_CONFIG, EXIT_USAGE})


class Program(Protocol):
    """What can be kept running: LocalKafka, LocalRegistry, or a Role."""

    @property
    def name(self) -> str: ...

    @property
    def log_path(self) -> Path: ...

    @property
    def may_finish(self) -> bool:
        """Whether exit code 0 is the end of it, and not a death."""

    def prepare(self) -> None:
        """Called before every start, in a thread."""

    def command(self) -> Command: ...

    def is_ready(self) -> bool:
        """Called often, in a thread."""


@dataclass(slots=True)
class Backoff:
    """Doubling delays between FIRST_DELAY_S and LONGEST_DELAY_S."""

    _next_s: float = FIRST_DELAY_S

    def next_delay_s(self, alive_s: float) -> float:
        """How long to wait after a death at the age of `alive_s`."""
        if alive_s >= STABLE_AFTER_S:
            self._next_s = FIRST_DELAY_S
        delay_s = self._next_s
        self._next_s = min(2 * delay_s, LONGEST_DELAY_S)
        return delay_s


class Child:
    """A program and the process that is running it now, if any.

    `on_failure` gets what ends the whole system: RoleRefusedError, or a LocalError or OSError of a start.
    """

    def __init__(
        self, program: Program, reaper: Reaper, console: Console, on_failure: Callable[[BaseException], None]
    ) -> None:
        self.program = program
        self._reaper = reaper
        self._console = console
        self._on_failure = on_failure
        self._process: asyncio.subprocess.Process | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def name(self) -> str:
        return self.program.name

    def start(self) -> None:
        self._task = asyncio.create_task(self._run(), name=self.name)

    async def is_ready(self) -> bool:
        """Whether our own process runs and serves; another that answers in its place does not count."""
        return self._process is not None and await asyncio.to_thread(self.program.is_ready)

    async def stop(self, timeout_s: float, hurry: asyncio.Event) -> None:
        """SIGTERM, then SIGKILL after `timeout_s` or as soon as `hurry` is set; never started again. Repeat: safe."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        if (process := self._process) is None:
            return
        signal_group(process.pid, signal.SIGTERM)
        await _first_of(process.wait(), hurry.wait(), timeout_s=timeout_s)
        if process.returncode is None:
            self._console.say(f"{self.name} did not end in time and is killed")
        await self._bury(process)

    async def _run(self) -> None:
        try:
            await self._keep_running()
        except OSError as error:
            self._on_failure(disk_error(error, self.program.log_path.parent, DATA_REMEDY))
        except Exception as error:
            self._on_failure(error)

    async def _keep_running(self) -> None:
        backoff = Backoff()
        while True:
            await asyncio.to_thread(self.program.prepare)
            started_at = time.monotonic()
            exit_code = await self._run_once()
            if exit_code in REFUSALS:
                raise self._refused(exit_code)
            if exit_code == 0 and self.program.may_finish:
                return self._console.say(f"{self.name} has finished")
            alive_s = time.monotonic() - started_at
            delay_s = backoff.next_delay_s(alive_s)
            self._console.say(
                f"{self.name} died after {alive_s:.0f} s with {describe_exit(exit_code)}; "
                f"starting it again in {delay_s:g} s (its log: {self.program.log_path})"
            )
            await asyncio.sleep(delay_s)

    async def _run_once(self) -> int:
        process = self._process = await spawn(self.program.command())
        self._reaper.register(process.pid)
        bounding = asyncio.create_task(self._bound_log())
        try:
            exit_code = await process.wait()
        finally:
            bounding.cancel()
        await self._bury(process)
        return exit_code

    async def _bound_log(self) -> None:
        while True:
            await asyncio.sleep(LOG_CHECK_S)
            with suppress(OSError):  # a full disk: the next check tries again
                await asyncio.to_thread(set_aside_large, self.program.log_path)

    async def _bury(self, process: asyncio.subprocess.Process) -> None:
        """End what is left of its group, and forget it."""
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        self._reaper.unregister(process.pid)
        self._process = None

    def _refused(self, exit_code: int) -> RoleRefusedError:
        log_path = self.program.log_path
        ending = f"Its log, {log_path}, ends:\n{last_lines(log_path)}"
        return RoleRefusedError(f"{self.name} refused to start with exit code {exit_code}. {ending}", exit_code)


def describe_exit(exit_code: int) -> str:
    """`exit code 3`, or `SIGKILL` when a signal ended it."""
    if exit_code >= 0:
        return f"exit code {exit_code}"
    with suppress(ValueError):
        return signal.Signals(-exit_code).name
    return f"signal {-exit_code}"


async def run_to_end(command: Command, reaper: Reaper, timeout_s: float) -> int | None:
    """Exit code of a program that runs once; None when it had to be killed after `timeout_s`."""
    process = await spawn(command)
    reaper.register(process.pid)
    try:
        async with asyncio.timeout(timeout_s):
            return await process.wait()
    except TimeoutError:
        return None
    finally:
        signal_group(process.pid, signal.SIGKILL)
        await process.wait()
        reaper.unregister(process.pid)


async def _first_of(*waits: Coroutine[Any, Any, object], timeout_s: float) -> None:
    """Until one of them is done or the time is up; the others are cancelled."""
    tasks = [asyncio.create_task(wait) for wait in waits]
    await asyncio.wait(tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
