"""Pure: the answers of /api/outcomes. Instants read `2024-03-11T13:25:00Z`."""

from typing import Any, Final

from schemas.records.outcomes import WindowedOutcomes
from schemas.runtime import instants
from streams.monitor.outcomes.paging import Cursor, part_of
from streams.monitor.outcomes.parameters import WindowRequest
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.outcomes.workflow_names import WorkflowNames
from streams.rules.dimensions import WORKFLOW, Dimension
from streams.rules.kpis import kpis, question_kpis

_NOT_COUNTS: Final = ("dimension", "value", "window_start_at", "window_end_at", "is_final", "revision")


def value_view(store: OutcomeStore, value: str, asked: WindowRequest) -> tuple[dict[str, Any], Cursor | None]:
    """{"dimension", "value", "window_s", "as_of", "windows": [...]}, and where more follow. Raises NotFoundError.

    A workflow has `workflow_name` beside `value`.
    """
    store.check(asked.dimension, value)
    part = part_of(store, asked.dimension, [value], asked.query, asked.after)
    windows = part.values[0][1] if part.values else []
    return {
        "dimension": asked.dimension.name,
        **named(store.names, asked.dimension, value),
        "window_s": asked.window_s,
        "as_of": instants.text(asked.as_of_ms),
        "windows": [window_view(window, asked.now_ms, store.names) for window in windows],
    }, part.next


def dimension_view(store: OutcomeStore, asked: WindowRequest) -> tuple[dict[str, Any], Cursor | None]:
    """{"dimension", "window_s", "as_of", "values": [{"value", "windows"}]}; values without windows are left out."""
    part = part_of(store, asked.dimension, store.values(asked.dimension), asked.query, asked.after)
    return {
        "dimension": asked.dimension.name,
        "window_s": asked.window_s,
        "as_of": instants.text(asked.as_of_ms),
        "values": [
            {
                **named(store.names, asked.dimension, value),
                "windows": [window_view(window, asked.now_ms, store.names) for window in windows],
            }
            for value, windows in part.values
        ],
    }, part.next


def named(names: WorkflowNames, dimension: Dimension, value: str) -> dict[str, str]:
    """{"value"}, of a workflow also {"workflow_name"}: its id where it has no name."""
    return {"value": value} | ({"workflow_name": names.of(value)} if dimension is WORKFLOW else {})


def phase(window: WindowedOutcomes, now_ms: int) -> str:
    """`counting` while the window lasts, `settling` while late calls may come, then `final`."""
    if window.is_final:
        return "final"
    return "counting" if now_ms < window.window_end_at else "settling"


def window_view(window: WindowedOutcomes, now_ms: int, names: WorkflowNames) -> dict[str, Any]:
    """One window: its bounds, every count, `kpis` (null below 30 samples) and `kpi_samples`; per question likewise.

    Each workflow of a line's `by_workflow` has its `workflow_name`, too.
    """
    values, samples = kpis(window)
    counts = {name: count for name, count in window.to_datum().items() if name not in _NOT_COUNTS}
    counts["by_workflow"] = {
        workflow: {"workflow_name": names.of(workflow), **dials} for workflow, dials in counts["by_workflow"].items()
    }
    return {
        "window_start_at": instants.text(window.window_start_at),
        "window_end_at": instants.text(window.window_end_at),
        "is_final": window.is_final,
        "phase": phase(window, now_ms),
        "revision": window.revision,
        **counts,
        "kpis": values,
        "kpi_samples": samples,
        "question_kpis": question_kpis(window),
    }
