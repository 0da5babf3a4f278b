"""Counted one by one, told to the log once a second: what an attack must not turn into work of its own."""

import asyncio
from collections import Counter

import structlog
from prometheus_client import Counter as Metric

TELL_EVERY_S = 1.0

log = structlog.get_logger()


class Tally:
    """Codes of refusals for one line of log a second. Use from an event loop."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._untold: Counter[str] = Counter()

    def add(self, code: str) -> None:
        if not self._untold:
            asyncio.get_running_loop().call_later(TELL_EVERY_S, self._tell)
        self._untold[code] += 1

    def _tell(self) -> None:
        log.warning(self._event, **self._untold)
        self._untold.clear()


class HttpRefusals:
    """What the HTTP protocol refuses on one port."""

    def __init__(self, metric: Metric, port: str) -> None:
        self._metric = metric
        self._tally = Tally(f"{port}.refused")

    def note(self, code: str) -> None:
        """One more of this code."""
        self._metric.labels(code).inc()
        self._tally.add(code)
