"""The webhook's endpoint: one delivery in, one answer out."""

import time
from collections.abc import Mapping
from typing import Final

import structlog
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from gateway.errors import (
    InternalError,
    RateLimitedError,
    RequestError,
    UnsupportedTypeError,
)
from gateway.gateway import Gateway
from gateway.http.body import read_body, require_length
from gateway.http.problems import problem
from gateway.metrics import PROBE, PROVIDER, Source
from gateway.reception import Receipt
from gateway.requests import RawRequest
from gateway.sources import source_of
from gateway.webhooks.kinds import Kind
from schemas.records.record import Record

_ACCEPTED: Final = JSONResponse({})  # made once: the same bytes every time

log = structlog.get_logger()


class Webhook:
    """The endpoint of one webhook, as a plain ASGI application."""

    def __init__(self, gateway: Gateway, kind: Kind[Record]) -> None:
        self._gateway = gateway
        self._kind = kind

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await receive_callback(self._gateway, self._kind, scope, receive)
        await response(scope, receive, send)


async def receive_callback(gateway: Gateway, kind: Kind[Record], scope: Scope, receive: Receive) -> Response:
    """The answer to one delivery: 200 `{}` once it is stored, else a problem document. Counts and logs it."""
    started = time.perf_counter()
    event: dict[str, object] = {"kind": kind.name}
    source: Source = PROVIDER
    tell = log.info
    outcome: str
    response: Response
    try:
        receipt = await _receive(gateway, kind, scope, receive, event)
        event.update(receipt.stored._asdict())
        outcome, response, source = receipt.outcome, _ACCEPTED, receipt.source
        if source == PROBE:  # one every few seconds, as it should be
            tell = log.debug
    except RequestError as error:
        outcome, response = error.outcome, problem(error)
        source = PROBE if error.is_probe else PROVIDER
        event["reason"] = error.code
    except Exception as error:  # a 5xx makes the sender try again; the message may hold personal data
        log.error("callback.failed", reason=type(error).__name__)
        outcome, response = InternalError.outcome, problem(InternalError("unexpected error"))
    gateway.metrics.request_counts[source, outcome].inc()
    tell("callback", outcome=outcome, duration_ms=round((time.perf_counter() - started) * 1000, 1), **event)
    return response


async def _receive(
    gateway: Gateway, kind: Kind[Record], scope: Scope, receive: Receive, event: dict[str, object]
) -> Receipt:
    headers = dict(reversed(scope["headers"]))  # the first of a name counts
    address = scope["client"][0] if scope["client"] else ""
    type_fault = _type_fault(headers)
    require_length(headers, gateway.settings.max_body_bytes)
    _require_rate(gateway, address)
    with gateway.in_flight.admission(source_of(address)) as admission:
        max_bytes = gateway.settings.max_body_bytes
        body = await read_body(receive, admission, max_bytes=max_bytes, arrivals=gateway.arrivals)
        admission.take_place()
        raw = RawRequest(scope["method"], kind.path, scope["headers"], body, address, time.time_ns() // 1_000_000)
        event["event_id"] = raw.event_id
        if type_fault:
            await gateway.reception.refuse_type(raw, type_fault)
            raise UnsupportedTypeError(type_fault)
        return await gateway.reception.receive(kind, raw)


def _require_rate(gateway: Gateway, address: str) -> None:
    """Raises: RateLimitedError."""
    try:
        gateway.rates.count(address, time.monotonic())
    except RateLimitedError as error:
        gateway.metrics.rate_limited.labels(error.scope).inc()
        raise


def _type_fault(headers: Mapping[bytes, bytes]) -> str:
    """Why the headers say that this is not plain JSON; empty when they do not."""
    content_type = headers.get(b"content-type", b"").split(b";")[0].strip().lower()
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    if content_type != b"application/json":
        return "send application/json"
    return "" if encoding == b"identity" else "send the body uncompressed"
