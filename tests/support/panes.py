"""WindowedOutcomes for tests: a pane with the counts a test cares about, zero elsewhere."""

from __future__ import annotations

from typing import Any

from schemas.records.outcomes import LineWorkflowOutcomes, QuestionOutcomes, WindowedOutcomes

PANE_MS = 300_000
NOON_MS = 1_710_163_500_000  # 2024-03-11T13:25:00Z

EMPTY: dict[str, Any] = {
    "dimension": "workflow",
    "value": "wf-1",
    "revision": 1,
    "is_final": False,
    "calls": 0,
    "answered": 0,
    "attempts": 0,
    "results": {},
    "result_labels": {},
    "hangup_types": {},
    "ring_types": {},
    "dispositions": {},
    "attempt_dispositions": {},
    "duration_s_sum": 0,
    "ring_time_s_sum": 0,
    "talk_round_sum": 0,
    "questions": {},
    "short_calls": 0,
    "silent_answers": 0,
    "engaged_calls": 0,
    "answered_duration_s_sum": 0,
    "answered_hangup_types": {},
    "answered_on_attempt": {},
    "reached_attempt": {},
    "duration_s_histogram": [0] * 11,
    "answered_ring_time_s_histogram": [0] * 11,
    "unanswered_ring_time_s_histogram": [0] * 11,
    "never_rang_conflicts": 0,
    "call_times_conflicts": 0,
    "by_workflow": {},
}


def pane(start_ms: int = NOON_MS, **counts: Any) -> WindowedOutcomes:
    """One pane of five minutes that starts at `start_ms`."""
    return WindowedOutcomes(**(EMPTY | {"window_start_at": start_ms, "window_end_at": start_ms + PANE_MS} | counts))


def question(completed: int = 0, skipped: int = 0, broke_off: int = 0, not_reached: int = 0) -> QuestionOutcomes:
    return QuestionOutcomes(completed=completed, skipped=skipped, broke_off=broke_off, not_reached=not_reached)


def line_workflow(attempts: int, answered: int, delivered: int = 0, failed: int = 0) -> LineWorkflowOutcomes:
    return LineWorkflowOutcomes(attempts=attempts, answered=answered, delivered=delivered, pre_alert_failure=failed)
