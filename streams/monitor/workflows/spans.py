"""Pure: the span of time of an answer about workflows, in whole panes, and what the store has of it."""

from collections.abc import Iterable
from typing import Final, NamedTuple, Self

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import OutcomeStore, StoredPane
from streams.rules.dimensions import Dimension
from streams.rules.windows import window_start

# What one answer adds up at most, a second or two of work; the busiest values come first.
MAX_PANES: Final = 40_000


class Span(NamedTuple):
    """From (inclusive) to (exclusive), UTC epoch ms, and the length of a pane."""

    from_ms: int
    to_ms: int
    pane_ms: int

    @classmethod
    def around(cls, from_ms: int, to_ms: int, pane_s: int) -> Self:
        """The whole panes that overlap these bounds: as the windows of `window=all` count them."""
        pane_ms = pane_s * 1000
        return cls(window_start(from_ms, pane_ms), -window_start(-to_ms, pane_ms), pane_ms)

    def before(self) -> Self:
        """The span of equal length that ends where this one begins."""
        return self._replace(from_ms=2 * self.from_ms - self.to_ms, to_ms=self.from_ms)

    @property
    def starts(self) -> range:
        """Where its panes begin."""
        return range(self.from_ms, self.to_ms, self.pane_ms)

    @property
    def query(self) -> WindowQuery:
        """The one window that it is."""
        return WindowQuery(None, self.from_ms, self.to_ms)


def window_of(store: OutcomeStore, dimension: Dimension, value: str, span: Span) -> WindowedOutcomes | None:
    """The exact sum over the span; None when nothing was counted in it."""
    laid = store.laid(dimension, value, span.query)
    return laid[0].window() if laid else None


def busiest(
    store: OutcomeStore, dimension: Dimension, values: Iterable[str], span: Span
) -> tuple[dict[str, list[StoredPane]], int]:
    """The panes of each value in the span, up to MAX_PANES of all, and how many values were left out for it."""
    found = [(value, [pane for _, pane in store.kept(dimension, value, span.starts)]) for value in values]
    found = sorted((item for item in found if item[1]), key=lambda item: -len(item[1]))
    kept: dict[str, list[StoredPane]] = {}
    room = MAX_PANES
    for value, panes in found:
        room -= len(panes)
        if room < 0 and kept:
            break
        kept[value] = panes
    return kept, len(found) - len(kept)
