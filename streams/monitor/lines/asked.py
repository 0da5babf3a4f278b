"""Pure: the time range that is explained."""

from collections.abc import Mapping
from typing import Final, NamedTuple

from streams.monitor.errors import BadParameterError
from streams.monitor.outcomes.parameters import instant_of
from streams.rules.windows import window_start

NAMES: Final = frozenset({"from", "to"})
DEFAULT_SPAN_MS: Final = 15 * 60_000
MAX_SPAN_MS: Final = 31 * 86_400_000


class Range(NamedTuple):
    """From (inclusive) to (exclusive), UTC epoch ms."""

    from_ms: int
    to_ms: int


def explained_range(given: Mapping[str, str], since_ms: int | None, now_ms: int, pane_s: int) -> Range:
    """What `from` and `to` ask for. since_ms: since when the line is in alarm; None: it is in none.

    Without `to` it ends with the present pane. Without `from` it begins with the alarm, else 15 minutes before its end.
    So the same question a moment later is the same range, and its records need not be read again.
    Raises: BadParameterError.
    """
    pane_ms = pane_s * 1000
    to_ms = instant_of("to", given["to"]) if "to" in given else window_start(now_ms, pane_ms) + pane_ms
    if "from" in given:
        from_ms = instant_of("from", given["from"])
    elif since_ms is not None and since_ms < to_ms:
        from_ms = since_ms
    else:
        from_ms = window_start(to_ms - DEFAULT_SPAN_MS, pane_ms)
    if not from_ms < to_ms:
        raise BadParameterError("from must be before to")
    return Range(max(from_ms, to_ms - MAX_SPAN_MS), to_ms)
