"""`python -m streams up` as its user runs it: a process on free ports, with its output."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil

from tests.support.waiting import wait_until_true

READY_S = 120
URLS = {
    "post": r"POST callbacks to +(\S+)",
    "monitor": r"  monitor +(http\S+)",
    "bootstrap": r"bootstrap servers +(\S+)",
    "registry": r"schema registry +(\S+)",
}


class Up:
    """One running `streams up`, on free ports."""

    def __init__(self, data_dir: Path, environ: dict[str, str] | None = None, *, demo: bool = False) -> None:
        """environ: of the shell that starts it; by default one without addresses."""
        self._log = data_dir.with_suffix(f".{len(list(data_dir.parent.glob('*.out')))}.out")
        ports = [f"--{name}-port=0" for name in ("kafka", "registry", "gateway", "gateway-ops", "monitor")]
        command = [sys.executable, "-m", "streams", "up", f"--data-dir={data_dir}", *ports, *["--demo"] * demo]
        plain = {k: v for k, v in os.environ.items() if not k.startswith(("KAFKA_", "SCHEMA_"))}
        with self._log.open("wb") as output:
            self.process = subprocess.Popen(command, env=environ or plain, stdout=output, stderr=output)

    def wait_until_ready(self) -> None:
        def ready() -> bool:
            assert self.process.poll() is None, f"up ended with {self.process.returncode}:\n{self.output}"
            return "ready" in self.output.splitlines()

        wait_until_true(ready, READY_S, "the line `ready`")

    @property
    def output(self) -> str:
        return self._log.read_text()

    def url(self, name: str) -> str:
        found = re.search(URLS[name], self.output)
        assert found, f"{name} not in:\n{self.output}"
        return found.group(1)

    def role(self, *words: str) -> psutil.Process:
        """The child whose command line ends in these words."""
        children = psutil.Process(self.process.pid).children(recursive=True)
        [found] = [child for child in children if child.cmdline()[-len(words) :] == list(words)]
        return found

    def gateway(self, *arguments: str) -> str:
        """Run `python -m gateway ARGUMENTS` against this instance; what it printed."""
        command = [sys.executable, "-m", "gateway", *arguments, "--url", self.url("post")]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
        return done.stdout

    def stop(self, number: int = signal.SIGINT) -> int:
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(60)


def sourced(data_dir: Path) -> dict[str, str]:
    """The environment of a shell that has sourced what `up` wrote for the tools."""
    script = f". {shlex.quote(str(data_dir / 'env'))} && env -0"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    return dict(pair.split("=", 1) for pair in done.stdout.rstrip("\0").split("\0"))
