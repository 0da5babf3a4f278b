"""The endpoints about the process itself: health, events, metrics, and the list of all endpoints."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Final

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from schemas.runtime.health import HEADERS, HealthAnswer, liveness, readiness
from streams.monitor.api.endpoint import Endpoint, Serve, json_answer, monitor_of, refuse_parameters, to_json
from streams.monitor.events import EventHub
from streams.monitor.health import health_view
from streams.monitor.history.problems import history_notes

SSE_PING_S: Final = 15
SSE_SEND_TIMEOUT_S: Final = 10


def _health(answer: HealthAnswer) -> Response:
    return Response(to_json(answer.body), answer.status_code, HEADERS, "application/json")


def index_of(endpoints: Sequence[Endpoint], notes: Sequence[str]) -> Serve:
    """The endpoint of /api: `{"endpoints": [{"path", "answers", "parameters"}], "notes"}`."""
    body = {
        "endpoints": [
            {"path": endpoint.path, "answers": endpoint.answers, "parameters": sorted(endpoint.parameters)}
            for endpoint in endpoints
        ],
        "notes": notes,
    }

    async def index(request: Request) -> Response:
        refuse_parameters(request)
        return json_answer(body)

    return index


async def health(request: Request) -> Response:
    """The health. Always 200: /readyz is for orchestrators."""
    refuse_parameters(request)
    return json_answer(health_view(monitor_of(request).health()))


async def events(request: Request) -> Response:
    """Server-sent events: `beat` every 2 s, `lag` as /api/lag, `outcomes` when a window changed."""
    return _Events(monitor_of(request).events)


async def metrics(request: Request) -> Response:
    """Prometheus text or OpenMetrics, by Accept."""
    answer = await asyncio.to_thread(monitor_of(request).metrics.answer, request.headers)
    return Response(answer.body, headers=answer.headers)


async def livez(_: Request) -> Response:
    """200 while the process answers. It does not depend on Kafka, which a restart of ours would not bring back."""
    return _health(liveness())


async def readyz(request: Request) -> Response:
    """200 when what we serve is complete and fresh, else 503 with the reasons. notes: what is wrong with others."""
    monitor = monitor_of(request)
    notes = [f"{found.what}: {found.evidence}" for found in monitor.health().problems if found.state != "blind"]
    notes += history_notes(monitor.settings.data_dir)
    return _health(readiness(monitor.reasons_not_ready(), notes))


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


ENDPOINTS: Final = (
    Endpoint("/api/health", health, "whether anything is wrong, and whether the monitor knows"),
    Endpoint("/api/events", events, "server-sent events: beat, lag, outcomes"),
    Endpoint("/metrics", metrics, "Prometheus text"),
    Endpoint("/livez", livez, "200 while the process answers"),
    Endpoint("/readyz", readyz, "200 when everything watched was read lately and whole"),
)
