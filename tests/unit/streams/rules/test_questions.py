"""The questions of a window follow each other as they were asked, and the last required one ends the workflow."""

from __future__ import annotations

import pytest
from msgspec import structs

from schemas.records.outcomes import QuestionOutcomes, QuestionState
from streams.rules.counts import OutcomeCounts
from streams.rules.questions import in_order, last_required
from tests.support.panes import line_workflow, pane
from tests.support.panes import question as outcomes_of
from tests.support.records import outcome


def placed(place: float, completed: int = 0, not_reached: int = 0) -> QuestionOutcomes:
    question = outcomes_of(completed=completed, not_reached=not_reached)
    return structs.replace(question, position_sum=round(place * (completed + not_reached)))


def test_questions_come_in_the_order_of_their_mean_place() -> None:
    counts = OutcomeCounts()
    for asked in (["z", "a", "m"], ["z", "m"], ["z", "a", "m"]):
        questions = [QuestionState(question_name=name, state="completed") for name in asked]
        counts.add(outcome(questions=questions), by_workflow=False)

    assert in_order(pane(**counts.fields())) == ["z", "a", "m"]  # type: ignore[arg-type]  # counts have no bounds


def test_without_places_they_come_by_how_many_reached_them() -> None:
    questions = {"b": outcomes_of(9), "a": outcomes_of(10), "c": outcomes_of(9)}

    assert in_order(pane(questions=questions)) == ["a", "b", "c"]


@pytest.mark.parametrize(("share", "last"), [(90, "closing"), (89, "consent")])
def test_a_question_that_a_tenth_does_not_have_is_not_required(share: int, last: str) -> None:
    questions = {"consent": placed(1, 60, 40), "closing": placed(2, share)}

    assert last_required(pane(questions=questions)) is questions[last]


def test_a_line_of_several_workflows_has_no_last_question() -> None:
    questions = {"consent": placed(1, 60)}
    one, two = ({f"wf-{n}": line_workflow(60, 30) for n in range(count)} for count in (1, 2))

    assert last_required(pane(questions=questions, by_workflow=one)) is questions["consent"]
    assert last_required(pane(questions=questions, by_workflow=two)) is None
    assert last_required(pane()) is None
