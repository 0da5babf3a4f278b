"""Each line's dials by workflow over some panes, and each workflow's by line: what a line is compared by. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Final, NamedTuple

import msgspec

from schemas.records.outcomes import LineWorkflowOutcomes
from streams.monitor.outcomes.store import OutcomeStore, StoredPane
from streams.rules.bounds import OTHER
from streams.rules.dimensions import SIP_LINE


class _Packed(msgspec.Struct, gc=False):
    """Of a packed window only what is used here: unpacking the rest costs ten times as much."""

    by_workflow: dict[str, LineWorkflowOutcomes]


_unpack: Final = msgspec.msgpack.Decoder(_Packed).decode


class Dials(NamedTuple):
    """Dials of one line for one workflow.

    judged: those that say something of the line, with neither bad numbers, which are the list's, nor cancelled dials.
    So delivered / judged is the KPI `ner`; what was not delivered failed before it rang.
    """

    attempts: int
    judged: int
    delivered: int

    def plus(self, other: "Dials") -> "Dials":
        """The sum."""
        return Dials(self.attempts + other.attempts, self.judged + other.judged, self.delivered + other.delivered)


NONE: Final = Dials(0, 0, 0)
Cells = tuple[tuple[str, Dials], ...]


def cells_of(pane: StoredPane) -> Cells:
    """(workflow, dials) of one pane of a line."""
    return tuple(
        (intern(workflow), Dials(found.attempts, found.delivered + found.pre_alert_failure, found.delivered))
        for workflow, found in _unpack(pane.packed).by_workflow.items()
    )


@dataclass
class Span:
    """The sums over some panes. `other`, the workflows of a line beyond the first 500, is in `lines` alone."""

    lines: dict[str, dict[str, Dials]] = field(default_factory=dict)
    workflows: dict[str, dict[str, Dials]] = field(default_factory=dict)
    totals: dict[str, Dials] = field(default_factory=dict)

    def add(self, line: str, cells: Cells) -> None:
        """Add a pane of a line."""
        own = self.lines.setdefault(line, {})
        for workflow, dials in cells:
            own[workflow] = own[workflow].plus(dials) if workflow in own else dials
            if workflow != OTHER:
                self.totals[workflow] = self.totals[workflow].plus(dials) if workflow in self.totals else dials

    def finish(self) -> "Span":
        """The same, with the workflows' lines."""
        for line, own in self.lines.items():
            for workflow, dials in own.items():
                if workflow != OTHER:
                    self.workflows.setdefault(workflow, {})[line] = dials
        return self

    def of_line(self, line: str) -> Dials:
        """All dials of a line."""
        total = NONE
        for dials in self.lines.get(line, {}).values():
            total = total.plus(dials)
        return total

    def peers_of(self, line: str) -> set[str]:
        """The other lines that served a workflow of this one."""
        served = (self.workflows.get(workflow, {}) for workflow in self.lines.get(line, {}))
        return {peer for lines in served for peer in lines} - {line}


def span_of(store: OutcomeStore, starts: Iterable[int], lines: Iterable[str] | None = None) -> Span:
    """The span of the panes that begin at these instants, read from the store; of all lines, or of these."""
    span, wanted = Span(), list(starts)
    for line in store.values(SIP_LINE) if lines is None else lines:
        for _, pane in store.kept(SIP_LINE, line, wanted):
            span.add(line, cells_of(pane))
    return span.finish()


class Tallies:
    """The cells of the newest panes of every line, unpacked once for each record. One thread uses it."""

    def __init__(self) -> None:
        self._panes: dict[int, dict[str, tuple[StoredPane, Cells]]] = {}

    def update(self, store: OutcomeStore, starts: Iterable[int]) -> None:
        """Keep the panes that begin at these instants, and unpack what is new. Repeat: safe."""
        wanted, before = list(starts), self._panes
        self._panes = {start: {} for start in wanted}
        for line in store.values(SIP_LINE):
            for start, pane in store.kept(SIP_LINE, line, wanted):
                known = before[start].get(line) if start in before else None
                same = known is not None and known[0] is pane
                self._panes[start][line] = known if known and same else (pane, cells_of(pane))

    def span(self, starts: Iterable[int]) -> Span:
        """The sums over these panes."""
        span = Span()
        for start in starts:
            for line, (_, cells) in self._panes.get(start, {}).items():
                span.add(line, cells)
        return span.finish()

    def panes_of(self, line: str, peers: Iterable[str]) -> Iterator[tuple[int, Span]]:
        """(start, span of that pane alone) with this line and its peers, the newest first."""
        names = [line, *peers]
        for start in sorted(self._panes, reverse=True):
            span, kept = Span(), self._panes[start]
            for name in names:
                if name in kept:
                    span.add(name, kept[name][1])
            yield start, span.finish()

    @property
    def panes(self) -> Mapping[int, int]:
        """How many lines each kept pane has, by its start."""
        return {start: len(lines) for start, lines in self._panes.items()}
