"""The shapes of answers about calls, as types: windows, workflows, the overview. See `process_shapes`."""

from collections.abc import Iterator
from typing import Any

from msgspec import UNSET, Struct, UnsetType, defstruct

from schemas.records.outcomes import LineWorkflowOutcomes, WindowedOutcomes
from streams.monitor.openapi.process_shapes import FROM, Values
from streams.rules.counts import OutcomeCounts

Counts = dict[str, int]


class Kpi(Struct):
    """A KPI with its sample size. Ratios have a 95 % interval; means and quantiles have none."""

    value: float
    n: int
    low: float | None
    high: float | None


Kpis = dict[str, Kpi | None]


class QuestionKpis(Struct):
    """The KPIs of one question; null below 30 samples."""

    kpis: Kpis
    kpi_samples: Counts


class NamedLineWorkflow(LineWorkflowOutcomes, frozen=True, kw_only=True):
    """A SIP line's dials for one workflow, and its name."""

    workflow_name: str


def _window_fields() -> Iterator[tuple[str, Any]]:
    """The bounds of a window, every count of WindowedOutcomes, and what is computed from them."""
    yield from {"window_start_at": str, "window_end_at": str, "is_final": bool, "phase": str, "revision": int}.items()
    for name in OutcomeCounts.__struct_fields__:
        kind: Any = WindowedOutcomes.__annotations__[name]
        yield name, dict[str, NamedLineWorkflow] if name == "by_workflow" else kind
    yield from {"kpis": Kpis, "kpi_samples": Counts, "question_kpis": dict[str, QuestionKpis]}.items()


Window: Any = defstruct("Window", list(_window_fields()))
Window.__doc__ = "One window: every count, KPIs (null below 30 samples) and their sample sizes."


class WindowsOfValue(Struct):
    """The windows of one workflow or SIP line; a workflow has its name."""

    value: str
    windows: list[Window]
    workflow_name: str | UnsetType = UNSET


class OneValue(Struct):
    """The windows of one workflow or SIP line, and where more follow."""

    dimension: str
    value: str
    window_s: int
    as_of: str
    windows: list[Window]
    workflow_name: str | UnsetType = UNSET
    next: str | UnsetType = UNSET


class AllValues(Struct):
    """The windows of every workflow or SIP line, and where more follow."""

    dimension: str
    window_s: int
    as_of: str
    values: list[WindowsOfValue]
    next: str | UnsetType = UNSET


class ReachedBefore(Struct):
    """The span before."""

    calls: int
    answered: int
    connect_rate: Kpi | None


class RankedWorkflow(Struct):
    """One workflow of a span."""

    value: str
    workflow_name: str
    verdict: str
    calls: int
    answered: int
    sip_lines: int
    kpis: Kpis
    kpi_samples: Counts
    before: ReachedBefore
    connect_rate_by_hour: Values


class RankedWorkflows(Struct, rename=FROM):
    """The workflows of a span, the worst first. left_out: how many more had calls.

    sip_lines_unread: lines that are in no `sip_lines`, for there were too many panes.
    """

    as_of: str
    from_: str
    to: str
    left_out: int
    sip_lines_unread: int
    workflows: list[RankedWorkflow]


class Question(Struct):
    """One question, in the order asked: of the calls that had it, what came of it. position: its mean place."""

    question: str
    position: float | None
    calls: int
    reached: int
    completed: int
    skipped: int
    broke_off: int
    not_reached: int
    ratios: Kpis


class Redial(Struct):
    """Of the calls that had this dial: answered on it."""

    attempt: str
    reached: int
    answered: int
    lift: Kpi | None


class LineUsed(Struct):
    """One line's dials for the workflow, and the NER of the whole line."""

    sip_line: str
    attempts: int
    answered: int
    delivered: int
    pre_alert_failure: int
    delivered_ratio: Kpi | None
    failure_ratio: Kpi | None
    ner: Kpi | None
    ner_samples: int


class HistoryPoint(Struct):
    """Calls and rates from this instant for one step; rates are null below 30 samples."""

    at: str
    calls: int
    answered: int
    connect_rate: float | None
    ner: float | None


class WorkflowHistory(Struct):
    """Points in order of time."""

    step_s: int
    points: list[HistoryPoint]


class OneWorkflow(Struct, rename=FROM):
    """One workflow in a span, against the span before; null without calls."""

    value: str
    workflow_name: str
    as_of: str
    from_: str
    to: str
    verdict: str
    now: Window | None
    before: Window | None
    questions: list[Question]
    redials: list[Redial]
    sip_lines: list[LineUsed]
    sip_lines_left_out: int
    sip_lines_unread: int
    history: WorkflowHistory


class Figure(Struct):
    """One number of the overview: over the range, over as long before, now, and minute by minute for an hour."""

    name: str
    title: str
    unit: str
    value: float | None
    before: float | None
    now: float | None
    n: int | None
    n_before: int | None
    low: float | None
    high: float | None
    hour: Values


class Overview(Struct, rename=FROM):
    """The numbers of the overview."""

    as_of: str
    from_: str
    to: str
    figures: list[Figure]
