"""Each URL as a short story."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import msgspec
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from streams.monitor import instants
from streams.monitor.errors import BadRequestError
from streams.monitor.events import EventHub
from streams.monitor.monitor import Monitor
from streams.monitor.page import render_page
from streams.monitor.problems import problem
from streams.monitor.stats import Dimension, WindowQuery, window_seconds
from streams.monitor.views import dimension_view, lag_view, value_view

SSE_PING_S = 15
SSE_SEND_TIMEOUT_S = 10
MAX_LIMIT = 100_000
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    # the bars' widths are style attributes
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}

_to_json = msgspec.json.Encoder().encode


def _monitor(request: Request) -> Monitor:
    monitor: Monitor = request.state.monitor
    return monitor


def _json(body: object) -> Response:
    return Response(_to_json(body), media_type="application/json", headers={"Cache-Control": "no-store"})


async def lag(request: Request) -> Response:
    """The newest lag, with its age in as_of; 503 when no poll ever succeeded."""
    return _json(lag_view(_monitor(request).poller.snapshot))


async def workflows(request: Request) -> Response:
    """Every workflow's windows."""
    return _dimension(request, "workflow")


async def sip_lines(request: Request) -> Response:
    """Every SIP line's windows."""
    return _dimension(request, "sip_line")


async def workflow(request: Request) -> Response:
    """One workflow's windows."""
    return _value(request, "workflow")


async def sip_line(request: Request) -> Response:
    """One SIP line's windows."""
    return _value(request, "sip_line")


async def events(request: Request) -> Response:
    """Server-sent events `lag` (the same JSON as /api/lag) and `outcomes` (something changed)."""
    hub = _monitor(request).events
    hub.check_room()
    return EventSourceResponse(_stream(hub), ping=SSE_PING_S, send_timeout=SSE_SEND_TIMEOUT_S)


async def metrics(request: Request) -> Response:
    """Prometheus text."""
    return Response(generate_latest(_monitor(request).metrics.registry), media_type=CONTENT_TYPE_LATEST)


async def livez(_: Request) -> Response:
    """The process answers. Says nothing about Kafka: restarting us would not bring it back."""
    return PlainTextResponse("ok\n")


async def readyz(request: Request) -> Response:
    """Whether what we serve is complete and fresh; 503 with the reasons else."""
    reasons = _monitor(request).reasons_not_ready()
    return problem(503, "; ".join(reasons), reasons=reasons) if reasons else _json({"ready": True, "reasons": []})


async def page(request: Request) -> Response:
    """The first page."""
    return HTMLResponse(render_page(_monitor(request)), headers=PAGE_HEADERS)


def _dimension(request: Request, dimension: Dimension) -> Response:
    monitor = _monitor(request)
    query = _query(request, monitor.settings.window_s)
    return _json(dimension_view(monitor.reader.caught_up_store, _as_of_ms(monitor), dimension, query))


def _value(request: Request, dimension: Dimension) -> Response:
    monitor = _monitor(request)
    query = _query(request, monitor.settings.window_s)
    value = request.path_params["value"]
    return _json(value_view(monitor.reader.caught_up_store, _as_of_ms(monitor), dimension, value, query))


def _as_of_ms(monitor: Monitor) -> int:
    return monitor.reader.as_of_ms or int(time.time() * 1000)


def _query(request: Request, pane_s: int) -> WindowQuery:
    """from, to, window and limit of the query string. Raises BadRequestError."""
    parameters = request.query_params
    bounds = {name: instants.read(name, parameters[name]) for name in ("from", "to") if name in parameters}
    if "from" in bounds and "to" in bounds and bounds["from"] > bounds["to"]:
        raise BadRequestError("from is after to")
    window_s = window_seconds(parameters["window"], pane_s) if "window" in parameters else pane_s
    return WindowQuery(window_s, bounds.get("from"), bounds.get("to"), _limit(parameters.get("limit")))


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and 0 < int(text[:9]) <= MAX_LIMIT):
        raise BadRequestError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


async def _stream(hub: EventHub) -> AsyncIterator[ServerSentEvent]:
    async for kind, number, data in hub.listen():
        yield ServerSentEvent(data, event=kind, id=str(number))
