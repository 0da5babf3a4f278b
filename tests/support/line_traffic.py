"""Simulated dials of the lines of one workflow, as the alarm sees them: by minute, seeded, with a daily swing.

The figures of the issue's simulation: four lines share a campaign whose share of delivered dials swings by 8 points a
day. A change of the list costs all lines 15 points; a bad line loses 60 % of what it delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from streams.monitor.lines.alarms import SPANS_S, LineAlarms, SpanView
from streams.monitor.lines.notices import Lines, Notice, WorkflowNotices
from streams.monitor.lines.tallies import Dials, Span

PANE_MINUTES = 5
DAY_PANES = 288
WEEK_PANES = 7 * DAY_PANES
LINES = 4
USUAL_SHARE = 0.45
SWING = 0.08
LIST_CHANGE = 0.15
WORKFLOW = "campaign"

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Traffic:
    """Dials and those delivered, summed up to each minute: arrays of (lines, minutes + 1)."""

    dials: Counts
    delivered: Counts

    @property
    def panes(self) -> int:
        return (int(self.dials.shape[1]) - 1) // PANE_MINUTES

    def span(self, begin: int, end: int) -> Span:
        """All dials of the minutes from begin until end."""
        lines = {}
        totals = Dials(0, 0, 0)
        for line in range(self.dials.shape[0]):
            dials = int(self.dials[line, end] - self.dials[line, begin])
            found = Dials(dials, dials, int(self.delivered[line, end] - self.delivered[line, begin]))
            lines[f"line-{line}"] = found
            totals = totals.plus(found)
        return Span({line: {WORKFLOW: found} for line, found in lines.items()}, {WORKFLOW: lines}, {WORKFLOW: totals})

    def views(self, minute: int) -> list[SpanView]:
        """The spans that end with the pane around this minute, of which only its beginning is there."""
        present = minute // PANE_MINUTES
        return [
            SpanView(s, begin * 60_000, self.span(begin, minute + 1))
            for s in SPANS_S
            if (begin := max(0, present + 1 - s // 300) * PANE_MINUTES) >= 0
        ]

    def before(self, minute: int) -> dict[str, Lines]:
        """The hour before the longest span."""
        end = max(0, minute // PANE_MINUTES - 11)
        return dict(self.span(max(0, end - 12) * PANE_MINUTES, end * PANE_MINUTES).workflows)


def traffic(
    seed: int,
    panes: int,
    dials_per_pane: int,
    *,
    bad: float = 1.0,
    bad_from: int | None = None,
    list_from: int | None = None,
    differ: float = 0.0,
    usual: float = USUAL_SHARE,
) -> Traffic:
    """bad: what line-0 still delivers of its share from pane bad_from on. differ: how far lines differ, in points."""
    chance = np.random.default_rng(seed)
    minutes = panes * PANE_MINUTES
    share = usual + SWING / 2 * np.sin(2 * np.pi * np.arange(minutes) / (DAY_PANES * PANE_MINUTES))
    shares = share + chance.uniform(-differ, differ, (LINES, 1))
    if list_from is not None:
        shares[:, list_from * PANE_MINUTES :] -= LIST_CHANGE
    if bad_from is not None:
        shares[0, bad_from * PANE_MINUTES :] *= bad
    dials = chance.poisson(dials_per_pane / PANE_MINUTES, (LINES, minutes))
    delivered = chance.binomial(dials, shares.clip(0, 1))
    return Traffic(*(np.pad(counts.cumsum(axis=1), ((0, 0), (1, 0))) for counts in (dials, delivered)))


@dataclass
class Watched:
    """What the alarm said: (minute, line) of each alarm that began, and of each that ended; each new notice."""

    began: list[tuple[int, str]] = field(default_factory=list)
    ended: list[tuple[int, str]] = field(default_factory=list)
    notices: list[tuple[int, Notice]] = field(default_factory=list)


def constant(value: int) -> Callable[..., int]:
    return lambda *_: value


def watch(found: Traffic, minutes: Iterable[int]) -> Watched:
    """Run the alarm and the notices at these minutes."""
    alarms, notices, said = LineAlarms(), WorkflowNotices(), Watched()
    for minute in minutes:
        views = found.views(minute)
        lines, fallen = set(alarms.behind), set(notices.fallen)
        now_ms = minute * 60_000
        present = now_ms - now_ms % 300_000
        begin = constant(present)
        alarms.update(views, lambda _: None, begin, begin)
        notices.update(views, found.before(minute), lambda *_: True, begin, now_ms)
        said.began += [(minute, line) for line in alarms.behind.keys() - lines]
        said.ended += [(minute, line) for line in lines - alarms.behind.keys()]
        said.notices += [(minute, notices.fallen[name]) for name in notices.fallen.keys() - fallen]
    return said


def looks(panes: int, per_pane: int = 1, first: int = 24) -> Iterator[int]:
    """The minutes of so many looks into each pane, the last when it is full."""
    every = PANE_MINUTES // per_pane
    return (pane * PANE_MINUTES + m for pane in range(first, panes) for m in range(every - 1, PANE_MINUTES, every))


def panes_until_found(seeds: Sequence[int], dials_per_pane: int, within: int = 40, bad: float = 0.4) -> list[int]:
    """Panes until line-0's alarm after it lost its share, in each run; `within` + 1 where it was not found."""
    found = []
    for seed in seeds:
        # the fall begins at another hour of the day in each run
        begin = 24 + seed * 7 % DAY_PANES
        run = traffic(seed, begin + within, dials_per_pane, bad=bad, bad_from=begin)
        said = watch(run, looks(run.panes, first=begin - 1))
        minute = next((minute for minute, line in said.began if line == "line-0" and minute >= begin * 5), None)
        found.append(within + 1 if minute is None else minute // PANE_MINUTES - begin + 1)
    return found
