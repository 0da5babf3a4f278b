"""Pure: one workflow in a span, against the span before. The answer of /api/workflows/{workflow} and its page."""

from typing import Any, Final

from schemas.records.outcomes import QuestionOutcomes, WindowedOutcomes
from schemas.runtime import instants
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.outcomes.views import named, window_view
from streams.monitor.workflows.lines_used import line_view, lines_by_workflow
from streams.monitor.workflows.ranking import compared
from streams.monitor.workflows.spans import Span, window_of
from streams.rules.counts import ATTEMPT_LABELS
from streams.rules.dimensions import WORKFLOW
from streams.rules.kpis import kpi_counts, kpi_of, ratio
from streams.rules.questions import had, in_order, reached

MAX_LINES: Final = 100
MIN_HISTORY_MS: Final = 6 * 3_600_000
MAX_POINTS: Final = 96
HISTORY: Final = ("connect_rate", "ner")
STEPS_MS: Final = tuple(60_000 * minutes for minutes in (1, 5, 15, 30, 60, 180, 360, 720, 1440))


def workflow_view(store: OutcomeStore, workflow: str, span: Span, now_ms: int, as_of_ms: int) -> dict[str, Any]:
    """The workflow's window over the span and the one before (null without calls), and what the page makes of them.

    Raises: NotFoundError for a workflow without any window.
    """
    store.check(WORKFLOW, workflow)
    now, before = (window_of(store, WORKFLOW, workflow, one) for one in (span, span.before()))
    by_workflow, unread = lines_by_workflow(store, span)
    used = by_workflow.get(workflow, [])
    rates = [kpi_of("connect_rate", *kpi_counts(one)["connect_rate"]) if one else None for one in (now, before)]
    return {
        **named(store.names, WORKFLOW, workflow),
        "as_of": instants.text(as_of_ms),
        "from": instants.text(span.from_ms),
        "to": instants.text(span.to_ms),
        "verdict": compared(*rates),
        "now": window_view(now, now_ms, store.names) if now else None,
        "before": window_view(before, now_ms, store.names) if before else None,
        "questions": questions_view(now) if now else [],
        "redials": redials_view(now) if now else [],
        "sip_lines": [line_view(store, one, span) for one in used[:MAX_LINES]],
        "sip_lines_left_out": max(0, len(used) - MAX_LINES),
        "sip_lines_unread": unread,
        "history": history_view(store, workflow, span),
    }


def questions_view(window: WindowedOutcomes) -> list[dict[str, Any]]:
    """The funnel: each question in the order asked, with what came of it as counts and as shares of its calls."""
    return [_question(name, window.questions[name]) for name in in_order(window)]


def _question(name: str, question: QuestionOutcomes) -> dict[str, Any]:
    calls = had(question)
    states = {
        "completed": question.completed,
        "skipped": question.skipped,
        "broke_off": question.broke_off,
        "not_reached": question.not_reached,
    }
    return {
        "question": name,
        "position": round(question.position_sum / calls, 2) if question.position_sum and calls else None,
        "calls": calls,
        "reached": reached(question),
        **states,
        "ratios": {
            "reached": ratio(reached(question), calls),
            **{state: ratio(count, calls) for state, count in states.items()},
        },
    }


def redials_view(window: WindowedOutcomes) -> list[dict[str, Any]]:
    """Per dial 1, 2, 3, 4, 5+: calls that came to it, and how many of them were answered on it."""
    pairs = [(n, window.reached_attempt.get(n, 0), window.answered_on_attempt.get(n, 0)) for n in ATTEMPT_LABELS]
    return [
        {"attempt": n, "reached": came, "answered": answered, "lift": ratio(answered, came)}
        for n, came, answered in pairs
    ]


def history_view(store: OutcomeStore, workflow: str, span: Span) -> dict[str, Any]:
    """{"step_s", "points": [{"at", "calls", "answered", "connect_rate", "ner"}]}: MIN_HISTORY_MS at least.

    Rates are null below 30 samples. A point without calls has 0; there are at most MAX_POINTS.
    """
    length = max(span.to_ms - span.from_ms, MIN_HISTORY_MS)
    fitting = [step for step in STEPS_MS if step % span.pane_ms == 0 and length / step <= MAX_POINTS]
    step = min(fitting, default=-(-length // (MAX_POINTS * span.pane_ms)) * span.pane_ms)
    query = WindowQuery(step // 1000, span.to_ms - length, span.to_ms)
    windows = {laid.start_at: laid.window() for laid in store.laid(WORKFLOW, workflow, query)}
    first, last = query.bounds(span.to_ms - length)[0], query.bounds(span.to_ms - 1)[0]
    return {
        "step_s": step // 1000,
        "points": [_point(at, windows.get(at)) for at in range(first, last + 1, step)],
    }


def _point(at_ms: int, window: WindowedOutcomes | None) -> dict[str, Any]:
    counts = kpi_counts(window) if window else {}
    rates = {name: kpi_of(name, *counts[name]) if counts else None for name in HISTORY}
    return {
        "at": instants.text(at_ms),
        "calls": window.calls if window else 0,
        "answered": window.answered if window else 0,
        **{name: rate["value"] if rate else None for name, rate in rates.items()},
    }
