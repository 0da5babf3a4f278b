"""An empty environment for each example in Python, filled from nothing but its own requirements."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

OURS = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


class Environments:
    """Environments by the text of their requirements: equal requirements share one. Installs side by side."""

    def __init__(self, directory: Path, requirements: Iterable[Path]) -> None:
        """Starts to install all of them below `directory`."""
        self._pool = ThreadPoolExecutor(max_workers=os.cpu_count())
        self._pythons: dict[str, Future[Path]] = {}
        for path in requirements:
            text = path.read_text()
            if text not in self._pythons:
                self._pythons[text] = self._pool.submit(_install, directory / path.stem, path)

    def python(self, requirements: Path) -> Path:
        """The interpreter that has just these. Waits. Raises: AssertionError with what pip said."""
        return self._pythons[requirements.read_text()].result()

    def close(self) -> None:
        """Wait for what is being installed."""
        self._pool.shutdown(cancel_futures=True)


def empty_environment(directory: Path) -> Path:
    """Make one there; returns the script that a shell sources."""
    _run(sys.executable, "-m", "venv", str(directory))
    return directory / "bin" / "activate"


def _install(directory: Path, requirements: Path) -> Path:
    python = empty_environment(directory).with_name("python")
    _run(str(python), "-m", "pip", "install", "--quiet", "--no-compile", "-r", str(requirements))
    return python


def _run(*command: str) -> None:
    environ = {name: value for name, value in os.environ.items() if name not in OURS}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout}{done.stderr}"
