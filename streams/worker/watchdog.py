"""Ends a worker that hangs: with a reason and all stacks, without a commit, to be started again.

Faust's own detector compares two different clocks. This one checks from a thread of its own that the event loop turns,
and that something gets done while there is work. An idle worker is never suspected.
"""

import faulthandler
import threading
import time
from collections.abc import Callable
from typing import Final

import structlog

from streams.worker.ops import WorkerState

log = structlog.get_logger()

CHECK_INTERVAL_S: Final = 5.0
# Longer than any pause that ends by itself: a rebalance, a broker's restart, one fetch of a large changelog.
NO_PROGRESS_S: Final = 180.0


class Watchdog:
    """Watches a WorkerState. `end` must end the process and is called at most once, with the reason."""

    def __init__(
        self, state: WorkerState, end: Callable[[str], None], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._state = state
        self._end = end
        self._clock = clock
        self._progress = -1
        self._progressed_at = clock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watchdog", daemon=True)

    def start(self) -> None:
        """Watch until `stop`."""
        self._thread.start()

    def stop(self) -> None:
        """Stop watching. Repeat: safe."""
        self._stop.set()

    def check(self) -> str | None:
        """The reason to end the process, or None. Call it at regular times."""
        now = self._clock()
        if self._state.progress != self._progress or not self._state.is_busy:
            self._progress = self._state.progress
            self._progressed_at = now
        if self._state.is_stuck:
            return "the event loop is stuck"
        if now - self._progressed_at > NO_PROGRESS_S:
            return f"nothing got done for {NO_PROGRESS_S:.0f} s ({self._state.reason_not_ready or 'ready'})"
        return None

    def _run(self) -> None:
        while not self._stop.wait(CHECK_INTERVAL_S):
            if reason := self.check():
                log.critical("watchdog.ended_worker", reason=reason)
                faulthandler.dump_traceback(all_threads=True)
                self._end(reason)
                return
