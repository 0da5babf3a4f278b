"""/api/lines/{line}/explain: why this line?"""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.lines.asked import NAMES, explained_range
from streams.monitor.lines.explainer import alarm_since, explained
from streams.monitor.lines.explanation import explanation_view


async def explain(request: Request) -> Response:
    """What sets a line apart from its peers. 404 for an unknown line; 503 while records are read for others."""
    refuse_parameters(request, NAMES)
    monitor, line, now_ms = monitor_of(request), request.path_params["line"], int(time.time() * 1000)
    asked = explained_range(
        dict(request.query_params), alarm_since(monitor, line, now_ms), now_ms, monitor.settings.window_s
    )
    found = await explained(monitor, line, asked.from_ms, asked.to_ms)
    return json_answer(explanation_view(found, monitor.reader.as_of_ms or now_ms))


ENDPOINTS: Final = (
    Endpoint("/api/lines/{line}/explain", explain, "why this line: its dials against those of its peers", NAMES),
)
