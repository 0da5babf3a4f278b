"""Child processes: each in a process group of its own, its output in a file, ended with all that it started."""

import asyncio
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

# A log file larger than this is set aside as `<name>.log.1`, of which there is one.
LOG_LIMIT_BYTES = 50 * 1024 * 1024

POLL_S = 0.05
TAIL_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Command:
    """What to run; `environment` is added to ours and may hold secrets, hence not in the repr."""

    name: str
    argv: tuple[str, ...]
    log_path: Path
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    working_dir: Path | None = None


async def spawn(command: Command) -> asyncio.subprocess.Process:
    """Start `command`, its standard output and error appended to its log.

    Raises: OSError when the program or the log cannot be opened.
    """
    with open_log(command) as log:
        return await asyncio.create_subprocess_exec(*command.argv, stdout=log, **popen_options(command))


def open_log(command: Command) -> BinaryIO:
    """The command's log, to append to; a large one is set aside first."""
    command.log_path.parent.mkdir(parents=True, exist_ok=True)
    set_aside_large(command.log_path)
    return command.log_path.open("ab")


def set_aside_large(log_path: Path) -> None:
    """Bound a log that a process may be appending to: a line written in between can be lost. Raises: OSError."""
    with suppress(FileNotFoundError):
        if log_path.stat().st_size > LOG_LIMIT_BYTES:
            shutil.copyfile(log_path, log_path.with_name(log_path.name + ".1"))
            os.truncate(log_path, 0)  # a process that has it open to append goes on at the new end


def popen_options(command: Command) -> dict[str, Any]:
    """How its process is made: no input, errors among the output, a process group of its own."""
    return {
        "stdin": subprocess.DEVNULL,
        "stderr": subprocess.STDOUT,
        "env": {**os.environ, **command.environment},
        "cwd": command.working_dir,
        # Ctrl-C on the terminal reaches only the launcher, which then stops all in order
        "process_group": 0,
    }


def signal_group(group_id: int, number: signal.Signals) -> None:
    """Send a signal to a child and all it started; nothing happens when they are gone."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies only
        os.killpg(group_id, number)


def last_lines(log_path: Path, count: int = 15) -> str:
    """The end of a log, indented, for an error message; says so when there is nothing."""
    try:
        with log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (no output)"
