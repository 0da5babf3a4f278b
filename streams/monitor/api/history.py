"""/api/series and /api/lag/history: what was, as far as anybody looked."""

import asyncio
import time
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.errors import BadParameterError
from streams.monitor.history.asking import LAG_PARAMETERS, SERIES_PARAMETERS, known_name, span_of
from streams.monitor.history.views import lag_history_view, names_view, series_view


async def series(request: Request) -> Response:
    """One series; without `name` the list of them."""
    refuse_parameters(request, SERIES_PARAMETERS)
    monitor, given = monitor_of(request), dict(request.query_params)

    def made() -> dict[str, Any]:
        history = monitor.history
        if "name" not in given:
            return names_view(history)
        return series_view(history, known_name(given, history.names()), span_of(given, _now_ms()))

    async with monitor.room_for_answers:
        return json_answer(await asyncio.to_thread(made))


async def lag_history(request: Request) -> Response:
    """Lag, rates and changes of verdict of one topic of one group."""
    refuse_parameters(request, LAG_PARAMETERS)
    monitor, given = monitor_of(request), dict(request.query_params)
    if missing := {"group", "topic"} - given.keys():
        raise BadParameterError(f"{' and '.join(sorted(missing))} must be given")
    span = span_of(given, _now_ms())
    async with monitor.room_for_answers:
        return json_answer(
            await asyncio.to_thread(lag_history_view, monitor.history, given["group"], given["topic"], span)
        )


def _now_ms() -> int:
    return int(time.time() * 1000)


ENDPOINTS: Final = (
    Endpoint("/api/series", series, "one series over time; without a name: the list of series", SERIES_PARAMETERS),
    Endpoint("/api/lag/history", lag_history, "lag, rates and verdicts of one group's topic over time", LAG_PARAMETERS),
)
