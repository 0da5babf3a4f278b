"""Requests refused before any work on them: while nothing can be stored, or too many requests are in flight.

Requests pile up in an outage, so a refusal must be cheap: the HTTP protocol writes the answer (`protocol.py`), and the
log reports the number once a second. The body is not read, so neither its signature nor a duplicate is noticed.
"""

import time
from typing import Any

import structlog

from gateway.errors import RequestError
from gateway.gateway import Gateway
from gateway.http.problems import whole_response
from gateway.http.refusals import Tally
from gateway.metrics import PROVIDER
from gateway.webhooks.kinds import kind_at

log = structlog.get_logger()


class Shedding:
    """Decides for one gateway. Use from its event loop."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._tally = Tally("callbacks.refused")
        self._series: dict[tuple[str, str], tuple[Any, Any]] = {}  # `labels` costs more than counting

    def refusal(self, method: str, path: str, source: str) -> bytes | None:
        """The whole HTTP/1.1 response to a request that is refused, else None."""
        kind = kind_at(path) if method == "POST" else None
        if kind is None:
            return None
        started = time.perf_counter()
        try:
            self._gateway.in_flight.require_place(source)
            self._gateway.publisher.admit()
        except RequestError as error:
            response = whole_response(type(error), str(error))  # type: ignore[arg-type]  # mypy has no hash for classes
            self._count(error, kind.route, started)
            return response
        except Exception as error:  # the parser would answer 400, and the sender would not try again
            log.error("shedding.failed", reason=type(error).__name__)
        return None

    def _count(self, error: RequestError, route: str, started: float) -> None:
        series = self._series.get((route, error.code))
        if series is None:
            metrics = self._gateway.metrics
            duration = metrics.http_duration.labels(route, "POST", str(error.status))
            series = self._series[route, error.code] = (metrics.requests.labels(PROVIDER, error.outcome), duration)
        requests, durations = series
        requests.inc()
        durations.observe(time.perf_counter() - started)
        self._tally.add(error.code)
