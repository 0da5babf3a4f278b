"""The running system: what starts after what, when it is ready, and how it ends."""

import asyncio
import shlex
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import urlsplit

from schemas.topics import CALL_COMPLETION_PATH
from streams.local.console import Console
from streams.local.errors import NotStartedError, RoleRefusedError
from streams.local.process import last_lines
from streams.local.reaper import Reaper
from streams.local.roles import Endpoints, Roles
from streams.local.supervisor import REFUSALS, Child, Program, describe_exit, run_to_end

SERVICES_TIMEOUT_S = 120.0  # 6 s on two idle cores; 40 s were seen on busy ones
TOPICS_TIMEOUT_S = 90.0
ROLES_TIMEOUT_S = 120.0
POLL_S = 0.1

# SIGKILL after this long. Broker and registry end side by side, so all is over after 20 s.
STOP_TIMEOUT_S = {"demo": 3.0, "gateway": 5.0, "worker": 6.0, "monitor": 3.0, "kafka": 5.0, "registry": 5.0}

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class System:
    """Everything `up` runs, for one `run`."""

    def __init__(
        self,
        services: Sequence[Program],
        roles: Roles,
        endpoints: Endpoints,
        reaper: Reaper,
        console: Console,
        env_file: Path,
    ) -> None:
        self._topics = roles.topics
        self._endpoints = endpoints
        self._reaper = reaper
        self._console = console
        self._env_file = env_file
        self._services = [self._child(service) for service in services]
        self._serving = [self._child(role) for role in roles.serving]
        self._demo = [self._child(role) for role in roles.demo]
        self._signalled = asyncio.Event()
        self._hurry = asyncio.Event()
        self._failed = asyncio.Event()
        self._failure: BaseException | None = None

    async def run(self) -> None:
        """Start all, then wait for SIGINT, SIGTERM, SIGHUP or a failure, which is raised; stop all in either case.

        A second signal ends at once what is still stopping.
        Raises: NotStartedError, RoleRefusedError, and what preparing a service raises.
        """
        for number in SIGNALS:
            if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN:  # nohup means what it says
                asyncio.get_running_loop().add_signal_handler(number, self._on_signal)
        try:
            await self._live()
        finally:
            await self._stop_all()

    async def _live(self) -> None:
        starting = asyncio.create_task(self._start())
        ends = [asyncio.create_task(event.wait()) for event in (self._signalled, self._failed)]
        starting.add_done_callback(lambda task: None if task.cancelled() else self._fail(task.exception()))
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        for task in (starting, *ends):
            task.cancel()
        await asyncio.wait((starting, *ends))
        if self._failure is not None:
            raise self._failure

    async def _start(self) -> None:
        began_at = time.monotonic()
        await self._start_children(self._services, SERVICES_TIMEOUT_S)
        await self._apply_topics()
        await self._start_children(self._serving, ROLES_TIMEOUT_S)
        self._say_and_start(self._demo)  # not waited for: it may have finished already
        self._console.say(f"started in {time.monotonic() - began_at:.1f} s; Ctrl-C stops all, the data stay")
        for line in self._addresses():
            self._console.say(line)
        self._console.say("ready")
        self._console.say(f"subscribe: {_in_a_shell(self._env_file)} && {program_as_typed()} tail calls")

    async def _start_children(self, children: Sequence[Child], timeout_s: float) -> None:
        """Start them side by side; return when all are ready at the same time."""
        self._say_and_start(children)
        began_at = time.monotonic()
        said: set[str] = set()
        while True:
            ready = {child.name for child in children if await child.is_ready()}
            for name in sorted(ready - said):
                self._console.say(f"  {name} is ready after {time.monotonic() - began_at:.1f} s")
            said |= ready
            unready = [child for child in children if child.name not in ready]
            if not unready:
                return
            if time.monotonic() - began_at > timeout_s:
                raise NotStartedError(_not_ready(unready, timeout_s))
            await asyncio.sleep(POLL_S)

    def _say_and_start(self, children: Sequence[Child]) -> None:
        if children:
            self._console.say(f"starting {', '.join(child.name for child in children)}")
        for child in children:
            child.start()

    async def _apply_topics(self) -> None:
        """Declare every topic and schema before a role needs one.

        Raises: RoleRefusedError, NotStartedError; it runs once, as broker and registry are ready.
        """
        topics = self._topics
        self._console.say("applying topics and schemas")
        exit_code = await run_to_end(topics.command(), self._reaper, TOPICS_TIMEOUT_S)
        if exit_code == 0:
            return
        how = f"did not end within {TOPICS_TIMEOUT_S:.0f} s" if exit_code is None else describe_exit(exit_code)
        message = (
            f"topics could not be applied: {how}. The log, {topics.log_path}, ends:\n{last_lines(topics.log_path)}"
        )
        raise RoleRefusedError(message, exit_code) if exit_code in REFUSALS else NotStartedError(message)

    async def _stop_all(self) -> None:
        self._console.say("stopping")
        for child in (*self._demo, *self._serving):
            await self._stop_child(child)
        await asyncio.gather(*(self._stop_child(child) for child in self._services))
        self._console.say("stopped")

    async def _stop_child(self, child: Child) -> None:
        await child.stop(STOP_TIMEOUT_S.get(child.name, 1.0), self._hurry)

    def _child(self, program: Program) -> Child:
        return Child(program, self._reaper, self._console, self._fail)

    def _fail(self, failure: BaseException | None) -> None:
        if failure is not None and self._failure is None:
            self._failure = failure
            self._failed.set()

    def _on_signal(self) -> None:
        if self._signalled.is_set():
            self._hurry.set()
        self._signalled.set()

    def _addresses(self) -> list[str]:
        to = self._endpoints
        gateway, ops = _origin(to.gateway_host, to.gateway_port), _origin(to.gateway_host, to.gateway_ops_port)
        return [
            f"  POST callbacks to   {gateway}{CALL_COMPLETION_PATH}",
            f"  gateway health      {ops}/readyz, {ops}/metrics",
            f"  worker health       {_origin('127.0.0.1', to.streams_ops_port)}/readyz",
            f"  monitor             {_origin(to.monitor_host, to.monitor_port)}/",
            f"  bootstrap servers   {to.bootstrap_servers}",
            f"  schema registry     {_without_credentials(to.registry_url)}",
            f"  tools in a shell    {_in_a_shell(self._env_file)}",
        ]


def _not_ready(children: Sequence[Child], timeout_s: float) -> str:
    endings = [
        f"{child.name}: its log, {child.program.log_path}, ends:\n{last_lines(child.program.log_path)}"
        for child in children
    ]
    names = ", ".join(child.name for child in children)
    return "\n".join((f"not ready after {timeout_s:.0f} s: {names}", *endings))


def _origin(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def program_as_typed() -> str:
    """How this program was started, without its arguments: `python -m streams`, or the path of the console script."""
    typed = sys.orig_argv
    words = typed[: typed.index("-m") + 2] if "-m" in typed else [_as_typed(Path(sys.argv[0]))]
    return shlex.join(words)


def _in_a_shell(env_file: Path) -> str:
    """The line that gives a shell the addresses of this system."""
    return f". {shlex.quote(_as_typed(env_file))}"


def _as_typed(path: Path) -> str:
    """The path as a reader in the same directory would type it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _without_credentials(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
