"""Pure: the workflows of a span, the worst first. The answer of /api/workflows and the page /workflows."""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.runtime import instants
from streams.monitor.outcomes.store import OutcomeStore, StoredPane
from streams.monitor.workflows.lines_used import lines_by_workflow
from streams.monitor.workflows.spans import Span, busiest, window_of
from streams.rules.dimensions import WORKFLOW
from streams.rules.kpis import Kpi, kpis, ratio
from streams.rules.windows import window_start

MAX_ROWS: Final = 100
HOUR_MS: Final = 3_600_000
HOURS: Final = 24
SHOWN: Final = ("connect_rate", "ner", "completion", "list_badness")
VERDICTS: Final = {
    "fell": "the connect rate is below that of the span before, and their 95 % intervals do not overlap",
    "few": "under 30 calls: too few to say",
    "new": "nothing to compare with in the span before",
    "rose": "the connect rate is above that of the span before, and their 95 % intervals do not overlap",
    "steady": "no sure change: the 95 % intervals of the two spans overlap",
}


class _Packed(msgspec.Struct, gc=False):
    """Of a packed pane only what is ranked by."""

    calls: int
    answered: int


_unpack: Final = msgspec.msgpack.Decoder(_Packed).decode


class Reached(NamedTuple):
    """Calls, and those whose callee answered."""

    calls: int
    answered: int

    @property
    def rate(self) -> Kpi | None:
        """The connect rate."""
        return ratio(self.answered, self.calls)


class Ranked(NamedTuple):
    """One workflow before its row is made."""

    workflow: str
    now: Reached
    before: Reached

    @property
    def verdict(self) -> str:
        """One of VERDICTS."""
        return compared(self.now.rate, self.before.rate)

    @property
    def badness(self) -> tuple[bool, bool, float, int, str]:
        """Sorts the worst first: what fell, then what surely connects least, then what has too few calls."""
        rate = self.now.rate
        surely = (rate["high"] or 0.0) if rate else 1.0
        return self.verdict != "fell", rate is None, surely, -self.now.calls, self.workflow


def compared(now: Kpi | None, before: Kpi | None) -> str:
    """One of VERDICTS: intervals that do not overlap are surely apart.

    Those that overlap may be apart, too: the test is a strict one, for many workflows are judged at once.
    """
    if now is None:
        return "few"
    if before is None:
        return "new"
    if (now["high"] or 0.0) < (before["low"] or 0.0):
        return "fell"
    return "rose" if (now["low"] or 0.0) > (before["high"] or 0.0) else "steady"


def ranking_view(
    store: OutcomeStore, span: Span, as_of_ms: int, line: str | None = None, workflow: str | None = None
) -> dict[str, Any]:
    """{"as_of", "from", "to", "left_out", "sip_lines_unread", "workflows": [...]}: the worst MAX_ROWS with calls.

    line: only those that dialled on this one; workflow: only this one. left_out: how many more had calls.
    sip_lines_unread: lines that are in no `sip_lines`. Of a workflow both spans are read, or neither.
    """
    lines, unread = lines_by_workflow(store, span)
    on_line = None if line is None else lines_by_workflow(store, span, [line])[0]
    called = [
        value
        for value in (store.values(WORKFLOW) if workflow is None else [workflow])
        if (on_line is None or value in on_line) and store.kept(WORKFLOW, value, span.starts)
    ]
    panes, left_out = busiest(store, WORKFLOW, called, span._replace(from_ms=span.before().from_ms))
    ranked = sorted((_ranked(value, kept, span) for value, kept in panes.items()), key=lambda one: one.badness)
    return {
        "as_of": instants.text(as_of_ms),
        "from": instants.text(span.from_ms),
        "to": instants.text(span.to_ms),
        "left_out": left_out + max(0, len(ranked) - MAX_ROWS),
        "sip_lines_unread": unread,
        "workflows": [_row(store, one, span, len(lines.get(one.workflow, ()))) for one in ranked[:MAX_ROWS]],
    }


def _ranked(workflow: str, panes: list[StoredPane], span: Span) -> Ranked:
    now, before = (_reached(p for p in panes if (p.end_at > span.from_ms) is is_now) for is_now in (True, False))
    return Ranked(workflow, now, before)


def _row(store: OutcomeStore, ranked: Ranked, span: Span, lines: int) -> dict[str, Any]:
    window = window_of(store, WORKFLOW, ranked.workflow, span)
    values, samples = kpis(window) if window else ({}, {})
    return {
        "value": ranked.workflow,
        "workflow_name": store.names.of(ranked.workflow),
        "verdict": ranked.verdict,
        "calls": ranked.now.calls,
        "answered": ranked.now.answered,
        "sip_lines": lines,
        "kpis": {name: values.get(name) for name in SHOWN},
        "kpi_samples": {name: samples.get(name, 0) for name in SHOWN},
        "before": {**ranked.before._asdict(), "connect_rate": ranked.before.rate},
        "connect_rate_by_hour": by_hour(store, ranked.workflow, span.to_ms, span.pane_ms),
    }


def by_hour(store: OutcomeStore, workflow: str, to_ms: int, pane_ms: int) -> list[float | None]:
    """The connect rate of each of the HOURS up to this instant, oldest first; None below 30 calls."""
    end = -window_start(-to_ms, HOUR_MS)
    hours = [Reached(0, 0)] * HOURS
    for start, pane in store.kept(WORKFLOW, workflow, range(end - HOURS * HOUR_MS, end, pane_ms)):
        place = HOURS - 1 - (end - 1 - start) // HOUR_MS
        hours[place] = _sum((hours[place], _reached([pane])))
    return [rate["value"] if (rate := hour.rate) else None for hour in hours]


def _reached(panes: Iterable[StoredPane]) -> Reached:
    windows = (_unpack(pane.packed) for pane in panes)
    return _sum(Reached(window.calls, window.answered) for window in windows)


def _sum(parts: Iterable[Reached]) -> Reached:
    found = list(parts)
    return Reached(sum(one.calls for one in found), sum(one.answered for one in found))
