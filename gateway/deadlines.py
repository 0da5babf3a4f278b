"""Deadlines of equal length for many tasks: what `asyncio.timeout` promises, with one timer for all of them.

Equal deadlines expire in the order in which they began, so one timer, set for the first, is enough: a task adds an
entry and removes it. tests/unit/gateway/test_deadlines.py holds the promise.
"""

import asyncio
import time
from types import TracebackType


class Deadlines:
    """Deadlines of `seconds` each, for the tasks of one event loop."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._running: dict[Deadline, float] = {}  # when each is due, the first due first
        self._timer: asyncio.TimerHandle | None = None

    def one(self) -> "Deadline":
        """A context within which the current task is interrupted after `seconds`.

        Raises, on leaving: TimeoutError in place of that interruption. A cancellation by others goes through.
        """
        return Deadline(self)

    def begin(self, deadline: "Deadline") -> None:
        """Have it expire in `seconds`."""
        due = time.monotonic() + self.seconds
        self._running[deadline] = due
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self.seconds, self._expire)

    def end(self, deadline: "Deadline") -> None:
        """Cancel it. The timer stays for the deadlines that still run."""
        self._running.pop(deadline, None)
        if not self._running and self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _expire(self) -> None:
        self._timer = None
        now = time.monotonic()
        for deadline, due in list(self._running.items()):
            if due > now:
                self._timer = asyncio.get_running_loop().call_later(due - now, self._expire)
                break
            del self._running[deadline]
            deadline.expire()


class Deadline:
    """The deadline of one task; enter it once."""

    __slots__ = ("_deadlines", "_is_over", "_task")

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._task: asyncio.Task[object] | None = None
        self._is_over = False

    def __enter__(self) -> None:
        self._task = asyncio.current_task()
        self._deadlines.begin(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._deadlines.end(self)
        if self._is_over and self._task and self._task.uncancel() == 0 and kind is asyncio.CancelledError:
            raise TimeoutError from error

    def expire(self) -> None:
        """Interrupt the task."""
        self._is_over = True
        if self._task:
            self._task.cancel()
