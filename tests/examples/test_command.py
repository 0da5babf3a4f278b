"""`streams example`, as its reader types it: print, install, run."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from schemas.topics import CALLS
from tests.support.examples.environments import empty_environment
from tests.support.examples.process import check_example
from tests.support.examples.stack import Stack
from tests.support.processes.gateway import environment

ROOT = Path(__file__).parents[2]


@pytest.fixture
def activate(tmp_path: Path) -> str:
    """What a shell types to use an environment that is empty."""
    return f". {shlex.quote(str(empty_environment(tmp_path / 'venv')))}"


@pytest.fixture
def start(stack: Stack, activate: str, tmp_path: Path) -> str:
    """The line that starts the program, printed and installed in `tmp_path` before by the lines that it names."""
    command = f"{shlex.join([sys.executable, '-m', 'streams', 'example', 'python', 'calls'])} > consumer.py"
    environ = environment({**stack.environ, "PYTHONPATH": str(ROOT)})
    printed = subprocess.run(command, shell=True, cwd=tmp_path, env=environ, capture_output=True, text=True, check=True)
    [_, install, start] = printed.stderr.splitlines()
    subprocess.run(f"{activate} && {install}", shell=True, cwd=tmp_path, env=environment({}), check=True)
    return start


async def test_the_printed_program_runs_as_it_is_after_the_line_that_it_names(
    stack: Stack, activate: str, start: str, tmp_path: Path
) -> None:
    await check_example(stack, CALLS, ["sh", "-c", f"{activate} && exec {start}"], tmp_path, environ={})
