"""The monitor's parts, put together: what lives as long as the process, and whether it is ready."""

from __future__ import annotations

import asyncio
import json
import time

from streams.monitor.events import EventHub
from streams.monitor.instants import written
from streams.monitor.lag import LagSnapshot
from streams.monitor.metrics import MonitorMetrics
from streams.monitor.poller import STALE_AFTER_S as LAG_STALE_AFTER_S
from streams.monitor.poller import LagPoller
from streams.monitor.reader import STALE_AFTER_S as OUTCOMES_STALE_AFTER_S
from streams.monitor.reader import OutcomeReader
from streams.monitor.settings import MonitorSettings
from streams.monitor.views import lag_view

STOP_DEADLINE_S = 5.0
CANCEL_AGAIN_S = 0.5


class Monitor:
    """Owns the poller, the reader and the events. `start` and `stop` once each, in one event loop."""

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self.events = EventHub()
        self.metrics = MonitorMetrics(settings.window_s)
        self.poller = LagPoller(settings, self._lag_polled, self.metrics.poll_duration.observe)
        self.reader = OutcomeReader(settings, self._outcomes_changed)
        self.metrics.watch(self.poller, self.reader)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to poll and read; returns at once, whether Kafka is there or not."""
        self._tasks = [asyncio.create_task(self.poller.run()), asyncio.create_task(self.reader.run())]

    async def stop(self) -> None:
        """End what `start` began, within STOP_DEADLINE_S."""
        deadline = time.monotonic() + STOP_DEADLINE_S
        pending = set(self._tasks)
        while pending and time.monotonic() < deadline:
            for task in pending:
                # again and again: in Python 3.11 wait_for, which aiokafka uses, swallows a cancellation that comes
                # in the moment its own wait ends
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)

    def reasons_not_ready(self, now_s: float | None = None) -> list[str]:
        """Empty when lag was polled lately and the outcomes are complete and current; else why not."""
        now_ms = (time.time() if now_s is None else now_s) * 1000
        return [
            *_reasons("lag", self.poller.as_of_ms, self.poller.fault, now_ms, LAG_STALE_AFTER_S),
            *_reasons("outcomes", self.reader.as_of_ms, self.reader.fault, now_ms, OUTCOMES_STALE_AFTER_S),
        ]

    def _lag_polled(self, snapshot: LagSnapshot) -> None:
        self.events.publish("lag", json.dumps(lag_view(snapshot)))

    def _outcomes_changed(self, changes: int) -> None:
        as_of_ms = self.reader.as_of_ms or int(time.time() * 1000)
        self.events.publish("outcomes", json.dumps({"changes": changes, "as_of": written(as_of_ms)}))


def _reasons(what: str, as_of_ms: int | None, fault: str | None, now_ms: float, stale_after_s: float) -> list[str]:
    if as_of_ms is None:
        return [f"{what}: {fault or 'nothing read yet'}"]
    if now_ms - as_of_ms > stale_after_s * 1000:
        return [f"{what}: last read at {written(as_of_ms)}" + (f"; {fault}" if fault else "")]
    return []
