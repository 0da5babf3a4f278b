"""The dials of a call, earlier ones and the final one. Pure."""

from zoneinfo import ZoneInfo

from schemas.records.calls import CallAttempt
from schemas.records.webhooks import Callback, CallDetail, RedialCall
from streams.rules.dispositions import disposition_of
from streams.rules.ids import record_id
from streams.rules.times import FUTURE_TOLERANCE_MS, epoch_ms


def attempts_of(
    callback: Callback, detail: CallDetail, revision: int, started_at: int | None, ended_at: int, zone: ZoneInfo
) -> list[CallAttempt]:
    """One record per dial in dialling order, the final one last."""
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
        record_id=record_id(
            "attempt", callback.event_id, callback.detail_offset, detail.call_id or "", revision, number
        ),
        event_id=callback.event_id,
        final_call_id=detail.call_id or "",
        call_id=redial.call_id or "",
        revision=revision,
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
        record_id=record_id(
            "attempt", callback.event_id, callback.detail_offset, detail.call_id or "", revision, number
        ),
        event_id=callback.event_id,
        final_call_id=detail.call_id or "",
        call_id=detail.call_id or "",
        revision=revision,
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
