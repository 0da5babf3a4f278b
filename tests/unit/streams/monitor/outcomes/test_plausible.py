"""What no worker sends is refused by name, and spoils nothing of what others sent."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.errors import ImplausibleRecordError
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.plausible import fault_of
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import WORKFLOW
from streams.rules.labels import OTHER, Labels, short
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane, question

HUGE = 2**62


@pytest.mark.parametrize(
    ("field", "record"),
    [
        ("window_start_at", pane(2**55)),
        ("window_start_at", pane(0)),
        ("window_start_at", pane(-(2**55))),
        ("window_start_at", pane(NOON_MS + 2 * 86_400_000)),
        ("window_end_at", pane(window_end_at=NOON_MS)),
        ("window_end_at", pane(window_end_at=2**60)),
        ("window_end_at", pane(NOON_MS + 1)),
        ("dimension", pane(dimension="sip_line")),
        ("dimension", pane(dimension="")),
        ("value", pane(value="x" * 100_000)),
        ("calls", pane(calls=-1)),
        ("calls", pane(calls=HUGE)),
        ("revision", pane(revision=HUGE)),
        ("results", pane(results={"finished": -5})),
        ("results", pane(results={"x" * 20_000: 1})),
        ("result_labels", pane(result_labels={str(i): 1 for i in range(30_000)})),
        ("duration_s_histogram", pane(duration_s_histogram=[0, -1])),
        ("questions", pane(questions={"q": question(completed=-1)})),
        ("by_workflow", pane(by_workflow={"wf": line_workflow(HUGE, 0)})),
    ],
)
def test_what_no_worker_sends_is_refused_by_its_field(field: str, record: WindowedOutcomes) -> None:
    store = OutcomeStore()
    store.put(WORKFLOW, pane(calls=7), NOON_MS)
    with pytest.raises(ImplausibleRecordError, match=f"^{field}: ") as refused:
        store.put(WORKFLOW, record, NOON_MS)

    assert len(str(refused.value)) < 100, "no word of the record is repeated"
    assert [laid.window().calls for laid in store.laid(WORKFLOW, "wf-1", WindowQuery(300))] == [7]


@pytest.mark.parametrize(
    "counts",
    [
        {"value": ""},
        {"value": "x" * 50_000},
        {"value": "a|1700\n\0"},
        {"duration_s_sum": -5},
        {"duration_s_sum": 2**63 - 1},
        {"start_ms": NOON_MS + PANE_MS},
        {"calls": 2**40},
    ],
)
def test_what_a_worker_may_send_is_taken(counts: dict[str, Any]) -> None:
    assert fault_of(pane(**counts), "workflow", NOON_MS) is None


def test_long_labels_are_cut_and_stay_apart() -> None:
    one, two = short("x" * 50_000 + "1"), short("x" * 50_000 + "2")

    assert one != two
    assert max(len(one), len(two)) <= 128
    assert short("line") == "line"


def test_no_value_can_take_anothers_label() -> None:
    long = "x" * 500
    labels = Labels(10)
    labels.keep([long, short(long), OTHER, "other"])

    assert (labels.of(long), labels.of(short(long))) == (short(long), OTHER)
    assert (labels.of(OTHER), labels.of("other")) == (OTHER, "other")


def test_a_label_is_kept_while_its_value_is_there_and_given_on_then() -> None:
    labels = Labels(1)
    labels.keep(["a", "b"])
    assert (labels.of("a"), labels.of("b"), labels.dropped) == ("a", OTHER, 1)
    labels.keep(["b"])

    assert (labels.of("b"), labels.dropped) == ("b", 1)
