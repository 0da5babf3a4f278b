"""The ops port's endpoints: livez, readyz, metrics and openapi.json."""

from typing import Protocol

from prometheus_client import CollectorRegistry
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from gateway.http.openapi import document
from gateway.metrics import GatewayInfo
from gateway.settings import GatewaySettings
from schemas.runtime.exposition import expose
from schemas.runtime.health import HEADERS, liveness, readiness


class OpsSource(Protocol):
    """What the ops port reports on: a gateway of one process, or of several."""

    settings: GatewaySettings

    @property
    def registry(self) -> CollectorRegistry:
        """What /metrics serves."""

    def faults(self) -> list[str]:
        """Why a callback sent now might not be accepted; empty when ready."""

    def notes(self) -> list[str]:
        """What an operator should know although callbacks are accepted."""

    def refresh_gauges(self) -> None:
        """Set the gauges to their values now, for a scrape."""


async def livez(request: Request) -> Response:
    """200 while the process answers; Kafka does not matter."""
    body, status = liveness()
    return JSONResponse(body, status, HEADERS)


async def readyz(source: OpsSource, request: Request) -> Response:
    """200 when a callback would be accepted now, else 503 with the reasons.

    `notes`: what is wrong although callbacks are accepted.
    """
    body, status = readiness(source.faults(), source.notes())
    return JSONResponse(body, status, HEADERS)


async def metrics(source: OpsSource, info: GatewayInfo, request: Request) -> Response:
    """Prometheus text or OpenMetrics, by Accept."""
    source.refresh_gauges()
    info.ready.set(not source.faults())
    answer = expose(source.registry, request.headers)
    return Response(answer.body, headers=answer.headers)


async def openapi(source: OpsSource, request: Request) -> Response:
    """The webhook port as an OpenAPI document."""
    return JSONResponse(document(source.settings))
