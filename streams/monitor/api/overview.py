"""/api/overview: the five numbers of the overview."""

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.overview.views import overview, overview_view
from streams.monitor.pages.frame import PageRequest

NAMES: Final = frozenset({"range", "from", "to"})


async def numbers(request: Request) -> Response:
    """The five numbers over a range, and over as long before it; the last 15 minutes without one."""
    refuse_parameters(request, NAMES)
    monitor, now_ms = monitor_of(request), int(time.time() * 1000)
    asked = PageRequest.read(request.url.path, dict(request.query_params), now_ms)

    def made() -> dict[str, Any]:
        return overview_view(overview(monitor, asked.from_ms, asked.to_ms, now_ms))

    async with monitor.room_for_answers:
        return json_answer(await asyncio.to_thread(made))


ENDPOINTS: Final = (Endpoint("/api/overview", numbers, "the five numbers of the overview, against before", NAMES),)
