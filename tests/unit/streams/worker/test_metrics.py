"""A fresh worker shows every counter that an alert uses, at 0: `increase()` misses the first event of a new series."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from schemas.records.kept import DEAD_LETTER_REASONS
from streams.rules.dimensions import DIMENSIONS, WORKFLOW
from streams.rules.labels import OTHER
from streams.rules.times import Source
from streams.worker.calls_agent import CallsAgent
from streams.worker.metrics import WorkerMetrics
from streams.worker.recovery import Recovery
from streams.worker.windows_agent import WindowsAgent

STAGES = [CallsAgent.stage, WindowsAgent.stage]
WINDOWS = [dimension.table for dimension in DIMENSIONS]
MAPS = ["results", "result_labels", "hangup_types", "questions", "by_workflow"]
RULES = ["talked_no_seconds", "talked_unreachable", "seconds_unreachable", "call_times"]
SERIES = [
    *(("stream_dead_letter", {"stage": s, "reason": r}) for s, r in product(STAGES, DEAD_LETTER_REASONS)),
    *(("stream_window_unsendable", {"table": table}) for table in WINDOWS),
    *(("stream_window_late", {"table": table}) for table in WINDOWS),
    *(("stream_window_overflow", {"table": table, "map": name}) for table, name in product(WINDOWS, MAPS)),
    *(("stream_foreign_row", {"table": table}) for table in ["calls", *WINDOWS]),
    *(("stream_event_time_fault", {"fault": fault}) for fault in get_args(Source) if fault != "provider"),
    *(("stream_call_contradiction", {"rule": rule}) for rule in RULES),
    ("stream_recoveries", {}),
    ("schema_registry_requests", {"operation": "get_schema", "outcome": "unavailable"}),
    ("schema_registry_waits", {}),
]


@pytest.mark.parametrize(("name", "labels"), SERIES)
def test_a_fresh_worker_shows_the_series_at_zero(name: str, labels: dict[str, str]) -> None:
    assert WorkerMetrics().registry.get_sample_value(f"{name}_total", labels) == 0


def test_a_time_that_is_trusted_is_no_fault() -> None:
    assert WorkerMetrics().registry.get_sample_value("stream_event_time_fault_total", {"fault": "provider"}) is None


def test_the_worker_shows_its_process() -> None:
    assert (WorkerMetrics().registry.get_sample_value("process_resident_memory_bytes") or 0) > 0


def test_talk_rounds_are_a_histogram_by_workflow_up_to_the_cap() -> None:
    metrics = WorkerMetrics()
    for number in range(WORKFLOW.max_labels + 2):
        metrics.talk_rounds.observe(f"wf-{number}", 4)
    for rounds in (0, 5, 6, 22, -1):
        metrics.talk_rounds.observe("wf-1", rounds)

    def sample(suffix: str, workflow: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"call_talk_rounds_{suffix}", {"workflow": workflow} | labels)

    assert [sample("bucket", "wf-1", le=edge) for edge in ("0", "3", "5", "8", "21", "+Inf")] == [2, 2, 4, 5, 5, 6]
    assert (sample("sum", "wf-1"), sample("count", "wf-1")) == (37, 6)
    assert (sample("count", OTHER), sample("sum", OTHER)) == (2, 8)


def test_a_table_recovers_from_the_assignment_to_its_last_row() -> None:
    times = iter([0.0, 10.0, 12.0, 15.0, 100.0])
    recovery = Recovery(times.__next__)
    recovery.begin()
    recovery.restored("calls")
    recovery.restored("calls")

    assert (recovery.seconds("calls"), recovery.seconds("workflow-windows")) == (5.0, 0.0)
    recovery.begin()
    assert recovery.seconds("calls") == 0.0
