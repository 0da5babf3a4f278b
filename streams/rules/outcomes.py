"""What a call adds to a window, from its records: as the worker makes them, and as `recount` reads them back. Pure."""

from collections.abc import Collection, Iterable

from msgspec import Struct, structs

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import CallOutcome, QuestionState
from streams.rules.bounds import MAX_SUMMED
from streams.rules.dispositions import contradiction_of, is_never_rang_conflict, word_or_null


class DialOutcome(Struct, frozen=True, gc=False):
    """What a window counts of one dial."""

    disposition: str
    is_conflict: bool


def outcome_of_call(call: Call) -> CallOutcome:
    """What a call's own record adds to a window; `with_details` puts its dials and questions in."""
    return CallOutcome(
        workflow_id=call.workflow_id,
        sip_line=call.sip_line,
        ended_at=call.ended_at,
        result=call.result,
        result_label=call.result_label,
        hangup_type=call.hangup_type,
        ring_type=word_or_null(call.ring_type),
        disposition=call.disposition,
        duration_s=clamped(call.duration_s),
        ring_time_s=clamped(call.ring_time_s),
        talk_round=clamped(call.talk_round),
        attempt_dispositions=[],
        never_rang_conflicts=0,
        call_times_conflict=call.call_times is not None and call.call_times != call.attempt_count,
        questions=[],
        contradiction=contradiction_of(call.ring_type, call.duration_s, call.talk_round),
        workflow_name=call.workflow_name,
    )


def dial_of(attempt: CallAttempt) -> DialOutcome:
    """What a window counts of one dial."""
    return DialOutcome(attempt.disposition, is_never_rang_conflict(attempt.disposition, attempt.hangup_type))


def with_details(
    outcome: CallOutcome, dials: Collection[DialOutcome], questions: Iterable[Answer | QuestionState]
) -> CallOutcome:
    """The whole outcome of a call: dials in dialling order, questions in the order asked."""
    return structs.replace(
        outcome,
        attempt_dispositions=[dial.disposition for dial in dials],
        never_rang_conflicts=sum([dial.is_conflict for dial in dials]),
        questions=[QuestionState(question_name=one.question_name, state=one.state) for one in questions],
    )


def clamped(value: int | None) -> int:
    """A number of seconds or turns as it may enter a sum: absurd input is held inside [0, MAX_SUMMED]."""
    if value is None or value < 0:
        return 0
    return value if value < MAX_SUMMED else MAX_SUMMED
