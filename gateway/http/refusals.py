"""Refusals counted one by one and logged once a second, so that an attack does not flood the log."""

import asyncio
from collections import Counter
from typing import Final

import structlog
from prometheus_client import Counter as Metric

REPORT_EVERY_S: Final = 1.0

log = structlog.get_logger()


class Tally:
    """Counts refusals by code, and logs one line a second. Use from an event loop."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._unreported: Counter[str] = Counter()

    def add(self, code: str) -> None:
        if not self._unreported:
            asyncio.get_running_loop().call_later(REPORT_EVERY_S, self._report)
        self._unreported[code] += 1

    def _report(self) -> None:
        log.warning(self._event, **self._unreported)
        self._unreported.clear()


class HttpRefusals:
    """Counts and logs what the HTTP protocol refuses on one port."""

    def __init__(self, metric: Metric, port: str) -> None:
        self._metric = metric
        self._tally = Tally(f"{port}.refused")

    def note(self, code: str) -> None:
        """Count one refusal."""
        self._metric.labels(code).inc()
        self._tally.add(code)
