"""/api/lag."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.lag.views import lag_view


async def lag(request: Request) -> Response:
    """The newest lag, read at as_of. 503 when no poll ever succeeded."""
    refuse_parameters(request)
    return json_answer(lag_view(monitor_of(request).poller.snapshot))


ENDPOINTS: Final = (Endpoint("/api/lag", lag, "records, seconds and verdict of every watched partition"),)
