"""The command blocks of a README, and a shell that runs them as a reader does."""

from __future__ import annotations

import os
import re
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>sh|python)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
FIRST_LINE_S = 30.0
END_S = 15.0
OWN_END_S = 3.0
LAST_LINES = 40


class Block(NamedTuple):
    """One fenced block; `line` is where it begins."""

    language: str
    text: str
    line: int


class BlockError(AssertionError):
    """A block did not do what the README says."""


def blocks_of(markdown: str) -> list[Block]:
    """The blocks that can be run, in order."""
    found = []
    for match in FENCE.finditer(markdown):
        lines = (line.removeprefix(match["indent"]) for line in match["text"].splitlines())
        found.append(Block(match["language"], "\n".join(lines), markdown.count("\n", 0, match.start()) + 1))
    return found


class Shell:
    """One bash with `set -e`; variables, functions and jobs last from block to block. Use as a context manager."""

    def __init__(self, directory: Path, environ: Mapping[str, str], scratch: Path) -> None:
        """directory: where it starts. scratch: where blocks and outputs are kept."""
        self._directory, self._scratch = directory, scratch
        scratch.mkdir()
        self._done, done = os.pipe()
        self._output = (scratch / "output").open("wb")
        self._bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=directory,
            env={**environ, "DONE_FD": str(done)},
            stdin=subprocess.PIPE,
            stdout=self._output,
            stderr=subprocess.STDOUT,
            pass_fds=[done],
            process_group=0,
        )
        os.close(done)
        self._send("set -e")

    def __enter__(self) -> Shell:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            with suppress(BrokenPipeError):
                self._bash.communicate(timeout=END_S)
        except subprocess.TimeoutExpired:
            self._kill()
        os.close(self._done)
        self._output.close()

    def run(self, block: Block, limit_s: float) -> str:
        """Run a block; what it printed. Raises: BlockError with the block and its output."""
        began = self._size()
        if block.language == "python":
            return self._run_python(block, limit_s)
        script = self._scratch / f"{block.line}.sh"
        script.write_text(block.text + "\n")
        self._send(f". {shlex.quote(str(script))} </dev/null", "echo >&$DONE_FD")
        ended = bool(select.select([self._done], [], [], limit_s)[0])
        if not ended or not os.read(self._done, 1):
            why = "failed" if ended else f"did not end within {limit_s:.0f} s"
            if not ended:
                self._kill()
            raise BlockError(f"line {block.line} {why}:\n{block.text}\n--- output ---\n{_ending(self._since(began))}")
        return self._since(began)

    def environ(self) -> dict[str, str]:
        """The variables that the shell exports now."""
        path = self._scratch / "environ"
        self.run(Block("sh", f"env -0 > {shlex.quote(str(path))}", 0), END_S)
        pairs = (pair.partition("=") for pair in path.read_text().rstrip("\0").split("\0"))
        return {name: value for name, _, value in pairs if name != "DONE_FD"}

    def _run_python(self, block: Block, limit_s: float) -> str:
        """Run a program until it ends, or until its first line of output: a reader ends it by Ctrl-C then."""
        program, output = self._scratch / f"{block.line}.py", self._scratch / f"{block.line}.out"
        program.write_text(block.text + "\n")
        environ = {**self.environ(), "PYTHONUNBUFFERED": "1"}
        with output.open("wb") as file:
            command = [_which("python", environ), str(program)]
            process = subprocess.Popen(command, cwd=self._directory, env=environ, stdout=file, stderr=file)
        until = time.monotonic() + min(limit_s, FIRST_LINE_S)
        while process.poll() is None and b"\n" not in output.read_bytes() and time.monotonic() < until:
            time.sleep(0.1)
        with suppress(subprocess.TimeoutExpired):  # one that ends by itself is not interrupted on its way
            process.wait(OWN_END_S)
        is_interrupted = process.poll() is None
        if is_interrupted:
            process.send_signal(signal.SIGINT)
        try:
            code = process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        printed = output.read_text(errors="replace")
        said = printed.partition("Traceback")[0].strip()
        is_fine = code == 0 or (is_interrupted and printed.rstrip().endswith("KeyboardInterrupt"))
        if not (said and is_fine):
            raise BlockError(f"line {block.line} ended with {code}:\n{block.text}\n--- output ---\n{_ending(printed)}")
        return printed

    def _kill(self) -> None:
        """End the shell and what it has started."""
        os.killpg(self._bash.pid, signal.SIGKILL)
        self._bash.wait()

    def _send(self, *lines: str) -> None:
        assert self._bash.stdin is not None
        with suppress(BrokenPipeError):  # it has ended, which `run` finds out
            self._bash.stdin.write("".join(f"{line}\n" for line in lines).encode())
            self._bash.stdin.flush()

    def _size(self) -> int:
        return (self._scratch / "output").stat().st_size

    def _since(self, start: int) -> str:
        return (self._scratch / "output").read_bytes()[start:].decode(errors="replace")


def _ending(output: str) -> str:
    """What is shown of an output."""
    return "\n".join(output.splitlines()[-LAST_LINES:])


def _which(program: str, environ: Mapping[str, str]) -> str:
    found = next((path for part in environ["PATH"].split(":") if (path := Path(part) / program).is_file()), None)
    assert found, f"no {program} in {environ['PATH']}"
    return str(found)
