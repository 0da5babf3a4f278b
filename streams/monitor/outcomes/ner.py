"""Pure: the NER of all lines together, pane by pane: kept up with each record, no request adds up thirty days."""

from typing import Final, NamedTuple

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.store import StoredPane
from streams.rules.dimensions import SIP_LINE, Dimension
from streams.rules.kpis import MIN_SAMPLES, ner_counts

SWEPT_EVERY: Final = 1_000
DAY_MS: Final = 86_400_000


class PaneNer(NamedTuple):
    """The counts of one pane: dials that reached a phone, and dials that could be judged. Bounds in epoch ms."""

    start_at: int
    end_at: int
    delivered: int
    judged: int


class NerByPane:
    """An observer of the store. One thread writes; others may read at the same time. days: how long it keeps a pane."""

    def __init__(self, days: int) -> None:
        self._kept_ms = days * DAY_MS
        self._panes: dict[int, PaneNer] = {}
        self._begun = 0

    def observe(self, dimension: Dimension, before: StoredPane | None, after: WindowedOutcomes | None) -> None:
        """One line's pane takes the place of another; None: there was none, or is none any more."""
        if dimension is not SIP_LINE:
            return
        if before is not None:
            self._add(before.unpacked(), -1)
        if after is not None:
            self._add(after, 1)

    def _add(self, window: WindowedOutcomes, sign: int) -> None:
        start_at, (delivered, judged) = window.window_start_at, ner_counts(window)
        pane = self._panes.get(start_at)
        if pane is None:
            pane = PaneNer(start_at, window.window_end_at, 0, 0)
            self._begun += 1
            if self._begun % SWEPT_EVERY == 0:
                self._sweep(window.window_end_at - self._kept_ms)
        self._panes[start_at] = pane._replace(
            delivered=pane.delivered + sign * delivered, judged=pane.judged + sign * judged
        )

    def _sweep(self, horizon_ms: int) -> None:
        self._panes = {start: pane for start, pane in self._panes.items() if pane.end_at >= horizon_ms}

    def points(self, from_ms: int, to_ms: int, step_s: int) -> list[tuple[int, float | None]]:
        """The NER of each step, by the panes that touch it; None below MIN_SAMPLES. Steps begin at the epoch."""
        step_ms = step_s * 1000
        first = from_ms // step_ms * step_ms
        sums = dict.fromkeys(range(first, to_ms, step_ms), (0, 0))
        for pane in list(self._panes.values()):
            begin = max(first, pane.start_at // step_ms * step_ms)
            for at in range(begin, min(pane.end_at, to_ms), step_ms):
                delivered, judged = sums[at]
                sums[at] = delivered + pane.delivered, judged + pane.judged
        return [(at, delivered / judged if judged >= MIN_SAMPLES else None) for at, (delivered, judged) in sums.items()]
