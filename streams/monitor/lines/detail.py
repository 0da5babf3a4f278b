"""One line in a time range: how it does against its peers, then and before. Pure; pages/line.py shows it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.lines.comparing import with_peers
from streams.monitor.lines.pane_dials import LinePane, Panes
from streams.monitor.lines.tallies import Cells, Span, cells
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE
from streams.rules.kpis import MIN_SAMPLES, Kpi, kpis, ratio
from streams.rules.windows import window_start

SHOWN_KPIS: Final = (
    "ner",
    "failure_ratio",
    "asr",
    "acd_s",
    "short_call_ratio",
    "silent_answer_ratio",
    "connect_rate",
    "attempts_per_answer",
)
MAX_POINTS: Final = 288
STEPS: Final = (1, 3, 12)  # panes to a point: the shortest that has enough dials for most points
MAX_WORDS: Final = 12
EMPTY: Final = Span()


@dataclass(frozen=True)
class KpiRow:
    """One KPI in the range and in the range before; None below 30 samples."""

    name: str
    now: Kpi | None
    n: int
    before: Kpi | None
    n_before: int


@dataclass(frozen=True)
class WorkflowRow:
    """One workflow on the line: its NER here, and on the peers that dial for it."""

    workflow: str
    dials: int
    here: Kpi | None
    n: int
    there: Kpi | None
    peer_n: int
    peer_lines: int


@dataclass(frozen=True)
class WordRow:
    """One of the provider's words: the share of the n calls of the line that have it, and of the peers' calls.

    Shares are None below 30 calls.
    """

    word: str
    count: int
    n: int
    share: float | None
    peer_n: int
    peer_share: float | None


@dataclass(frozen=True)
class Point:
    """The NER of one step of the history, here and of the peers for the same mix of workflows."""

    at_ms: int
    here: Kpi | None
    peers: Kpi | None


def window_of(store: OutcomeStore, line: str, from_ms: int, to_ms: int) -> WindowedOutcomes | None:
    """The exact sum of the line's panes that begin in the range, whose ends are ends of panes."""
    found = store.laid(SIP_LINE, line, WindowQuery(None, from_ms, to_ms))
    return found[0].window() if found else None


def kpi_rows(now: WindowedOutcomes | None, before: WindowedOutcomes | None) -> list[KpiRow]:
    """The KPIs that tell of a line."""
    values, samples = kpis(now) if now else ({}, {})
    values_before, samples_before = kpis(before) if before else ({}, {})
    return [
        KpiRow(name, values.get(name), samples.get(name, 0), values_before.get(name), samples_before.get(name, 0))
        for name in SHOWN_KPIS
    ]


def span_over(panes: Panes, from_ms: int, to_ms: int) -> Span:
    """The dials of the panes that begin in [from_ms, to_ms), UTC epoch ms."""
    return Span.of(
        (line, cells(pane.by_workflow))
        for line, own in panes.items()
        for pane in own
        if from_ms <= pane.window_start_at < to_ms
    )


def workflow_rows(span: Span, line: str) -> list[WorkflowRow]:
    """The workflows of the line, those with the most dials first."""
    rows = []
    for workflow, own in span.lines.get(line, {}).items():
        others = {name: dials for name, dials in span.workflows.get(workflow, {}).items() if name != line}
        judged, delivered = sum(d.judged for d in others.values()), sum(d.delivered for d in others.values())
        here, there = ratio(own.delivered, own.judged), ratio(delivered, judged)
        rows.append(WorkflowRow(workflow, own.attempts, here, own.judged, there, judged, len(others)))
    return sorted(rows, key=lambda row: (-row.dials, row.workflow))


def word_rows(panes: Panes, line: str, counts: str) -> list[WordRow]:
    """The words of `ring_types` or `hangup_types`, those that the line has most first."""
    here = _added(panes.get(line, ()), counts)
    there = _added((pane for name, own in panes.items() if name != line for pane in own), counts)
    n, peer_n = here.total(), there.total()
    words = sorted(here | there, key=lambda word: (-here[word], -there[word], word))[:MAX_WORDS]
    return [WordRow(word, here[word], n, _share(here[word], n), peer_n, _share(there[word], peer_n)) for word in words]


def _share(count: int, n: int) -> float | None:
    return count / n if n >= MIN_SAMPLES else None


def _added(panes: Iterable[LinePane], counts: str) -> Counter[str]:
    total: Counter[str] = Counter()
    for pane in panes:
        total.update(getattr(pane, counts))
    return total


def history(panes: Panes, line: str, from_ms: int, to_ms: int, pane_s: int) -> list[Point]:
    """The NER step by step, oldest first; None where a side has fewer than 30 dials."""
    pane_ms = pane_s * 1000
    least = -(-(to_ms - from_ms) // (pane_ms * MAX_POINTS))
    points: list[Point] = []
    for step in sorted({max(least, step) * pane_ms for step in STEPS}):
        spans = _by_step(panes, step)
        starts = range(window_start(from_ms, step), to_ms, step)
        points = [_point(at_ms, spans.get(at_ms, EMPTY), line) for at_ms in starts]
        if 2 * sum(point.here is not None for point in points) >= sum(at_ms in spans for at_ms in starts):
            break
    return points


def _by_step(panes: Panes, step_ms: int) -> dict[int, Span]:
    steps: dict[int, list[tuple[str, Cells]]] = {}
    for line, own in panes.items():
        for pane in own:
            steps.setdefault(window_start(pane.window_start_at, step_ms), []).append((line, cells(pane.by_workflow)))
    return {start: Span.of(found) for start, found in steps.items()}


def _point(at_ms: int, span: Span, line: str) -> Point:
    own, found = span.of_line(line), with_peers(span, line)
    expected = round(found.control_n * found.expected / found.n) if found.n else 0
    return Point(at_ms, ratio(own.delivered, own.judged), ratio(expected, found.control_n))
