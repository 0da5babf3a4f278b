"""Pure: the SIP lines that a workflow used in a span, with what became of its dials on each."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import msgspec

from schemas.records.outcomes import LineWorkflowOutcomes
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.workflows.spans import Span, busiest, window_of
from streams.rules.dimensions import SIP_LINE
from streams.rules.kpis import kpis, ratio
from streams.rules.merging import added_records


class _Packed(msgspec.Struct, gc=False):
    """Of a packed pane only what is used here."""

    by_workflow: dict[str, LineWorkflowOutcomes]


_unpack: Final = msgspec.msgpack.Decoder(_Packed).decode


class Used(NamedTuple):
    """One line's dials for one workflow."""

    line: str
    dials: LineWorkflowOutcomes


def lines_by_workflow(
    store: OutcomeStore, span: Span, lines: Iterable[str] | None = None
) -> tuple[dict[str, list[Used]], int]:
    """The lines of every workflow that dialled in the span, the most dials first; and how many lines were not read.

    lines: only these; None: all. Of too many panes the busiest lines are read.
    """
    panes, unread = busiest(store, SIP_LINE, store.values(SIP_LINE) if lines is None else lines, span)
    found: defaultdict[str, list[Used]] = defaultdict(list)
    for line, kept in panes.items():
        maps = (_unpack(pane.packed).by_workflow for pane in kept)
        for workflow, dials in added_records(maps, LineWorkflowOutcomes).items():
            found[workflow].append(Used(line, dials))
    for used in found.values():
        used.sort(key=lambda one: (-one.dials.attempts, one.line))
    return dict(found), unread


def line_view(store: OutcomeStore, used: Used, span: Span) -> dict[str, Any]:
    """One line: its dials for the workflow, the share of them that were delivered, and the NER of the whole line."""
    window = window_of(store, SIP_LINE, used.line, span)
    values, samples = kpis(window) if window else ({}, {})
    return {
        "sip_line": used.line,
        **used.dials.to_datum(),
        "delivered_ratio": ratio(used.dials.delivered, used.dials.attempts),
        "failure_ratio": ratio(used.dials.pre_alert_failure, used.dials.attempts),
        "ner": values.get("ner"),
        "ner_samples": samples.get("ner", 0),
    }
