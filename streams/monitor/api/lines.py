"""/api/lines: all lines, ranked."""

import asyncio
import time
from typing import Any, Final
from urllib.parse import quote, urlencode

from starlette.requests import Request
from starlette.responses import Response

from streams.monitor.api.endpoint import Endpoint, json_answer, monitor_of, refuse_parameters
from streams.monitor.lines.parameters import NAMES, lines_query
from streams.monitor.lines.ranking import LinesQuery, Ranking, rank
from streams.monitor.lines.views import lines_view
from streams.monitor.lines.watch import LineState
from streams.monitor.monitor import Monitor


async def lines(request: Request) -> Response:
    """The ranked lines of one span. 503 until the outcomes are read."""
    refuse_parameters(request, NAMES)
    monitor, now_ms = monitor_of(request), int(time.time() * 1000)
    query = lines_query(dict(request.query_params), monitor.settings.window_s, now_ms)
    async with monitor.room_for_answers:
        return json_answer(await asyncio.to_thread(_made, monitor, query, request, now_ms))


def _made(monitor: Monitor, query: LinesQuery, request: Request, now_ms: int) -> dict[str, Any]:
    ranking, state = ranked(monitor, query, now_ms)
    more = _next(request, ranking) if ranking.has_more else None
    names, as_of_ms = monitor.reader.caught_up_store.names, monitor.reader.as_of_ms
    return lines_view(ranking, state.fallen, names, as_of_ms or now_ms, more)


def ranked(monitor: Monitor, query: LinesQuery, now_ms: int) -> tuple[Ranking, LineState]:
    """The ranked lines, and the alarms of now where the span ends now. Raises: NotReadyError, BadParameterError."""
    state = monitor.line_state(now_ms) if query.end_ms > now_ms else LineState()
    return rank(monitor.reader.caught_up_store, query, state), state


def _next(request: Request, ranking: Ranking) -> str:
    kept = [(name, text) for name, text in request.query_params.multi_items() if name != "after"]
    after = ("after", str(ranking.query.skip + len(ranking.rows)))
    return f"{request.url.path}?{urlencode([*kept, after], quote_via=quote)}"


ENDPOINTS: Final = (Endpoint("/api/lines", lines, "all SIP lines against their peers, the worst first", NAMES),)
