"""What the local broker and the local registry have in common: prepare, start, wait until ready, stop."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from abc import ABC, abstractmethod
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.local.errors import NotReadyError
from streams.local.process import POLL_S, Command, last_lines, signal_group, spawn, stop_process
from streams.local.reaper import Reaper

START_TIMEOUT_S = 90.0  # 3 to 10 s on an idle machine; a busy one with two cores has needed 40
STOP_TIMEOUT_S = 15.0


class LocalService(ABC):
    """A server of the local system. All methods block; none is safe to call from two threads at once.

    The launcher asks only for `prepare`, `command` and `is_ready` and runs the process itself. Tests use the rest,
    and nothing outlives a test run that is killed.
    """

    name: str
    may_finish = False
    """A server that ends has died, whatever its exit code."""

    def __init__(self, data_dir: Path, port: int, log_path: Path | None = None) -> None:
        self.data_dir = data_dir.resolve()
        self.port = port
        self.log_path = log_path if log_path is not None else self.data_dir / f"{self.name}.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._reaper: Reaper | None = None

    @abstractmethod
    def prepare(self) -> None:
        """Make what the process needs on disk; quick when it is there already.

        Raises: LocalError.
        """

    @abstractmethod
    def command(self) -> Command:
        """How to run it, once prepared."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether a client would be served now."""

    @property
    def pid(self) -> int:
        """Of the process started last."""
        return self._started().pid

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self, timeout_s: float = START_TIMEOUT_S) -> None:
        """Start it and return when it is ready, on the same port and the same data as before.

        Raises: NotReadyError with the last log lines; nothing is left running then.
        """
        if self.running:
            return
        self.prepare()
        self._reaper = self._reaper if self._reaper is not None else Reaper()
        self._process = spawn(self.command())
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
            stop_process(self._process, timeout_s)
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

    def _not_ready(self, what: str) -> NotReadyError:
        return NotReadyError(f"{self.name} {what}. Its log, {self.log_path}, ends:\n{last_lines(self.log_path)}")
