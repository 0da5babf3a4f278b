"""One detail of a callback becomes one Call, its Answers and its CallAttempts. Pure."""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final
from zoneinfo import ZoneInfo

from msgspec import msgpack, structs

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import CallOutcome, QuestionState
from schemas.records.webhooks import Callback, CallDetail, RedialCall
from streams.errors import InvalidCallbackError
from streams.rules.ids import id_of
from streams.rules.outcomes import (
    PRE_ALERT_FAILURE,
    blames_callee_though_silent,
    contradiction_of,
    disposition_of,
    question_state,
    summable,
    word,
)
from streams.rules.spellings import as_documented, detail_as_documented
from streams.rules.times import FUTURE_TOLERANCE_MS, EventTime, epoch_ms, times_of

# Characters behind an even number of backslashes: surrogate pairs, and units that are no surrogate. Half a pair is no
# character, and Avro takes none; NUL is one, but many databases take none.
_ESCAPED: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)"
    r"((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})+)"
)
# The fields of a detail by the provider's names, which differ from ours in these five.
_SPELT: Final = {"ner_slots", "event_label", "case_id", "variables", "redial_calls"}
_DOCUMENTED: Final = frozenset(CallDetail.__struct_fields__) - _SPELT | {
    *("NerSlots", "EventLabel", "CaseID", "Variables", "redail_call")
}
_REMEMBERED_LENGTH: Final = 2048  # a script's questions come again with every call; what is longer costs memory


@dataclass(frozen=True)
class FanOut:
    """What one detail gives: the records for subscribers, and the outcome that windows count."""

    call: Call
    answers: list[Answer]
    attempts: list[CallAttempt]
    outcome: CallOutcome
    event_time: EventTime


def check(callback: Callback) -> CallDetail | None:
    """The detail that this record stands for, its first, as far as it can be read; None for a delivery without details.

    Raises: InvalidCallbackError when it has no call_id or no workflow_id, which the gateway promises.
    """
    if not callback.details:
        return None
    if callback.workflow_id is None:
        raise InvalidCallbackError("workflow_id is null")
    if not callback.details[0].call_id:
        raise InvalidCallbackError("details[0].call_id is empty")
    return detail_as_documented(callback.details[0])


def content_digest(callback: Callback, detail: CallDetail) -> bytes:
    """16 bytes that are equal when two deliveries say the same about a call, however and whenever they came.

    What has become of the task meanwhile says nothing about the call, nor does the order of the redials.
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
    attempts = _attempts(callback, detail, revision, started_at, ended.at_ms, zone)
    answers = _answers(callback, detail, revision, ended.at_ms)
    call = _call(callback, detail, revision, ended, zone, attempts, len(answers))
    return FanOut(call, answers, attempts, outcome_of(call, attempts, answers), ended)


def record_id(kind: str, callback: Callback, call_id: str, revision: int, position: int = 0) -> str:
    """The id of one record: the delivery, the place of the detail in it, the call, its revision and the record's place.

    No topic or offset is in it: a delivery that reaches the topic twice still gives equal ids.
    """
    parts = (kind, callback.event_id, str(callback.detail_offset), call_id, str(revision), str(position))
    return id_of(*parts)


def readable(text: str | None) -> str | None:
    """Text that the provider escaped twice, as people read it; what is no valid escape stays as it is."""
    if text is None or "\\u" not in text:
        return text
    return _unescaped(text) if len(text) <= _REMEMBERED_LENGTH else _unescaped.__wrapped__(text)


@lru_cache(maxsize=1024)
def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    return match[1] + bytes.fromhex(match[2].replace("\\u", "")).decode("utf-16-be")


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
        record_id=record_id("call", callback, detail.call_id or "", revision),
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


def _answers(callback: Callback, detail: CallDetail, revision: int, ended_at: int) -> list[Answer]:
    questions = detail.question_answer or ()
    count = len(questions)
    return [
        Answer(
            record_id=record_id("answer", callback, detail.call_id or "", revision, position),
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
            call_ended_at=ended_at,
            answer_count=count,
            state=question_state(question.status, question.whether_answer),
        )
        for position, question in enumerate(questions)
    ]


def _attempts(
    callback: Callback, detail: CallDetail, revision: int, started_at: int | None, ended_at: int, zone: ZoneInfo
) -> list[CallAttempt]:
    redials = _redials(detail, ended_at, callback.received_at + FUTURE_TOLERANCE_MS, zone)
    count = len(redials) + 1
    attempts = [
        _redial(callback, detail, revision, number, count, redial_started_at, redial)
        for number, (redial_started_at, redial) in enumerate(redials, start=1)
    ]
    return [*attempts, _final_attempt(callback, detail, revision, count, started_at)]


def _redials(detail: CallDetail, ended_at: int, latest: int, zone: ZoneInfo) -> list[tuple[int | None, RedialCall]]:
    """The earlier dials with their start times, in that order; each once, and without the final one.

    A dial is named by its call_id; what has none is a dial of its own. What has no time, or one after the latest that
    is possible, keeps its place behind the others.
    """
    timed = [
        (None if (at := epoch_ms(redial.call_start_time, zone, ended_at)) is None or at > latest else at, redial)
        for redial in detail.redial_calls or ()
    ]
    if len(timed) < 2:
        return [one for one in timed if one[1].call_id != detail.call_id]
    timed.sort(key=_dialling_order)
    seen = {detail.call_id}
    return [(at, redial) for at, redial in timed if not redial.call_id or _is_new(seen, redial.call_id)]


def _dialling_order(timed: tuple[int | None, RedialCall]) -> tuple[bool, int]:
    return timed[0] is None, timed[0] or 0


def _is_new(seen: set[str | None], call_id: str) -> bool:
    is_new = call_id not in seen
    seen.add(call_id)
    return is_new


def _redial(
    callback: Callback,
    detail: CallDetail,
    revision: int,
    number: int,
    count: int,
    started_at: int | None,
    redial: RedialCall,
) -> CallAttempt:
    return CallAttempt(
        record_id=record_id("attempt", callback, detail.call_id or "", revision, number),
        event_id=callback.event_id,
        final_call_id=detail.call_id or "",
        call_id=redial.call_id or "",
        attempt_number=number,
        is_final=False,
        workflow_id=callback.workflow_id or "",
        sip_line=callback.sip_line or "",
        callee=redial.callee_number or detail.callee or "",
        caller_number=redial.caller_number,
        ring_type=redial.ring_type,
        ring_time_s=redial.ring_time,
        hangup_type=redial.hangup_type,
        result_label=redial.result_label,
        disposition=disposition_of(None, redial.ring_type, redial.hangup_type, redial.ring_time, None, None),
        duration_s=None,
        started_at=started_at,
        attempt_count=count,
    )


def _final_attempt(
    callback: Callback, detail: CallDetail, revision: int, number: int, started_at: int | None
) -> CallAttempt:
    return CallAttempt(
        record_id=record_id("attempt", callback, detail.call_id or "", revision, number),
        event_id=callback.event_id,
        final_call_id=detail.call_id or "",
        call_id=detail.call_id or "",
        attempt_number=number,
        is_final=True,
        workflow_id=callback.workflow_id or "",
        sip_line=callback.sip_line or "",
        callee=detail.callee or "",
        caller_number=detail.caller_number,
        ring_type=detail.ring_type,
        ring_time_s=detail.ring_time,
        hangup_type=detail.hangup_type,
        result_label=detail.result_label,
        disposition=disposition_of(
            detail.result,
            detail.ring_type,
            detail.hangup_type,
            detail.ring_time,
            detail.duration,
            detail.talk_round,
        ),
        duration_s=detail.duration,
        started_at=started_at,
        attempt_count=number,
    )


def outcome_of(call: Call, attempts: list[CallAttempt], answers: list[Answer]) -> CallOutcome:
    """What a call adds to a window, from its records alone."""
    silent = [attempt for attempt in attempts if attempt.disposition == PRE_ALERT_FAILURE]
    return CallOutcome(
        workflow_id=call.workflow_id,
        sip_line=call.sip_line,
        ended_at=call.ended_at,
        result=call.result,
        result_label=call.result_label,
        hangup_type=call.hangup_type,
        ring_type=word(call.ring_type),
        disposition=call.disposition,
        duration_s=summable(call.duration_s),
        ring_time_s=summable(call.ring_time_s),
        talk_round=summable(call.talk_round),
        attempt_dispositions=[attempt.disposition for attempt in attempts],
        never_rang_conflicts=sum([blames_callee_though_silent(a.disposition, a.hangup_type) for a in silent]),
        call_times_conflict=call.call_times is not None and call.call_times != call.attempt_count,
        questions=[QuestionState(question_name=answer.question_name, state=answer.state) for answer in answers],
        contradiction=contradiction_of(call.ring_type, call.duration_s, call.talk_round),
    )
