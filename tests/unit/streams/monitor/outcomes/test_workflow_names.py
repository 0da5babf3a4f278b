"""A workflow is called what its newest named window calls it, in whatever order windows come; else by its id."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.parameters import window_request
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.outcomes.views import dimension_view, value_view
from streams.monitor.outcomes.workflow_names import WorkflowNames, usual_name
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW, Dimension
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane

NAMED = (
    pane(NOON_MS, workflow_names={"Survey": 9}),
    pane(NOON_MS + PANE_MS, workflow_names={"Survey": 1, "Survey 2": 4}),
    pane(NOON_MS + 2 * PANE_MS),
)


def stored(*records: WindowedOutcomes) -> OutcomeStore:
    store = OutcomeStore()
    for record in records:
        dimension = next(one for one in DIMENSIONS if one.name == record.dimension)
        store.put(dimension, record, record.window_start_at)
    return store


def answer(store: OutcomeStore, dimension: Dimension, value: str | None = None) -> Any:
    request = window_request([], store, dimension, value, 300, NOON_MS)
    return (dimension_view(store, request) if value is None else value_view(store, value, request))[0]


@pytest.mark.parametrize("records", [*permutations(NAMED)])
def test_the_newest_window_with_a_name_says_it(records: tuple[WindowedOutcomes, ...]) -> None:
    assert stored(*records).names.of("wf-1") == "Survey 2"


def test_a_workflow_without_a_name_is_called_by_its_id() -> None:
    assert stored(pane()).names.of("wf-1") == "wf-1"
    assert WorkflowNames().of("never seen") == "never seen"


def test_a_newer_revision_of_the_same_window_says_it_anew() -> None:
    first, second = (pane(revision=n, workflow_names={name: 1}) for n, name in ((1, "Old"), (2, "New")))

    assert stored(first, second).names.of("wf-1") == "New"
    assert stored(second, first).names.of("wf-1") == "New"


@pytest.mark.parametrize(
    ("names", "usual"), [({"b": 2, "a": 1}, "b"), ({"b": 2, "a": 2}, "a"), ({"a": 2, "b": 2}, "a")]
)
def test_most_calls_decide_and_then_the_order_of_text(names: dict[str, int], usual: str) -> None:
    assert usual_name(names) == usual


def test_a_name_goes_with_the_last_window() -> None:
    store = stored(NAMED[0])
    store.expire(NOON_MS + 1, timedelta(0))

    assert store.names.of("wf-1") == "wf-1"


def test_the_api_names_a_workflow_wherever_it_has_its_id() -> None:
    line = pane(dimension="sip_line", value="line-1", by_workflow={i: line_workflow(3, 1) for i in ("wf-1", "wf-2")})
    store = stored(*NAMED, line)

    assert answer(store, WORKFLOW, "wf-1")["workflow_name"] == "Survey 2"
    assert [(one["value"], one["workflow_name"]) for one in answer(store, WORKFLOW)["values"]] == [("wf-1", "Survey 2")]
    of_line = answer(store, SIP_LINE, "line-1")
    assert "workflow_name" not in of_line
    assert {i: one["workflow_name"] for i, one in of_line["windows"][0]["by_workflow"].items()} == {
        "wf-1": "Survey 2",
        "wf-2": "wf-2",
    }
    assert of_line["windows"][0]["by_workflow"]["wf-1"]["attempts"] == 3
