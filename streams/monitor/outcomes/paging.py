"""Pure: an answer of many windows in parts. Each is bounded in windows and in panes to add up, and has a cursor."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Self

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.errors import BadParameterError
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import MAX_DIGITS, Laid, OutcomeStore
from streams.rules.dimensions import Dimension

MAX_WINDOWS: Final = 2_000
# A few seconds of adding up; a single window may have more.
MAX_PANES: Final = 20_000


@dataclass(frozen=True)
class Cursor:
    """The last window of a part: its value and start. As text it is like a record's key, `value|start in ms`."""

    value: str
    start_at: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises: BadParameterError."""
        value, separator, start = text.rpartition("|")
        if not (separator and start.isascii() and start.isdigit() and len(start) <= MAX_DIGITS):
            raise BadParameterError("after is not from the link to a next part")
        return cls(value, int(start))

    def __str__(self) -> str:
        return f"{self.value}|{self.start_at}"


@dataclass(frozen=True)
class WindowsPart:
    """Windows by value, both in order, and the cursor after which more follow."""

    values: list[tuple[str, list[WindowedOutcomes]]]
    next: Cursor | None = None


def part_of(
    store: OutcomeStore, dimension: Dimension, values: list[str], query: WindowQuery, after: Cursor | None = None
) -> WindowsPart:
    """The next part of these sorted values' windows. Values without windows are left out."""
    found: list[tuple[str, list[WindowedOutcomes]]] = []
    last: Cursor | None = None
    for number, panes, value, window in _numbered(store, dimension, values, query, after):
        if last is not None and (number > MAX_WINDOWS or panes > MAX_PANES):
            return WindowsPart(found, last)
        if not found or found[-1][0] != value:
            found.append((value, []))
        summed = window.window()
        found[-1][1].append(summed)
        last = Cursor(value, summed.window_start_at)
    return WindowsPart(found)


def _numbered(
    store: OutcomeStore, dimension: Dimension, values: list[str], query: WindowQuery, after: Cursor | None
) -> Iterator[tuple[int, int, str, Laid]]:
    """(how many windows, how many panes so far, value, window)."""
    windows = panes = 0
    for value in values:
        if after is not None and value < after.value:
            continue
        goes_on = after is not None and value == after.value
        asked = replace(query, after=after.start_at) if after is not None and goes_on else query
        for laid in store.laid(dimension, value, asked):
            windows, panes = windows + 1, panes + len(laid.panes)
            yield windows, panes, value, laid
