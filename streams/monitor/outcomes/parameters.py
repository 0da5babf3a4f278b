"""Pure: the parameters of a request for windows: from, to, window, tz, limit and after."""

from collections.abc import Sequence, Set
from dataclasses import dataclass
from typing import Final

from schemas.runtime import instants
from streams.monitor.errors import BadParameterError
from streams.monitor.outcomes.paging import Cursor
from streams.monitor.outcomes.periods import LocalDays, WindowQuery, window_seconds, zone_of
from streams.monitor.outcomes.plausible import DAY_MS, FIRST_MS, MAX_AHEAD_MS
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import Dimension
from streams.rules.windows import window_start

NAMES: Final = frozenset({"from", "to", "window", "tz", "limit", "after"})
ALL: Final = "all"
DEFAULT_SPAN_MS: Final = DAY_MS
MAX_LIMIT: Final = 100_000
MAX_LIMIT_DIGITS: Final = 6

Parameters = Sequence[tuple[str, str]]


@dataclass(frozen=True)
class WindowRequest:
    """A request for windows. as_of_ms: the age of what is known; now_ms: when it was made. Both epoch ms."""

    dimension: Dimension
    window_s: int
    query: WindowQuery
    as_of_ms: int
    now_ms: int
    after: Cursor | None = None


def refuse_unknown(parameters: Parameters, known: Set[str]) -> None:
    """Raises: BadParameterError for an unknown name, and for one that comes twice."""
    names = [name for name, _ in parameters]
    for name in names:
        if name not in known:
            allowed = f"known are {', '.join(sorted(known))}" if known else "there are none"
            raise BadParameterError(f"unknown parameter {name[:40]!r}: {allowed}")
        if names.count(name) > 1:
            raise BadParameterError(f"{name} comes twice")


def window_request(
    parameters: Parameters, store: OutcomeStore, dimension: Dimension, value: str | None, pane_s: int, now_ms: int
) -> WindowRequest:
    """The request that these parameters make.

    Without `from` it covers the last day: up to `to`, to now, or to the end of the newest window.
    Raises: BadParameterError.
    """
    refuse_unknown(parameters, NAMES)
    given = dict(parameters)
    pane_ms = pane_s * 1000
    from_ms, to_ms = _range(given, min(now_ms + pane_ms, store.newest_end(dimension, value) or now_ms))
    limit = _limit(given.get("limit"))
    after = Cursor.parse(given["after"]) if "after" in given else None
    if given.get("window") == ALL:
        if "tz" in given:
            raise BadParameterError("tz is for windows of a day and more; window=all has bounds of its own")
        end_ms = now_ms + pane_ms if to_ms is None else to_ms
        whole = window_start(from_ms, pane_ms), max(from_ms, -window_start(-end_ms, pane_ms))
        query = WindowQuery(None, *whole, limit, after=None)
        return WindowRequest(dimension, (whole[1] - whole[0]) // 1000, query, now_ms, now_ms, after)
    window_s = window_seconds(given["window"], pane_s) if "window" in given else pane_s
    days = LocalDays.of(window_s, pane_s, zone_of(given["tz"])) if "tz" in given else None
    return WindowRequest(dimension, window_s, WindowQuery(window_s, from_ms, to_ms, limit, days), now_ms, now_ms, after)


def instant_of(name: str, value: str) -> int:
    """A parameter's instant as UTC epoch ms. A space in its time is a `+` that was not escaped in the URL.

    Raises: BadParameterError naming the parameter.
    """
    day, separator, time = value.strip().partition("T")
    try:
        return instants.parse(day + separator + time.replace(" ", "+"))
    except ValueError as error:
        raise BadParameterError(f"{name} is {error}") from error


def inside(at_ms: int) -> int:
    """The instant, or the nearest one of the years in which windows lie: what is near it is an instant, too."""
    return min(max(at_ms, FIRST_MS - MAX_AHEAD_MS), FIRST_MS + 200 * 366 * DAY_MS)


def _range(given: dict[str, str], end_ms: int) -> tuple[int, int | None]:
    bounds = {name: instant_of(name, given[name]) for name in ("from", "to") if name in given}
    if len(bounds) == 2 and bounds["from"] >= bounds["to"]:
        raise BadParameterError("from must be before to")
    to_ms = inside(bounds["to"]) if "to" in bounds else None
    default_ms = (end_ms if to_ms is None else min(to_ms, end_ms)) - DEFAULT_SPAN_MS
    return inside(bounds.get("from", default_ms)), to_ms


def _limit(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= MAX_LIMIT_DIGITS and 0 < int(text) <= MAX_LIMIT):
        raise BadParameterError(f"limit must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)
