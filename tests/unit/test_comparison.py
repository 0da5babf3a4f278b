"""The comparison sees what is planted: without this, "no differences" would mean nothing. No broker."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, LATE_CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.support import oracle
from tests.support.comparison import OUTPUTS, Poison, compare
from tests.support.deliveries import delivery, detail, redial
from tests.support.oracle import Arrival, Json
from tests.support.topics import Read

AT = 1_710_170_000_000
POISON = Poison(0, 7, b"k", b"\x01bad")
ARRIVALS = [
    Arrival(delivery(detail("a", redail_call=[redial("r", "2024-03-11 13:00:00")]), detail("b")), AT),
    Arrival(delivery(detail("a", duration=0), line="LINE_2"), AT),
]

Planted = dict[str, list[Read]]


class Window(SimpleNamespace):
    def to_datum(self) -> Json:
        return {"calls": self.calls}


def read(topic: str, key: str, ce_id: str, fields: Json) -> Read:
    value = SimpleNamespace(**{"workflow_id": "wf-1", **fields, "record_id": ce_id})
    return Read(topic, 0, 0, key, value, repr(sorted(fields.items())).encode(), {"ce_id": ce_id.encode()})


def perfect() -> Planted:
    """What should have been written for ARRIVALS and POISON; of the windows only `calls`."""
    found: Planted = {topic.name: [] for topic in OUTPUTS}
    for call_id, tellings in oracle.tellings_of(ARRIVALS).items():
        for revision, telling in enumerate(oracle.revisions(tellings), 1):
            name = f"{call_id}-{revision}"
            found[CALLS.name].append(read(CALLS.name, call_id, name, oracle.call_of(telling, revision)))
            for topic, parts in ((ANSWERS.name, oracle.answers_of), (CALL_ATTEMPTS.name, oracle.attempts_of)):
                for i, fields in enumerate(parts(telling, revision)):
                    found[topic].append(read(topic, call_id, f"{topic}-{name}-{i}", fields))
    start = 1_710_163_500_000
    for windows, value, calls in ((WORKFLOW_OUTCOMES, "wf-1", 2), (SIP_LINE_OUTCOMES, "LINE_1", 1)):
        found[windows.name].append(window(windows.name, value, start, 3, calls))
    found[SIP_LINE_OUTCOMES.name].append(window(SIP_LINE_OUTCOMES.name, "LINE_2", start, 1, 1))
    letter = SimpleNamespace(value=POISON.value, key=POISON.key, source_partition=0, source_offset=7, is_cut=False)
    found["airudder.dead-letters.v1"].append(
        Read("airudder.dead-letters.v1", 0, 0, "k", letter, b"any", {"ce_id": b"dead"})
    )
    return found


def window(topic: str, value: str, start: int, revision: int, calls: int, is_final: bool = False) -> Read:
    dimension = "workflow" if topic == WORKFLOW_OUTCOMES.name else "sip_line"
    fields = {"dimension": dimension, "value": value, "window_start_at": start, "window_end_at": start + 300_000}
    fields |= {"revision": revision, "is_final": is_final, "calls": calls}
    ce_id = f"{topic}-{value}-{start}-{revision}-{is_final}"
    made = Window(**fields, record_id=ce_id)
    return Read(topic, 0, 0, f"{value}|{start}", made, repr(fields).encode(), {"ce_id": ce_id.encode()})


def differences(outputs: Planted, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(oracle, "cells_of", lambda telling: oracle.Cells({("calls",): 1}))
    monkeypatch.setattr(oracle, "_by_workflow", lambda telling, workflow: oracle.Cells())
    monkeypatch.setattr(oracle, "_workflow_names", lambda telling: oracle.Cells())
    return compare(ARRIVALS, [POISON], outputs).differences


def test_what_should_be_there_differs_in_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    assert differences(perfect(), monkeypatch) == []


def changed(topic: str, index: int, **fields: Any) -> Callable[[Planted], None]:
    def change(outputs: Planted) -> None:
        for name, value in fields.items():
            setattr(outputs[topic][index].value, name, value)

    return change


def again(topic: str, **fields: Any) -> Callable[[Planted], None]:
    return lambda outputs: outputs[topic].append(replace(outputs[topic][-1], **fields))


WF, START = WORKFLOW_OUTCOMES.name, 1_710_163_500_000


@pytest.mark.parametrize(
    ("plant", "named"),
    [
        (lambda o: o[CALLS.name].pop(0), "calls a revision 1: missing"),
        (lambda o: o[ANSWERS.name].pop(), "answers .*: missing"),
        (lambda o: o[CALL_ATTEMPTS.name].pop(), "attempts .*: missing"),
        (lambda o: o["airudder.dead-letters.v1"].clear(), "dead letters .*: missing"),
        (lambda o: o[CALLS.name].reverse(), "revision 1 appears first after 2"),
        (changed(CALLS.name, 0, disposition="rejected"), "calls a revision 1: disposition is 'rejected'"),
        (changed(CALLS.name, 0, call_id="x"), "nobody sent it"),
        (changed(CALL_ATTEMPTS.name, 0, attempt_number=9), "attempts .*: invented"),
        (changed(CALLS.name, 0, record_id="other"), "ce_id a-1 but record_id other"),
        (changed(WF, 0, calls=3), "window .*: calls is 3, not 2"),
        (again(CALLS.name, raw=b"other"), "stands for 2 different records"),
        (again(CALLS.name, headers={"ce_id": b"other"}), "written twice"),
        (lambda o: o[LATE_CALLS.name].append(o[CALLS.name][0]), "is not late"),
        (lambda o: o[WF].append(window(WF, "wf-1", START, 2, 1)), "the newest"),
        (lambda o: o[WF].append(window(WF, "wf-1", START, 3, 1)), "written with two contents"),
        (lambda o: o[WF].insert(0, window(WF, "wf-1", START, 2, 2, True)), "changed after its final"),
        (lambda o: o[WF].append(window(WF, "ghost", START, 1, 1)), "window .*ghost.*: calls is 1, not 0"),
    ],
)
def test_what_is_planted_is_named(
    plant: Callable[[Planted], None], named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = perfect()
    plant(outputs)

    with pytest.raises(AssertionError, match=named):
        assert not differences(outputs, monkeypatch), "\n".join(differences(outputs, monkeypatch))
