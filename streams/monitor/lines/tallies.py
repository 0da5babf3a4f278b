"""Each line's dials by workflow over some panes, and each workflow's by line: what a line is compared by. No I/O."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from sys import intern
from typing import Any, Final, NamedTuple, Self

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
# Of one pane of a line: workflow, attempts, judged, delivered, and so on for each workflow. Flat, for there are as many
# as lines times panes: nested they take three times the memory.
Cells = tuple[str | int, ...]


def cells_of(pane: StoredPane) -> Cells:
    """The cells of a pane as it is stored."""
    return cells(_unpack(pane.packed).by_workflow)


def cells(by_workflow: Mapping[str, LineWorkflowOutcomes]) -> Cells:
    """The cells of one pane of a line."""
    flat: list[str | int] = []
    for workflow, found in by_workflow.items():
        flat += (intern(workflow), found.attempts, found.delivered + found.pre_alert_failure, found.delivered)
    return tuple(flat)


def dials_of(flat: Cells) -> Iterator[tuple[str, Dials]]:
    """(workflow, dials) of cells."""
    parts: Iterator[Any] = iter(flat)
    for workflow, attempts, judged, delivered in zip(parts, parts, parts, parts, strict=True):
        yield workflow, Dials(attempts, judged, delivered)


@dataclass
class Span:
    """The sums over some panes: by line and workflow, by workflow and line, and of each workflow.

    `other`, the workflows of a line beyond the first 500, is in `lines` alone.
    """

    lines: dict[str, dict[str, Dials]] = field(default_factory=dict)
    workflows: dict[str, dict[str, Dials]] = field(default_factory=dict)
    totals: dict[str, Dials] = field(default_factory=dict)

    @classmethod
    def of(cls, panes: Iterable[tuple[str, Cells]]) -> Self:
        """The sums of these panes, each with its line."""
        # Lists while they grow: with ten thousand lines a tuple for each sum takes half of the time of a look.
        growing: dict[str, dict[str, list[int]]] = {}
        for line, flat in panes:
            own = growing.setdefault(line, {})
            parts: Iterator[Any] = iter(flat)
            for workflow, attempts, judged, delivered in zip(parts, parts, parts, parts, strict=True):
                if workflow in own:
                    counts = own[workflow]
                    counts[0] += attempts
                    counts[1] += judged
                    counts[2] += delivered
                else:
                    own[workflow] = [attempts, judged, delivered]
        span = cls()
        totals: dict[str, list[int]] = {}
        for line, sums in growing.items():
            span.lines[line] = found = {workflow: Dials(*counts) for workflow, counts in sums.items()}
            for workflow, dials in found.items():
                if workflow == OTHER:
                    continue
                span.workflows.setdefault(workflow, {})[line] = dials
                total = totals.setdefault(workflow, [0, 0, 0])
                total[0] += dials[0]
                total[1] += dials[1]
                total[2] += dials[2]
        span.totals = {workflow: Dials(*counts) for workflow, counts in totals.items()}
        return span

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
    wanted = list(starts)
    names = store.values(SIP_LINE) if lines is None else lines
    return Span.of((line, cells_of(pane)) for line in names for _, pane in store.kept(SIP_LINE, line, wanted))


class Tallies:
    """The cells of the newest panes of every line, unpacked once for each record. One thread at a time uses it."""

    def __init__(self) -> None:
        self._panes: dict[int, dict[str, tuple[StoredPane, Cells]]] = {}
        self._spans: dict[range, Span] = {}

    def update(self, store: OutcomeStore, starts: Iterable[int]) -> None:
        """Keep the panes that begin at these instants, and unpack what is new. Repeat: safe."""
        wanted, before, changed = list(starts), self._panes, set()
        self._panes = {start: {} for start in wanted}
        for line in store.values(SIP_LINE):
            for start, pane in store.kept(SIP_LINE, line, wanted):
                known = before[start].get(line) if start in before else None
                if known is None or known[0] is not pane:
                    known = (pane, cells_of(pane))
                    changed.add(start)
                self._panes[start][line] = known
        changed |= {start for start in before if len(before[start]) != len(self._panes.get(start, ()))}
        self._spans = {of: span for of, span in self._spans.items() if changed.isdisjoint(of)}

    def span(self, starts: range) -> Span:
        """The sums over these panes; the same object as long as none of them changed."""
        if starts not in self._spans:
            panes = (self._panes.get(start, {}) for start in starts)
            self._spans[starts] = Span.of((line, flat) for pane in panes for line, (_, flat) in pane.items())
        return self._spans[starts]

    def pane(self, start: int, lines: Iterable[str] | None = None) -> Span:
        """The sums of one pane; of all lines, or of these."""
        pane = self._panes.get(start, {})
        names = pane if lines is None else [line for line in lines if line in pane]
        return Span.of((line, pane[line][1]) for line in names)

    @property
    def starts(self) -> list[int]:
        """Where the kept panes start."""
        return sorted(self._panes)
