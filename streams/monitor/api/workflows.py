"""/api/workflows: the workflows ranked, and one of them."""

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.lines.asked import NAMES, explained_range
from streams.monitor.workflows.detail import workflow_view
from streams.monitor.workflows.ranking import ranking_view
from streams.monitor.workflows.spans import Span

RANKING_NAMES: Final = NAMES | {"line", "workflow"}


async def workflows(request: Request) -> Response:
    """The workflows of a span, the worst first."""
    refuse_parameters(request, RANKING_NAMES)
    monitor, now_ms = monitor_of(request), int(time.time() * 1000)
    store, span = monitor.reader.caught_up_store, _span(request, now_ms)
    line, workflow = (request.query_params.get(name) or None for name in ("line", "workflow"))
    return await _made(request, lambda: ranking_view(store, span, monitor.reader.as_of_ms or now_ms, line, workflow))


async def workflow(request: Request) -> Response:
    """One workflow in a span, against the span before. 404 for an unknown one."""
    refuse_parameters(request, NAMES)
    monitor, now_ms = monitor_of(request), int(time.time() * 1000)
    store, span = monitor.reader.caught_up_store, _span(request, now_ms)
    value, as_of_ms = request.path_params["workflow"], monitor.reader.as_of_ms or now_ms
    return await _made(request, lambda: workflow_view(store, value, span, now_ms, as_of_ms))


def _span(request: Request, now_ms: int) -> Span:
    pane_s = monitor_of(request).settings.window_s
    return Span.around(*explained_range(dict(request.query_params), None, now_ms, pane_s), pane_s)


async def _made(request: Request, make: Callable[[], dict[str, Any]]) -> Response:
    async with monitor_of(request).room_for_answers:
        return json_answer(await asyncio.to_thread(make))


ENDPOINTS: Final = (
    Endpoint("/api/workflows", workflows, "the workflows of a span, the worst first", RANKING_NAMES),
    Endpoint("/api/workflows/{workflow}", workflow, "one workflow: funnel, redials, lines, history", NAMES),
)
