"""The five numbers of the overview: each over a range, over as long before it, and over the last hour. No I/O."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Final

from streams.monitor.outcomes.totals import PaneTotals, Totals, summed, value_of
from streams.rules.kpis import Kpi, kpi_of
from streams.rules.windows import window_start

HOUR_MS: Final = 3_600_000
HOUR_STEP_S: Final = 60
# Of a range: enough for a mean and a highest value, and few enough for each look at a page.
POINTS: Final = 360
FINE_S: Final = 10
# What is older is not "now": a poll is due every 2 s, and a step of 10 s is known when it is over.
FRESH_MS: Final = 30_000

TITLES: Final = {
    "received_per_s": "Callbacks received",
    "lag_seconds": "Worker behind by",
    "ner": "NER: phones reached",
    "asr": "ASR: dials answered",
    "failure_ratio": "Failed before ringing",
}

Values = list[float | None]
# (name, from_ms, to_ms, step_s) -> (start of a step, value), as History.series.
Series = Callable[[str, int, int, int], Sequence[tuple[int, float | None]]]


@dataclass(frozen=True)
class Figure:
    """One number. value, before: over the range and the one before; None: not known, or too few to say.

    n, n_before: samples of a ratio; low, high: its interval. now: the newest reading, of what is read all the time.
    hour: the last hour in steps, oldest first.
    """

    name: str
    unit: str
    value: float | None
    before: float | None
    hour: Values
    now: float | None = None
    n: int | None = None
    n_before: int | None = None
    low: float | None = None
    high: float | None = None

    @property
    def title(self) -> str:
        """What it says."""
        return TITLES[self.name]


@dataclass(frozen=True)
class PaneRange:
    """[start, end) in whole panes, epoch ms: those that hold a part of a range, and as many before it."""

    start_ms: int
    end_ms: int

    @classmethod
    def around(cls, from_ms: int, to_ms: int, pane_ms: int) -> "PaneRange":
        """As many whole panes as the range is long, the last one the pane that its end lies in."""
        end_ms = window_start(to_ms - 1, pane_ms) + pane_ms
        count = max(1, round((to_ms - from_ms) / pane_ms))
        return cls(end_ms - count * pane_ms, end_ms)

    def before(self) -> "PaneRange":
        """As long, and ending where this one begins."""
        return PaneRange(2 * self.start_ms - self.end_ms, self.start_ms)


def figures(series: Series, totals: Totals, from_ms: int, to_ms: int, pane_ms: int, now_ms: int) -> list[Figure]:
    """All five, in the order of TITLES."""
    panes = PaneRange.around(from_ms, to_ms, pane_ms)
    starts = range(window_start(to_ms - HOUR_MS, pane_ms), panes.end_ms, pane_ms)
    hour = [totals.beginning_in(start, start + pane_ms) for start in starts]
    ratios = [_ratio(name, totals, panes, hour) for name in ("ner", "asr", "failure_ratio")]
    return [
        _reading("received_per_s", "/s", fmean, series, from_ms, to_ms, now_ms),
        _reading("lag_seconds", "s", max, series, from_ms, to_ms, now_ms),
        *ratios,
    ]


def _reading(
    name: str,
    unit: str,
    joined: Callable[[Iterable[float]], float],
    series: Series,
    from_ms: int,
    to_ms: int,
    now_ms: int,
) -> Figure:
    step_s = max(FINE_S, (to_ms - from_ms) // (1000 * POINTS * FINE_S) * FINE_S)

    def over(begin_ms: int, end_ms: int) -> float | None:
        known = [value for at, value in series(name, begin_ms, end_ms, step_s) if value is not None and at >= begin_ms]
        return joined(known) if known else None

    hour = [value for _, value in series(name, to_ms - HOUR_MS, to_ms, HOUR_STEP_S)]
    newest = [value for _, value in series(name, now_ms - FRESH_MS, now_ms, FINE_S) if value is not None]
    return Figure(
        name, unit, over(from_ms, to_ms), over(2 * from_ms - to_ms, from_ms), hour, newest[-1] if newest else None
    )


def _ratio(name: str, totals: Totals, panes: PaneRange, hour: list[list[PaneTotals]]) -> Figure:
    earlier = panes.before()
    kpi, n = _kpi(name, totals.beginning_in(panes.start_ms, panes.end_ms))
    before, n_before = _kpi(name, totals.beginning_in(earlier.start_ms, earlier.end_ms))
    return Figure(
        name,
        "%",
        value_of(kpi),
        value_of(before),
        [value_of(_kpi(name, pane)[0]) for pane in hour],
        n=n,
        n_before=n_before,
        low=kpi["low"] if kpi else None,
        high=kpi["high"] if kpi else None,
    )


def _kpi(name: str, panes: Iterable[PaneTotals]) -> tuple[Kpi | None, int]:
    counts = summed(panes)[name]
    return kpi_of(name, *counts), counts[1]
