"""`/lines`: all lines against their peers, the worst first."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import quote, urlencode

from schemas.runtime import instants
from streams.monitor.api.lines import ranked
from streams.monitor.lines.ranking import BEHIND, NEVER_RINGS, NO_CONTROL, OK, TOO_FEW, LinesQuery, longest_s
from streams.monitor.lines.views import lines_view
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.periods import DAY_S
from streams.monitor.pages.frame import Page, PageRequest
from streams.rules.dimensions import WORKFLOW
from streams.rules.windows import window_start

MAX_ROWS: Final = 50
# The class and the words of each state: never colour alone.
VERDICTS: Final = {
    NEVER_RINGS: ("broken", "never rings"),
    BEHIND: ("degraded", "behind"),
    OK: ("ok", "ok"),
    NO_CONTROL: ("", "no control group"),
    TOO_FEW: ("", "too few dials"),
}


def build(monitor: Monitor, asked: PageRequest, _: Mapping[str, str]) -> Page:
    """Raises: NotReadyError, BadParameterError."""
    pane_s = monitor.settings.window_s
    query = query_of(asked, pane_s, longest_s(monitor.reader.caught_up_store, pane_s))
    ranking, state = ranked(monitor, query, asked.now_ms)
    as_of_ms = monitor.reader.as_of_ms
    store = monitor.reader.caught_up_store
    view = lines_view(ranking, state.fallen, store.names, as_of_ms or asked.now_ms, None)
    values = {
        "view": view,
        "rows": list(zip(ranking.rows, view["values"], strict=True)),
        "verdicts": VERDICTS,
        "linked": {
            one["value"] for row in view["values"] for one in row["workflows"] if store.has(WORKFLOW, one["value"])
        },
        "api": api_path(query),
        "from_ms": query.starts.start,
        "to_ms": query.end_ms,
        "shown_s": query.window_s,
        "is_cut": asked.to_ms - asked.from_ms > query.window_s * 1000,
        "more": ranking.count - len(ranking.rows),
        "as_of_ms": as_of_ms,
    }
    return Page("Lines", "lines.html", values)


def query_of(asked: PageRequest, pane_s: int, longest_s: int) -> LinesQuery:
    """The whole panes of the page's range; of a range over a day, or over longest_s, the last day or that."""
    pane_ms = pane_s * 1000
    end_ms = window_start(asked.to_ms - 1, pane_ms) + pane_ms
    span_ms = min(asked.to_ms - asked.from_ms, DAY_S * 1000)
    window_s = min(max(1, -(-span_ms // pane_ms)) * pane_s, longest_s)
    return LinesQuery(window_s, end_ms, pane_s, asked.line, asked.workflow, limit=MAX_ROWS)


def api_path(query: LinesQuery) -> str:
    """The same as JSON, also when the panes of now are past."""
    chosen = {"line": query.line, "workflow": query.workflow}
    given = {"window": f"{query.window_s}s", "to": instants.text(query.end_ms), "limit": str(query.limit)}
    kept = {name: text for name, text in chosen.items() if text}
    return f"/api/lines?{urlencode(given | kept, quote_via=quote)}"
