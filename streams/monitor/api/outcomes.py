"""/api/outcomes: the windows of a dimension, in bounded parts."""

import asyncio
import time
from dataclasses import replace
from typing import Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import NO_STORE, Endpoint, Serve, monitor_of, to_json
from streams.monitor.outcomes.paging import Cursor
from streams.monitor.outcomes.parameters import NAMES, window_request
from streams.monitor.outcomes.views import dimension_view, value_view
from streams.rules.dimensions import DIMENSIONS, Dimension


def _of_dimension(dimension: Dimension) -> tuple[Endpoint, Endpoint]:
    path, serve, name = f"/api/outcomes/{dimension.url}", _outcomes_of(dimension), dimension.name
    return (
        Endpoint(path, serve, f"the windows of every {name}", NAMES),
        Endpoint(f"{path}/{{value}}", serve, f"the windows of one {name}; 404 for an unknown one", NAMES),
    )


def _outcomes_of(dimension: Dimension) -> Serve:
    """The endpoint for a dimension's windows: of every value, or of the one that the path names."""

    async def outcomes(request: Request) -> Response:
        return await _outcomes(request, dimension, request.path_params.get("value"))

    return outcomes


async def _outcomes(request: Request, dimension: Dimension, value: str | None) -> Response:
    """Windows as JSON, made in a thread: a large answer must not keep others waiting."""
    monitor = monitor_of(request)
    store, as_of_ms = monitor.reader.caught_up_store, monitor.reader.as_of_ms
    now_ms = int(time.time() * 1000)
    pane_s = monitor.settings.window_s

    def made() -> tuple[bytes, Cursor | None]:
        asked = window_request(request.query_params.multi_items(), store, dimension, value, pane_s, now_ms)
        asked = replace(asked, as_of_ms=as_of_ms or now_ms)
        body, more = dimension_view(store, asked) if value is None else value_view(store, value, asked)
        if more is not None:
            body["next"] = _next(request, more)
        return to_json(body), more

    async with monitor.room_for_answers:
        body, more = await asyncio.to_thread(made)
    headers = dict(NO_STORE)
    if more is not None:
        headers["Link"] = f'<{_next(request, more)}>; rel="next"'
    return Response(body, media_type="application/json", headers=headers)


def _next(request: Request, more: Cursor) -> str:
    """The link to the next part: the same parameters, after the last window given."""
    raw = request.scope.get("raw_path") or quote(request.url.path).encode()
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != "after"]
    return f"{raw.decode('ascii')}?{urlencode([*kept, ('after', str(more))], quote_via=quote)}"


ENDPOINTS: Final = tuple(endpoint for dimension in DIMENSIONS for endpoint in _of_dimension(dimension))
