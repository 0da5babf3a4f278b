"""One detail of a callback becomes one Call, its Answers and its CallAttempts. Pure."""

from dataclasses import dataclass
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import msgpack, structs

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import CallOutcome
from schemas.records.webhooks import Callback, CallDetail
from streams.errors import ImpossibleCallbackError
from streams.rules.attempts import attempts_of
from streams.rules.dispositions import question_state
from streams.rules.escapes import readable
from streams.rules.ids import record_id
from streams.rules.outcomes import dial_of, outcome_of_call, with_details
from streams.rules.spellings import as_documented, detail_as_documented
from streams.rules.times import EventTime, epoch_ms, times_of

# The fields of a detail by the provider's names, which differ from ours in these five.
_SPELT: Final = {"ner_slots", "event_label", "case_id", "variables", "redial_calls"}
_DOCUMENTED: Final = frozenset(CallDetail.__struct_fields__) - _SPELT | {
    *("NerSlots", "EventLabel", "CaseID", "Variables", "redail_call")
}


@dataclass(frozen=True)
class FanOut:
    """What one detail gives: the records for subscribers, and the outcome that windows count."""

    call: Call
    answers: list[Answer]
    attempts: list[CallAttempt]
    outcome: CallOutcome
    event_time: EventTime


def check(callback: Callback) -> CallDetail | None:
    """The first detail, for which this record stands, as far as it can be read; None for a delivery without details.

    Raises: ImpossibleCallbackError when it has no call_id or no workflow_id, which the gateway promises.
    """
    if not callback.details:
        return None
    if callback.workflow_id is None:
        raise ImpossibleCallbackError("workflow_id is null")
    if not callback.details[0].call_id:
        raise ImpossibleCallbackError("details[0].call_id is empty")
    return detail_as_documented(callback.details[0])


def content_digest(callback: Callback, detail: CallDetail) -> bytes:
    """16 bytes that are equal when two deliveries say the same about a call.

    The status of the task and the order of the redials say nothing about the call.
    """
    envelope = (
        callback.workflow_id,
        callback.workflow_name,
        callback.nodetask_id,
        callback.nodetask_name,
        callback.task_id,
        callback.task_name,
        callback.sip_line,
    )
    redials = detail.redial_calls
    if redials and len(redials) > 1:
        detail = structs.replace(detail, redial_calls=sorted(redials, key=msgpack.encode))
    return blake2b(msgpack.encode((envelope, detail), order="sorted"), digest_size=16).digest()


def fan_out(callback: Callback, detail: CallDetail, revision: int, zone: ZoneInfo) -> FanOut:
    """Split one detail into the records downstream services read.

    Shape: one Call, its Answers in the order asked, its CallAttempts in dialling order, the final dial last.
    Units: durations in seconds as sent; instants in UTC epoch ms, from the account's time zone.
    Repeat: safe; the same detail and revision give equal records with equal record_ids.
    Source: AiRudder, "Notification of Call Completion in Workflow (Info Check)".
    """
    if callback.extra:
        callback = as_documented(callback)
    started_at, ended = times_of(detail.call_start_time, detail.call_end_time, callback.received_at, zone)
    attempts = attempts_of(callback, detail, revision, started_at, ended.at_ms, zone)
    answers = _answers(callback, detail, revision, ended)
    call = _call(callback, detail, revision, ended, zone, attempts, len(answers))
    outcome = with_details(outcome_of_call(call), [dial_of(attempt) for attempt in attempts], answers)
    return FanOut(call, answers, attempts, outcome, ended)


def _call(
    callback: Callback,
    detail: CallDetail,
    revision: int,
    ended: EventTime,
    zone: ZoneInfo,
    attempts: list[CallAttempt],
    answer_count: int,
) -> Call:
    return Call(
        record_id=record_id("call", callback.event_id, callback.detail_offset, detail.call_id or "", revision),
        event_id=callback.event_id,
        call_id=detail.call_id or "",
        revision=revision,
        workflow_id=callback.workflow_id or "",
        workflow_name=callback.workflow_name or "",
        nodetask_id=callback.nodetask_id or "",
        nodetask_name=callback.nodetask_name or "",
        task_id=callback.task_id or "",
        task_name=callback.task_name or "",
        sip_line=callback.sip_line or "",
        detail_id=detail.id or 0,
        case_id=detail.case_id or "",
        callee=detail.callee or "",
        caller_number=detail.caller_number,
        result=detail.result or "",
        result_label=detail.result_label or "",
        hangup_type=detail.hangup_type or "",
        ring_type=detail.ring_type,
        disposition=attempts[-1].disposition,
        duration_s=detail.duration or 0,
        ring_time_s=detail.ring_time or 0,
        talk_round=detail.talk_round or 0,
        call_times=detail.call_times,
        started_at=attempts[-1].started_at,
        ended_at=ended.at_ms,
        received_at=callback.received_at,
        robot_hash=detail.robot_hash or "",
        intention_description=detail.intention_description,
        ner_slots=detail.ner_slots or {},
        event_labels=detail.event_label or {},
        variables=detail.variables or {},
        answer_count=answer_count,
        attempt_count=len(attempts),
        ended_at_source=ended.source,
        task_status=callback.status,
        task_created_at=epoch_ms(callback.created_at, zone, callback.received_at),
        repeat_interval=callback.repeat_interval,
        repeat_number=callback.repeat_number,
        robot_method=callback.robot_method,
        schedule_start_at=epoch_ms(callback.schedule_start_time, zone, callback.received_at),
        schedule_end_at=epoch_ms(callback.schedule_end_time, zone, callback.received_at),
        extra={name: text for name, text in detail.extra.items() if name not in _DOCUMENTED} if detail.extra else {},
    )


def _answers(callback: Callback, detail: CallDetail, revision: int, ended: EventTime) -> list[Answer]:
    questions = detail.question_answer or ()
    count = len(questions)
    return [
        Answer(
            record_id=record_id(
                "answer", callback.event_id, callback.detail_offset, detail.call_id or "", revision, position
            ),
            event_id=callback.event_id,
            call_id=detail.call_id or "",
            revision=revision,
            position=position,
            workflow_id=callback.workflow_id or "",
            sip_line=callback.sip_line or "",
            case_id=detail.case_id or "",
            callee=detail.callee or "",
            question_name=question.question_name or "",
            question_content=readable(question.question_content),
            question_type=question.question_type,
            status=question.status,
            answer=question.answer,
            answer_text=question.answer_text,
            answer_text_slot=question.answer_text_slot,
            var=question.var,
            verification_results=question.verification_results,
            whether_answer=question.whether_answer,
            call_ended_at=ended.at_ms,
            call_ended_at_source=ended.source,
            answer_count=count,
            state=question_state(question.status, question.whether_answer),
        )
        for position, question in enumerate(questions)
    ]
