"""One `streams up` per data directory: two brokers on the same files would destroy them."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

import psutil

from streams.local.console import Console
from streams.local.errors import DATA_REMEDY, LocalDirInUseError, disk_error
from streams.local.process import POLL_S
from streams.local.reaper import GRACE_S

# How long the children of a killed launcher may take to end: the reaper's grace, and a margin for a busy machine.
LEFTOVER_TIMEOUT_S = GRACE_S + 7.0


@contextmanager
def hold_data_dir(data_dir: Path, console: Console) -> Iterator[int]:
    """Make the directory and lock it; gives the descriptor of the lock file, for the reaper to inherit.

    The lock file holds our pid. The system frees the lock when the last process that has it open ends. A directory that
    was made here is removed at the end if it holds nothing but the lock: the start was refused.
    Raises: LocalDirInUseError naming the pid of the other launcher; LocalDiskError.
    """
    is_new = not data_dir.exists()
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)  # numbers and transcripts are in there
        lock = (data_dir / "lock").open("a+", encoding="utf-8")
    except OSError as error:
        raise disk_error(error, data_dir, DATA_REMEDY) from error
    with lock:
        _acquire(lock, data_dir, console)
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        try:
            yield lock.fileno()
        finally:
            if is_new:
                _remove_unused(data_dir)


def _remove_unused(data_dir: Path) -> None:
    with suppress(OSError):
        if [path.name for path in data_dir.iterdir()] == ["lock"]:
            (data_dir / "lock").unlink()
            data_dir.rmdir()


def _acquire(lock: TextIO, data_dir: Path, console: Console) -> None:
    """Take the lock. Wait for it only while its holders are the last children of a launcher that has died."""
    deadline = time.monotonic() + LEFTOVER_TIMEOUT_S
    is_said = False
    while not _try_lock(lock):
        holder = _holder(lock)
        if holder is None or _alive(holder) or time.monotonic() > deadline:
            raise LocalDirInUseError(
                f"{data_dir} is in use by another `streams up`, process {holder or 'unknown'}: "
                f"stop it (kill {holder or 'PID'}), or name another directory with --data-dir"
            )
        if not is_said:
            is_said = True
            console.say(f"waiting for what process {holder} left running to end")
        time.sleep(POLL_S)


def _try_lock(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _holder(lock: TextIO) -> int | None:
    lock.seek(0)
    text = lock.read().strip()
    return int(text) if text.isdigit() else None


def _alive(pid: int) -> bool:
    """Whether it runs. A zombie does not: a killed launcher whose parent has not waited for it."""
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
