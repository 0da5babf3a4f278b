"""Child processes: each in a process group of its own, its output in a file, ended with all that it started."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

LOG_LIMIT_BYTES = 50 * 1024 * 1024
"""A log file larger than this is set aside as `<name>.log.1` when its process starts again."""

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


def spawn(command: Command) -> subprocess.Popen[bytes]:
    """Start `command`, its standard output and error appended to its log.

    Own process group: Ctrl-C on the terminal reaches only the launcher, which then stops all in order.
    Raises: OSError when the program or the log cannot be opened.
    """
    command.log_path.parent.mkdir(parents=True, exist_ok=True)
    _set_aside_if_large(command.log_path)
    with command.log_path.open("ab") as log:
        return subprocess.Popen(
            command.argv,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**os.environ, **command.environment},
            cwd=command.working_dir,
            process_group=0,
        )


def signal_group(group_id: int, number: signal.Signals) -> None:
    """Send a signal to a child and all it started; nothing happens when they are gone."""
    with suppress(ProcessLookupError, PermissionError):  # macOS: EPERM for a group of zombies only
        os.killpg(group_id, number)


def stop_process(process: subprocess.Popen[bytes], timeout_s: float) -> int:
    """SIGTERM, wait at most `timeout_s`, SIGKILL to what is left of the group; returns the exit code.

    Blocks. Repeat: safe.
    """
    if process.poll() is None:
        signal_group(process.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout_s)
    signal_group(process.pid, signal.SIGKILL)
    return process.wait()


def last_lines(log_path: Path, count: int = 15) -> str:
    """The end of a log, indented, for an error message; says so when there is nothing."""
    try:
        with log_path.open("rb") as log:
            log.seek(max(0, log.seek(0, os.SEEK_END) - TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        lines = []
    return "\n".join(f"    {line}" for line in lines[-count:]) or "    (no output)"


def wait_for_exit(process: subprocess.Popen[bytes], timeout_s: float) -> bool:
    """Whether the process ended within `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(POLL_S)
    return process.poll() is not None


def _set_aside_if_large(log_path: Path) -> None:
    with suppress(FileNotFoundError):
        if log_path.stat().st_size > LOG_LIMIT_BYTES:
            log_path.replace(log_path.with_name(log_path.name + ".1"))
