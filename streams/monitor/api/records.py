"""/api/records/{topic}/{partition}/{offset}: one record, decoded, without personal data."""

import asyncio
import time
from typing import Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.errors import BadParameterError
from streams.monitor.lag.readings import Partition
from streams.monitor.records.one_view import record_view

MAX_PARTITION: Final = 2**31 - 1
MAX_OFFSET: Final = 2**63 - 1


async def record(request: Request) -> Response:
    """The first committed record from this offset on. 403 where records are hidden; 404 for a topic of others."""
    refuse_parameters(request)
    names, monitor = request.path_params, monitor_of(request)
    place = Partition(names["topic"], number_of("partition", names["partition"], MAX_PARTITION))
    found = await monitor.records.read(place, number_of("offset", names["offset"], MAX_OFFSET))
    async with monitor.room_for_answers:
        return json_answer(await asyncio.to_thread(record_view, found, int(time.time() * 1000)))


def number_of(name: str, text: str, most: int) -> int:
    """A number in a path. Raises: BadParameterError."""
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(most)) and int(text) <= most):
        raise BadParameterError(f"{name} must be a whole number from 0 to {most}")
    return int(text)


ENDPOINTS: Final = (
    Endpoint("/api/records/{topic}/{partition}/{offset}", record, "one record, decoded, with personal data masked"),
)
