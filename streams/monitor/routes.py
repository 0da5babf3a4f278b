"""The endpoints: one function each. `app.py` has the list of paths."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final
from urllib.parse import quote, urlencode

import msgspec
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from schemas.documents.files import asyncapi_text
from schemas.runtime.health import HEADERS, HealthAnswer, liveness, readiness
from streams.monitor.docs import render_docs
from streams.monitor.events import EventHub
from streams.monitor.health import health_view
from streams.monitor.lag.views import lag_view
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.paging import Cursor
from streams.monitor.outcomes.parameters import refuse_unknown, window_request
from streams.monitor.outcomes.views import dimension_view, value_view
from streams.monitor.page import render_page
from streams.rules.dimensions import Dimension

SSE_PING_S: Final = 15
SSE_SEND_TIMEOUT_S: Final = 10
PAGE_HEADERS: Final = {
    "Cache-Control": "no-store",
    # the bars' widths are style attributes
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}
DOCS_HEADERS: Final = PAGE_HEADERS | {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src data:",
}

_to_json = msgspec.json.Encoder().encode


Serve = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Endpoint:
    """One path, what it answers in words, and the parameters that it takes."""

    path: str
    serve: Serve
    answers: str
    parameters: Set[str] = frozenset()

    def route(self) -> Route:
        """The same for Starlette. A value in a path may hold anything, slashes included."""
        return Route(self.path.replace("{value}", "{value:anything}"), self.serve)


def _monitor(request: Request) -> Monitor:
    monitor: Monitor = request.state.monitor
    return monitor


def _json(body: object) -> Response:
    return Response(_to_json(body), media_type="application/json", headers={"Cache-Control": "no-store"})


def _health(answer: HealthAnswer) -> Response:
    return Response(_to_json(answer.body), answer.status_code, HEADERS, "application/json")


def index_of(endpoints: Sequence[Endpoint]) -> Serve:
    """The endpoint of /api: `{"endpoints": [{"path", "answers", "parameters"}]}`."""
    body = {
        "endpoints": [
            {"path": endpoint.path, "answers": endpoint.answers, "parameters": sorted(endpoint.parameters)}
            for endpoint in endpoints
        ]
    }

    async def index(request: Request) -> Response:
        refuse_unknown(request.query_params.multi_items(), frozenset())
        return _json(body)

    return index


async def health(request: Request) -> Response:
    """The health. Always 200: /readyz is for orchestrators."""
    refuse_unknown(request.query_params.multi_items(), frozenset())
    return _json(health_view(_monitor(request).health()))


async def lag(request: Request) -> Response:
    """The newest lag, read at as_of. 503 when no poll ever succeeded."""
    refuse_unknown(request.query_params.multi_items(), frozenset())
    return _json(lag_view(_monitor(request).poller.snapshot))


def outcomes_of(dimension: Dimension) -> Serve:
    """The endpoint for a dimension's windows: of every value, or of the one that the path names."""

    async def outcomes(request: Request) -> Response:
        return await _outcomes(request, dimension, request.path_params.get("value"))

    return outcomes


async def events(request: Request) -> Response:
    """Server-sent events: `beat` every 2 s, `lag` as /api/lag, `outcomes` when a window changed."""
    return _Events(_monitor(request).events)


async def metrics(request: Request) -> Response:
    """Prometheus text or OpenMetrics, by Accept."""
    answer = await asyncio.to_thread(_monitor(request).metrics.answer, request.headers)
    return Response(answer.body, headers=answer.headers)


async def livez(_: Request) -> Response:
    """200 while the process answers. It does not depend on Kafka, which a restart of ours would not bring back."""
    return _health(liveness())


async def readyz(request: Request) -> Response:
    """200 when what we serve is complete and fresh, else 503 with the reasons. notes: what is wrong with others."""
    monitor = _monitor(request)
    notes = [f"{found.what}: {found.evidence}" for found in monitor.health().problems if found.state != "blind"]
    return _health(readiness(monitor.reasons_not_ready(), notes))


async def page(request: Request) -> Response:
    """The first page."""
    document = await asyncio.to_thread(render_page, _monitor(request))
    return HTMLResponse(document, headers=PAGE_HEADERS)


async def docs(request: Request) -> Response:
    """The topics for subscribers. It needs no Kafka."""
    refuse_unknown(request.query_params.multi_items(), frozenset())
    return HTMLResponse(await asyncio.to_thread(render_docs, request.app.state.topic_prefix), headers=DOCS_HEADERS)


async def asyncapi(request: Request) -> Response:
    """The same as the AsyncAPI document that this build ships."""
    refuse_unknown(request.query_params.multi_items(), frozenset())
    return Response(asyncapi_text(), media_type="application/yaml", headers={"Cache-Control": "no-store"})


async def _outcomes(request: Request, dimension: Dimension, value: str | None) -> Response:
    """Windows as JSON, made in a thread: a large answer must not keep others waiting."""
    monitor = _monitor(request)
    store, as_of_ms = monitor.reader.caught_up_store, monitor.reader.as_of_ms
    now_ms = int(time.time() * 1000)
    pane_s = monitor.settings.window_s

    def made() -> tuple[bytes, Cursor | None]:
        asked = window_request(request.query_params.multi_items(), store, dimension, value, pane_s, now_ms)
        asked = replace(asked, as_of_ms=as_of_ms or now_ms)
        body, more = dimension_view(store, asked) if value is None else value_view(store, value, asked)
        if more is not None:
            body["next"] = _next(request, more)
        return _to_json(body), more

    async with monitor.room_for_answers:
        body, more = await asyncio.to_thread(made)
    headers = {"Cache-Control": "no-store"}
    if more is not None:
        headers["Link"] = f'<{_next(request, more)}>; rel="next"'
    return Response(body, media_type="application/json", headers=headers)


def _next(request: Request, more: Cursor) -> str:
    """The link to the next part: the same parameters, after the last window given."""
    raw = request.scope.get("raw_path") or quote(request.url.path).encode()
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != "after"]
    return f"{raw.decode('ascii')}?{urlencode([*kept, ('after', str(more))], quote_via=quote)}"


class _Events(EventSourceResponse):
    """Holds a listener's place while it lasts."""

    def __init__(self, hub: EventHub) -> None:
        super().__init__(_stream(hub), ping=SSE_PING_S, send_timeout=SSE_SEND_TIMEOUT_S)
        self._hub = hub

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._hub.place():
            await super().__call__(scope, receive, send)


async def _stream(hub: EventHub) -> AsyncIterator[ServerSentEvent]:
    async for kind, number, data in hub.listen():
        yield ServerSentEvent(data, event=kind, id=str(number))
