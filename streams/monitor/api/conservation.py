"""/api/conservation: does everything that came in come out?"""

import asyncio
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.conservation.views import conservation_view
from streams.monitor.history.asking import span_of

PARAMETERS: Final = frozenset({"from", "to"})


async def conservation(request: Request) -> Response:
    """The difference of each step now, and the worst hour of the last day, or of what `from` and `to` name."""
    refuse_parameters(request, PARAMETERS)
    monitor = monitor_of(request)
    now_ms = int(time.time() * 1000)
    span = span_of(dict(request.query_params), now_ms)
    async with monitor.room_for_answers:
        made = asyncio.to_thread(conservation_view, monitor.conservation, span.from_ms, span.to_ms, now_ms)
        return json_answer(await made)


ENDPOINTS: Final = (
    Endpoint("/api/conservation", conservation, "whether everything that came in came out, step by step", PARAMETERS),
)
