"""Broker and registry as processes of a test: started, stopped, killed, frozen, started again on the same data.

Nothing outlives a test run that is killed. Java starts only in a test with the marker `broker`: see tests/conftest.py.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streams.local.errors import NotStartedError
from streams.local.kafka import LocalKafka
from streams.local.process import POLL_S, Command, last_lines, open_log, popen_options, signal_group
from streams.local.reaper import Reaper
from streams.local.registry import LocalRegistry
from streams.local.service import LocalService

START_TIMEOUT_S = 90.0  # 3 to 10 s on an idle machine; a busy one with two cores has needed 40
STOP_TIMEOUT_S = 15.0


class JavaIsNotMeant(RuntimeError):
    """A test without the marker `broker` starts a broker or a registry."""


class ServiceProcess(LocalService):
    """Use as a context manager. All methods block; none is safe to call from two threads at once."""

    is_allowed = True
    """Whether the test that runs now may start Java; set by tests/conftest.py."""

    def __init__(self, data_dir: Path, port: int, log_path: Path | None = None) -> None:
        super().__init__(data_dir, port, log_path)
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: Reaper | None = None

    @property
    def pid(self) -> int:
        """Of the process started last."""
        return self._started().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and return when it is ready, on the same port and the same data as before.

        Raises: NotStartedError with the last log lines; nothing is left running then. JavaIsNotMeant.
        """
        if self.running:
            return
        if not ServiceProcess.is_allowed:
            raise JavaIsNotMeant(f"{self.name}: this test has not the marker `broker`")
        self.prepare()
        self._reaper = self._reaper if self._reaper is not None else Reaper()
        self._process = run_command(self.command())
        self._reaper.register(self.pid)
        try:
            self._wait_until_ready(timeout_s)
        except BaseException:
            self.kill()
            self.stop()
            raise

    def stop(self, timeout_s: float = STOP_TIMEOUT_S) -> None:
        """End it in good order; by SIGKILL after `timeout_s`. Repeat: safe."""
        if self._process is not None:
            _stop(self._process, timeout_s)
        if self._reaper is not None:
            self._reaper.unregister(self.pid)
            self._reaper.close()
            self._reaper = None

    def kill(self) -> None:
        """End it as a power cut would, by SIGKILL. Repeat: safe."""
        if self._process is not None:
            signal_group(self._process.pid, signal.SIGKILL)
            self._process.wait()
            if self._reaper is not None:
                self._reaper.unregister(self._process.pid)

    def freeze(self) -> None:
        """Stop it from running (SIGSTOP): connections stay open and nothing answers."""
        os.killpg(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """Undo `freeze`."""
        os.killpg(self.pid, signal.SIGCONT)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _wait_until_ready(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        process = self._started()
        while not self.is_ready():
            if process.poll() is not None:
                raise self._not_ready(f"ended with exit code {process.returncode} while starting")
            if time.monotonic() > deadline:
                raise self._not_ready(f"was not ready after {timeout_s:.0f} s")
            time.sleep(POLL_S)

    def _started(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _not_ready(self, what: str) -> NotStartedError:
        return NotStartedError(f"{self.name} {what}. Its log, {self.log_path}, ends:\n{last_lines(self.log_path)}")


def run_command(command: Command) -> subprocess.Popen[bytes]:
    """`streams.local.process.spawn` without an event loop."""
    with open_log(command) as log:
        return subprocess.Popen(command.argv, stdout=log, **popen_options(command))


def _stop(process: subprocess.Popen[Any], timeout_s: float) -> None:
    """SIGTERM, at most `timeout_s` to end, then SIGKILL to what is left of its group. Repeat: safe."""
    if process.poll() is None:
        signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    signal_group(process.pid, signal.SIGKILL)
    process.wait()


class KafkaProcess(LocalKafka, ServiceProcess):
    """The product's own broker."""


class RegistryProcess(LocalRegistry, ServiceProcess):
    """The product's own registry."""
