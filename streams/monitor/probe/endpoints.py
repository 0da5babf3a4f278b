"""/api/probe."""

from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.probe.views import probe_view


async def probe(request: Request) -> Response:
    """The state of each hop and the newest probes; `is_on` is false where none are sent."""
    refuse_parameters(request)
    return json_answer(probe_view(monitor_of(request).prober))


ENDPOINTS: Final = (Endpoint("/api/probe", probe, "what became of the newest probes, hop by hop"),)
