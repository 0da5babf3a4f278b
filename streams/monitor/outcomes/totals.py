"""Pure: the counts behind a few KPIs of all SIP lines together, pane by pane: no request adds up ten thousand lines."""

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.store import StoredPane
from streams.rules.dimensions import SIP_LINE, Dimension
from streams.rules.kpis import Kpi, kpi_counts, kpi_of

KPIS: Final = ("ner", "asr", "failure_ratio")
SWEPT_EVERY: Final = 1_000
DAY_MS: Final = 86_400_000

# (numerator, denominator) of each of KPIS. Those of several panes add up to those of their sum.
Counts = Mapping[str, tuple[int, int]]
NOTHING: Final[Counts] = dict.fromkeys(KPIS, (0, 0))


class PaneTotals(NamedTuple):
    """One pane of all lines. Bounds in epoch ms."""

    start_at: int
    end_at: int
    counts: Counts


class Totals:
    """An observer of the store. One thread writes; others may read at the same time. days: how long it keeps a pane."""

    def __init__(self, days: int) -> None:
        self._kept_ms = days * DAY_MS
        self._panes: dict[int, PaneTotals] = {}
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
        start_at = window.window_start_at
        pane = self._panes.get(start_at)
        if pane is None:
            pane = PaneTotals(start_at, window.window_end_at, NOTHING)
            self._begun += 1
            if self._begun % SWEPT_EVERY == 0:
                self._sweep(window.window_end_at - self._kept_ms)
        self._panes[start_at] = pane._replace(counts=_plus(pane.counts, kpi_counts(window), sign))

    def _sweep(self, horizon_ms: int) -> None:
        self._panes = {start: pane for start, pane in self._panes.items() if pane.end_at >= horizon_ms}

    def beginning_in(self, from_ms: int, to_ms: int) -> list[PaneTotals]:
        """The panes that begin in [from_ms, to_ms), in no order."""
        return [pane for pane in list(self._panes.values()) if from_ms <= pane.start_at < to_ms]

    def ner(self, from_ms: int, to_ms: int, step_s: int) -> list[tuple[int, float | None]]:
        """The NER of each step, by the panes that touch it; None below 30 dials. Steps begin at the epoch."""
        step_ms = step_s * 1000
        first = from_ms // step_ms * step_ms
        sums = dict.fromkeys(range(first, to_ms, step_ms), (0, 0))
        for pane in list(self._panes.values()):
            begin = max(first, pane.start_at // step_ms * step_ms)
            for at in range(begin, min(pane.end_at, to_ms), step_ms):
                sums[at] = _sum(sums[at], pane.counts["ner"], 1)
        return [(at, value_of(kpi_of("ner", *counts))) for at, counts in sums.items()]


def value_of(kpi: Kpi | None) -> float | None:
    """Its value; None below 30 samples."""
    return None if kpi is None else kpi["value"]


def summed(panes: Iterable[PaneTotals]) -> Counts:
    """The counts of all of them."""
    total = NOTHING
    for pane in panes:
        total = _plus(total, pane.counts, 1)
    return total


def _plus(total: Counts, more: Counts, sign: int) -> Counts:
    return {name: _sum(total[name], more[name], sign) for name in KPIS}


def _sum(one: tuple[int, int], other: tuple[int, int], sign: int) -> tuple[int, int]:
    return one[0] + sign * other[0], one[1] + sign * other[1]
