"""Deadlines for what every callback waits for: the promise of `asyncio.timeout`, at a third of its cost when many run.

All deadlines of one kind are equally long, so they fall due in the order in which they began, and one timer, set for
the first of them, serves all: a callback adds an entry and removes it.
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
        """Leave it alone. The timer stays for those that run; it finds nothing, or the next to be due."""
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
    """One task's; enter it once."""

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
        """Interrupt the task, which may be waiting still."""
        self._is_over = True
        if self._task:
            self._task.cancel()
