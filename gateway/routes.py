"""The HTTP endpoints: the webhook on one port; livez, readyz, metrics and openapi.json on the other."""

import time
from collections.abc import AsyncIterator
from typing import Protocol

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from gateway.errors import (
    BodyTooLargeError,
    ClientGoneError,
    GatewayError,
    RateLimitedError,
    UnsupportedTypeError,
)
from gateway.gateway import Gateway
from gateway.kinds import CALL_COMPLETION, Kind
from gateway.limits import read_body
from gateway.metrics import SOURCE, Overview
from gateway.openapi import document
from gateway.problems import problem
from gateway.reception import Receipt
from gateway.requests import RawRequest
from gateway.settings import GatewaySettings
from schemas.records import Record

WEBHOOK_PATH = CALL_COMPLETION.path

log = structlog.get_logger()


class Operated(Protocol):
    """What the ops port tells of: a gateway of one process, or of several."""

    settings: GatewaySettings

    @property
    def registry(self) -> CollectorRegistry:
        """What /metrics tells."""

    def faults(self) -> list[str]:
        """Why a callback sent now might not be accepted; empty when ready."""

    def notes(self) -> list[str]:
        """What an operator should know although callbacks are accepted."""

    def refresh_gauges(self) -> None:
        """Set the gauges to this moment, for a scrape."""


async def receive_callback(gateway: Gateway, kind: Kind[Record], request: Request) -> Response:
    """One delivery: 200 `{}` once Kafka has it, else a problem that says what to do."""
    started = time.perf_counter()
    event: dict[str, object] = {"kind": kind.name}
    try:
        receipt = await _receive(gateway, kind, request, event)
        outcome, response = _accepted(receipt, event)
    except GatewayError as error:
        outcome, response = error.outcome, problem(error)
        event["reason"] = error.code
    except Exception as error:  # the sender must see a 5xx and come again; the message may hold personal data
        log.error("callback.failed", error=type(error).__name__)
        outcome, response = GatewayError.outcome, problem(GatewayError("unexpected error"))
    gateway.metrics.requests.labels(SOURCE, outcome).inc()
    log.info("callback", outcome=outcome, duration_ms=round((time.perf_counter() - started) * 1000, 1), **event)
    return response


async def livez(request: Request) -> Response:
    """The process answers; Kafka is not asked."""
    return JSONResponse({"status": "alive"})


async def readyz(gateway: Operated, request: Request) -> Response:
    """200 when a callback would be accepted now, else 503 with the reasons. `notes`: what is wrong all the same."""
    reasons = gateway.faults()
    return JSONResponse(
        {"status": "not ready" if reasons else "ready", "reasons": reasons, "notes": gateway.notes()},
        status_code=503 if reasons else 200,
    )


async def metrics(gateway: Operated, overview: Overview, request: Request) -> Response:
    """Prometheus text."""
    gateway.refresh_gauges()
    overview.ready.set(not gateway.faults())
    return Response(generate_latest(gateway.registry), media_type=CONTENT_TYPE_LATEST)


async def openapi(gateway: Operated, request: Request) -> Response:
    """The webhook port as an OpenAPI document."""
    return JSONResponse(document(gateway.settings))


async def _receive(gateway: Gateway, kind: Kind[Record], request: Request, event: dict[str, object]) -> Receipt:
    _require_json_type(request)
    _require_room(gateway, request)
    with gateway.in_flight.admit() as admission:
        body = await read_body(
            _chunks(request),
            admission,
            declared=_declared_length(request),
            max_bytes=gateway.settings.max_body_bytes,
            timeout_s=gateway.settings.body_timeout_s,
        )
        raw = _raw_request(kind, request, body)
        event["event_id"] = raw.event_id
        return await gateway.reception.receive(raw)


def _accepted(receipt: Receipt, event: dict[str, object]) -> tuple[str, Response]:
    position = receipt.position
    event.update(topic=position.topic, partition=position.partition, offset=position.offset)
    outcome = "spooled" if position.is_spooled else "accepted"
    return "duplicate" if receipt.is_duplicate else outcome, JSONResponse({})


def _require_room(gateway: Gateway, request: Request) -> None:
    """A declared size over the limit and a rate over the limit are told before any of the body is read."""
    declared, limit = _declared_length(request), gateway.settings.max_body_bytes
    if declared is not None and declared > limit:
        raise BodyTooLargeError(f"{declared} bytes declared, the limit is {limit}")
    try:
        gateway.rates.take(request.client.host if request.client else "", time.monotonic())
    except RateLimitedError as error:
        gateway.metrics.rate_limited.labels(error.scope).inc()
        raise


def _require_json_type(request: Request) -> None:
    content_type = request.headers.get("content-type", "").split(";")[0].strip().lower()
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if content_type != "application/json":
        raise UnsupportedTypeError("send application/json")
    if encoding != "identity":
        raise UnsupportedTypeError("send the body uncompressed")


def _declared_length(request: Request) -> int | None:
    text = request.headers.get("content-length", "")
    return int(text) if text.isascii() and text.isdigit() else None


async def _chunks(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise ClientGoneError("the sender hung up") from None


def _raw_request(kind: Kind[Record], request: Request, body: bytes) -> RawRequest:
    return RawRequest(
        method=request.method,
        path=kind.path,
        headers=request.headers.raw,
        body=body,
        remote_address=request.client.host if request.client else "",
        received_at=time.time_ns() // 1_000_000,
    )
