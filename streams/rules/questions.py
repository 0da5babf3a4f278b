"""The questions of a window in their order, and the one that ends the workflow. Pure."""

from typing import Final

from schemas.records.outcomes import QuestionOutcomes, WindowedOutcomes

# The callback does not say which question is required: it is one that nearly every call has, whatever its branch.
REQUIRED_SHARE: Final = 0.9


def had(question: QuestionOutcomes) -> int:
    """Calls that had the question, reached or not."""
    return reached(question) + question.not_reached


def reached(question: QuestionOutcomes) -> int:
    """Calls that came to the question."""
    return question.completed + question.skipped + question.broke_off


def in_order(window: WindowedOutcomes) -> list[str]:
    """The names of the questions by their mean place in the calls.

    Windows of an earlier release have no places; their questions are in the order of how many calls came to them.
    """
    return sorted(window.questions, key=lambda name: _place(name, window.questions[name]))


def last_required(window: WindowedOutcomes) -> QuestionOutcomes | None:
    """The last of the questions that REQUIRED_SHARE of the calls have, by the question that most have.

    None without questions, and for a line of several workflows: their questions are not one conversation.
    """
    if not window.questions or len(window.by_workflow) > 1:
        return None
    enough = REQUIRED_SHARE * max(map(had, window.questions.values()))
    required = [(name, question) for name, question in window.questions.items() if had(question) >= enough]
    return max(required, key=lambda item: _place(*item))[1]


def _place(name: str, question: QuestionOutcomes) -> tuple[float, int, str]:
    return question.position_sum / max(had(question), 1), -reached(question), name
