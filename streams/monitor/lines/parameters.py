"""Pure: the parameters of a request for the ranked lines."""

from collections.abc import Mapping
from typing import Final

from streams.monitor.errors import BadParameterError
from streams.monitor.lines.ranking import LinesQuery
from streams.monitor.outcomes.parameters import instant_of
from streams.monitor.outcomes.periods import DAY_S, window_seconds
from streams.rules.windows import window_start

NAMES: Final = frozenset({"window", "to", "line", "workflow", "limit", "after"})
DEFAULT_WINDOW_S: Final = 900
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
MAX_AFTER: Final = 1_000_000


def lines_query(given: Mapping[str, str], pane_s: int, now_ms: int) -> LinesQuery:
    """The span ends with the pane that holds `to`, or now. Raises: BadParameterError naming the parameter."""
    usual_s = max(1, DEFAULT_WINDOW_S // pane_s) * pane_s
    window_s = window_seconds(given["window"], pane_s) if "window" in given else usual_s
    if window_s > max(DAY_S, pane_s):
        raise BadParameterError("window must be at most 1d")
    last_ms = instant_of("to", given["to"]) - 1 if "to" in given else now_ms
    return LinesQuery(
        window_s,
        window_start(last_ms, pane_s * 1000) + pane_s * 1000,
        pane_s,
        given.get("line") or None,
        given.get("workflow") or None,
        _number("after", given.get("after", "0"), 0, MAX_AFTER),
        _number("limit", given.get("limit", str(DEFAULT_LIMIT)), 1, MAX_LIMIT),
    )


def _number(name: str, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= 7 and least <= int(text) <= most):
        raise BadParameterError(f"{name} must be a number from {least} to {most}")
    return int(text)
