"""Nothing is left behind, even when the launcher is killed by SIGKILL and can end nothing itself.

A small process in a session of its own reads a pipe whose other end only the launcher holds. The system closes that end
when the launcher dies, also by SIGKILL. The reaper then ends every registered process group, and itself.

    launcher --"+ <pid> <create time>"-->  reaper     a child was started, leader of its own group
             --"- <pid>"--------------->              it ended, its group with it
             --end of file------------->              SIGTERM to all groups, SIGKILL after GRACE_S
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import suppress

import psutil

from streams.local.process import POLL_S, signal_group

# Kafka closes its logs in under a second; waiting longer than this changes nothing.
GRACE_S = 6.0


class Reaper:
    """The launcher's end of the pipe.

    `inherited_fds` stay open in the reaper: a lock held by one of them is freed only when the last child has ended.
    """

    def __init__(self, inherited_fds: Iterable[int] = ()) -> None:
        self._process = subprocess.Popen(
            (sys.executable, "-m", "streams.local.reaper"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            start_new_session=True,  # a SIGKILL to the launcher's group or a closed terminal must not reach it
            pass_fds=tuple(inherited_fds),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def register(self, pid: int) -> None:
        """`pid` leads a process group that must not outlive us."""
        with suppress(psutil.NoSuchProcess):  # it has ended already
            self._send(f"+ {pid} {psutil.Process(pid).create_time()}")

    def unregister(self, pid: int) -> None:
        self._send(f"- {pid}")

    def close(self) -> None:
        """End what is still registered, and wait for the reaper. Repeat: safe."""
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):
                pipe.close()
        self._process.wait()

    def _send(self, line: str) -> None:
        pipe = self._process.stdin
        if pipe is not None and not pipe.closed:
            with suppress(BrokenPipeError):  # the reaper was killed: we can still end our children ourselves
                pipe.write(line.encode() + b"\n")
                pipe.flush()


def watch(lines: Iterable[str]) -> dict[int, float]:
    """Read until the end; the groups still registered then, as group id -> creation time of the leader."""
    groups: dict[int, float] = {}
    for line in lines:
        match line.split():
            case ["+", pid, created]:
                groups[int(pid)] = float(created)
            case ["-", pid]:
                groups.pop(int(pid), None)
    return groups


def end_groups(groups: dict[int, float], grace_s: float = GRACE_S) -> None:
    """SIGTERM, then SIGKILL to whatever is left after `grace_s`; a pid that another process has now is left alone."""
    ours = {group for group, created in groups.items() if not _reused(group, created)}
    for group in ours:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + grace_s
    while _any_alive(ours) and time.monotonic() < deadline:
        time.sleep(POLL_S)
    for group in ours:
        signal_group(group, signal.SIGKILL)


def _reused(pid: int, created: float) -> bool:
    """Whether the leader is gone and its number given to another process.

    While a group lives, its number is not given away: a missing leader alone does not mean another's group.
    """
    try:
        return bool(psutil.Process(pid).create_time() != created)
    except psutil.NoSuchProcess:
        return False


def _any_alive(groups: set[int]) -> bool:
    """Whether a process of these groups still runs.

    A zombie does not run: we are not its parent, and an init that is slow to wait must not cost the whole grace.
    """
    for pid in psutil.pids():
        with suppress(ProcessLookupError, PermissionError, psutil.Error):
            if os.getpgid(pid) in groups and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
                return True
    return False


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of the pipe ends us
    end_groups(watch(sys.stdin))


if __name__ == "__main__":
    main()
