"""Which dead letters a replay sends: each once, and only when that can be known."""

from __future__ import annotations

import pytest

from schemas.topics import CALLBACKS, OUTCOMES_BY_WORKFLOW
from streams.tools.dead_letters.decisions import CLOCKS_DIFFER_MS, Failure, ReplayDecision, ReplayMarks, decision_on
from streams.tools.dead_letters.letters import LetterFilter, Origin

AT = 1_710_163_512_345
ORIGIN = Origin(CALLBACKS.name, 2, 17)
NOTHING = ReplayMarks()
CHANGE = Origin(OUTCOMES_BY_WORKFLOW.name, 0, 1)


@pytest.mark.parametrize(
    ("origin", "can_be_sent", "marks", "topic", "again", "decision"),
    [
        (ORIGIN, True, NOTHING, None, False, ReplayDecision.DUE),
        (ORIGIN, True, ReplayMarks(frozenset((str(ORIGIN),))), None, False, ReplayDecision.REPLAYED),
        (ORIGIN, True, ReplayMarks(frozenset((str(ORIGIN),))), None, True, ReplayDecision.DUE),
        (ORIGIN, True, ReplayMarks(frozenset((f"{ORIGIN}0",))), None, False, ReplayDecision.DUE),
        (ORIGIN, True, ReplayMarks(known_since=AT - CLOCKS_DIFFER_MS), None, False, ReplayDecision.DUE),
        (ORIGIN, True, ReplayMarks(known_since=AT - CLOCKS_DIFFER_MS + 1), None, False, ReplayDecision.UNSURE),
        (ORIGIN, True, ReplayMarks(known_since=AT), None, True, ReplayDecision.DUE),
        (ORIGIN, False, NOTHING, None, True, ReplayDecision.IMPOSSIBLE),
        (CHANGE, True, NOTHING, None, False, ReplayDecision.INTERNAL),
        (CHANGE, True, NOTHING, None, True, ReplayDecision.INTERNAL),
        (CHANGE, True, NOTHING, CHANGE.topic, False, ReplayDecision.DUE),
        (CHANGE, True, ReplayMarks(frozenset((str(CHANGE),))), CHANGE.topic, False, ReplayDecision.REPLAYED),
    ],
)
def test_a_letter_is_sent_once_and_only_when_that_can_be_known(
    origin: Origin, can_be_sent: bool, marks: ReplayMarks, topic: str | None, again: bool, decision: ReplayDecision
) -> None:
    failure = Failure(origin, AT, can_be_sent, is_internal=origin is CHANGE)

    assert decision_on(failure, marks, LetterFilter(topic=topic), again=again) is decision


@pytest.mark.parametrize("again", [False, True])
def test_a_cut_letter_is_never_replayed(again: bool) -> None:
    failure = Failure(ORIGIN, AT, can_be_sent=True, is_cut=True)

    assert decision_on(failure, NOTHING, LetterFilter(), again=again) is ReplayDecision.CUT
