"""/api/losses."""

import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.losses.views import losses, losses_view


async def lost(request: Request) -> Response:
    """What was lost or set aside, by kind, with since when and the command that helps."""
    refuse_parameters(request)
    now_ms = int(time.time() * 1000)
    return json_answer(losses_view(losses(monitor_of(request), now_ms), now_ms))


ENDPOINTS: Final = (Endpoint("/api/losses", lost, "what was lost or set aside, since when, and what helps"),)
