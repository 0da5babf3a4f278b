"""A line in a range: its headline, history, workflows and words are sums of its panes, against those of its peers."""

from __future__ import annotations

from itertools import pairwise

import pytest

from streams.monitor.lines.detail import history, span_over, window_of, word_rows, workflow_rows
from streams.monitor.lines.headline import headline
from streams.monitor.lines.pane_dials import panes_of, tally_of
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane

PANE_S = PANE_MS // 1000
END_MS = NOON_MS + 3 * PANE_MS


def stored(*lines: tuple[str, dict[str, tuple[int, int]]], panes: int = 3) -> OutcomeStore:
    """Lines with (delivered, failed) dials by workflow in each of these panes, and calls that rang normally."""
    store = OutcomeStore()
    for place in range(panes):
        for name, by_workflow in lines:
            counts = {w: line_workflow(d + f, d, d, f) for w, (d, f) in by_workflow.items()}
            attempts = sum(count.attempts for count in counts.values())
            record = pane(
                NOON_MS + place * PANE_MS,
                dimension="sip_line",
                value=name,
                calls=attempts,
                attempts=attempts,
                ring_types={"normal": attempts - min(10, attempts), "busy": min(10, attempts)},
                hangup_types={"ByCallee": attempts},
                attempt_dispositions={"answered": attempts},
                by_workflow=counts,
            )
            store.put(SIP_LINE, record, record.window_end_at)
    return store


def told(store: OutcomeStore, line: str = "L1") -> tuple[str, str]:
    panes = panes_of(store, line, NOON_MS, END_MS, PANE_S)
    return tuple(headline(span_over(panes, NOON_MS, END_MS), line))  # type: ignore[return-value]


@pytest.mark.parametrize(
    ("here", "peer", "state", "begins"),
    [
        ((40, 60), (95, 5), "degraded", "Behind its peers: NER 40 %, 95 % on 1 peer line: z "),
        ((95, 5), (95, 5), "ok", "As its peers: NER 95 %, 95 % on 1 peer line, n 300"),
        ((0, 100), (95, 5), "broken", "Never rings: 0 dials of 300 reached a phone"),
        ((4, 5), (95, 5), "unknown", "Too few dials to say: 27, and 30 are needed"),
        ((95, 5), (2, 1), "unknown", "NER 95 % of 300 dials; no control group to compare with"),
    ],
)
def test_the_headline_says_how_the_line_does(
    here: tuple[int, int], peer: tuple[int, int], state: str, begins: str
) -> None:
    found = told(stored(("L1", {"wf-1": here}), ("L2", {"wf-1": peer})))

    assert found[0] == state
    assert found[1].startswith(begins)


def test_a_line_of_other_workflows_is_no_peer() -> None:
    store = stored(("L1", {"wf-1": (95, 5)}), ("L2", {"wf-2": (95, 5)}), ("", {"wf-1": (95, 5)}))

    assert set(panes_of(store, "L1", NOON_MS, END_MS, PANE_S)) == {"L1"}
    assert "no control group" in told(store)[1]


def test_the_history_has_a_point_for_each_pane_and_both_sides() -> None:
    store = stored(("L1", {"wf-1": (40, 60)}), ("L2", {"wf-1": (90, 10)}))
    panes = panes_of(store, "L1", NOON_MS, END_MS, PANE_S)
    points = history(panes, "L1", NOON_MS, END_MS, PANE_S)

    assert [point.at_ms for point in points] == [NOON_MS, NOON_MS + PANE_MS, NOON_MS + 2 * PANE_MS]
    assert [(point.here and point.here["value"], point.peers and point.peers["value"]) for point in points] == [
        (0.4, 0.9)
    ] * 3


def test_a_history_of_few_dials_has_longer_steps() -> None:
    store = stored(("L1", {"wf-1": (10, 10)}), ("L2", {"wf-1": (90, 10)}), panes=9)
    end_ms = NOON_MS + 9 * PANE_MS
    points = history(panes_of(store, "L1", NOON_MS, end_ms, PANE_S), "L1", NOON_MS, end_ms, PANE_S)

    assert {second.at_ms - first.at_ms for first, second in pairwise(points)} == {3 * PANE_MS}
    assert [point.here["n"] for point in points if point.here] == [60, 60, 40]


def test_workflows_of_a_line_stand_beside_the_same_ones_on_its_peers() -> None:
    store = stored(("L1", {"wf-1": (40, 60), "wf-2": (45, 5)}), ("L2", {"wf-1": (90, 10)}), ("L3", {"wf-1": (80, 20)}))
    rows = workflow_rows(span_over(panes_of(store, "L1", NOON_MS, END_MS, PANE_S), NOON_MS, END_MS), "L1")

    assert [(row.workflow, row.dials, row.n, row.peer_n, row.peer_lines) for row in rows] == [
        ("wf-1", 300, 300, 600, 2),
        ("wf-2", 150, 150, 0, 0),
    ]
    assert [(row.here and row.here["value"], row.there and row.there["value"]) for row in rows] == [
        (0.4, 0.85),
        (0.9, None),
    ]


def test_words_are_shares_of_calls_here_and_of_the_peers() -> None:
    panes = panes_of(stored(("L1", {"wf-1": (40, 60)}), ("L2", {"wf-1": (10, 10)})), "L1", NOON_MS, END_MS, PANE_S)

    assert [tuple(vars(row).values()) for row in word_rows(panes, "L1", "ring_types")] == [
        ("normal", 270, 300, 0.9, 60, 0.5),
        ("busy", 30, 300, 0.1, 60, 0.5),
    ]


def test_words_of_few_calls_have_no_share() -> None:
    panes = panes_of(stored(("L1", {"wf-1": (9, 0)}), ("L2", {"wf-1": (5, 4)})), "L1", NOON_MS, END_MS, PANE_S)

    assert [tuple(vars(row).values()) for row in word_rows(panes, "L1", "hangup_types")] == [
        ("ByCallee", 27, 27, None, 27, None)
    ]


def test_the_range_is_an_exact_sum_of_its_panes() -> None:
    store = stored(("L1", {"wf-1": (40, 60)}))
    first_two = window_of(store, "L1", NOON_MS, NOON_MS + 2 * PANE_MS)

    assert first_two is not None
    assert first_two.attempts == 200
    assert window_of(store, "L1", NOON_MS - PANE_MS, NOON_MS) is None
    assert tally_of(panes_of(store, "L1", NOON_MS, NOON_MS + PANE_MS, PANE_S))["L1"].total() == 100
