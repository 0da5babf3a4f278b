"""The dials of a range are each call's latest revision, by their own start, without probes."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.records.calls import CallAttempt
from streams.monitor.records.ledger import DialLedger

FROM, TO = 1_000_000, 2_000_000


DIAL = CallAttempt(
    record_id="r",
    event_id="e",
    final_call_id="c-1",
    revision=1,
    attempt_number=1,
    workflow_id="wf-1",
    sip_line="LINE_1",
    callee="+447700900777",
    started_at=FROM,
)


def dial(call: str = "c-1", revision: int = 1, number: int = 1, **fields: Any) -> CallAttempt:
    return structs.replace(DIAL, final_call_id=call, revision=revision, attempt_number=number, **fields)


def total(*attempts: CallAttempt, appended_at: int = FROM) -> dict[str, int]:
    ledger = DialLedger(FROM, TO)
    for attempt in attempts:
        ledger.put(attempt, appended_at)
    return {line: dials.total() for line, dials in ledger.tally().items()}


def test_a_dial_counts_when_it_started_in_the_range() -> None:
    starts = (FROM - 1, FROM, TO - 1, TO)

    assert total(*(dial(f"c-{at}", started_at=at) for at in starts)) == {"LINE_1": 2}


def test_a_dial_without_a_time_counts_as_it_was_appended() -> None:
    assert total(dial(started_at=None), appended_at=FROM) == {"LINE_1": 1}
    assert total(dial(started_at=None), appended_at=TO) == {}


def test_a_repeat_counts_once() -> None:
    assert total(dial(), dial(number=2), dial(), dial(number=2)) == {"LINE_1": 2}


def test_a_probe_never_counts() -> None:
    assert total(dial(workflow_id="__probe__")) == {}


@given(st.permutations([(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1)]))
def test_only_the_latest_revision_counts_in_whatever_order_they_come(order: list[tuple[int, int]]) -> None:
    """The third revision is of one dial, on another line, so nothing of the first two is left."""
    lines = {1: "LINE_1", 2: "LINE_1", 3: "LINE_2"}

    assert total(*(dial(revision=r, number=n, sip_line=lines[r]) for r, n in order)) == {"LINE_2": 1}


def test_a_later_revision_outside_the_range_takes_the_call_out() -> None:
    assert total(dial(), dial(revision=2, started_at=TO)) == {}


def test_nothing_of_the_callee_and_no_whole_number_is_kept() -> None:
    ledger = DialLedger(FROM, TO)
    ledger.put(dial(caller_number="+442079460011", result_label="B"), FROM)

    assert "7700900777" not in str(ledger.tally())
    assert "442079" not in str(ledger.tally())
