"""Records for tests: one of everything, and builders that take only what a test cares about."""

from __future__ import annotations

from typing import Any

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.kept import DeadLetter, KeptHeader, QuarantinedRequest
from schemas.records.outcomes import (
    CallOutcome,
    LineWorkflowOutcomes,
    OutcomeChange,
    QuestionOutcomes,
    QuestionState,
    WindowedOutcomes,
)
from schemas.records.record import Record
from schemas.records.webhooks import (
    Callback,
    CallDetail,
    ChatbotMessage,
    ChatbotMessageContent,
    ChatbotSessionEnd,
    Event,
    PredictiveDialerStatus,
    QuestionAnswer,
    RedialCall,
    WorkflowAction,
    WorkflowStatusChange,
)

RECEIVED_AT = 1_710_163_513_250  # 2024-03-11T13:25:13.250Z, a second after the page's example ended
ENDED_AT = 1_710_163_512_000
EVENT_ID = "0123456789abcdef" * 4


def question(name: str = "Q0", **changes: Any) -> QuestionAnswer:
    return QuestionAnswer(**{"question_name": name, "status": "Completed", "answer": "yes", **changes})


def redial(**changes: Any) -> RedialCall:
    values = {
        "call_id": "earlier",
        "call_start_time": "2024-03-11 13:23:34",
        "ring_type": "normal",
        "ring_time": 3,
        "hangup_type": "ByCallee",
        "result_label": "F",
        "callee_number": "+8610000000021",
        "caller_number": "+9500000000088",
    }
    return RedialCall(**{**values, **changes})


def detail(**changes: Any) -> CallDetail:
    values = {
        "id": 2124875281,
        "callee": "+8610000000021",
        "result": "finished",
        "result_label": "E",
        "duration": 43,
        "hangup_type": "ByCallee",
        "ring_type": "normal",
        "question_answer": [question()],
        "robot_hash": "a37e",
        "call_id": "call-1",
        "call_times": 1,
        "call_start_time": "2024-03-11 13:24:29",
        "call_end_time": "2024-03-11 13:25:12",
        "ring_time": 2,
        "talk_round": 3,
        "case_id": "",
        "variables": {"name": "lyn"},
    }
    return CallDetail(**{**values, **changes})


def callback(*details: CallDetail, **changes: Any) -> Callback:
    values = {
        "event_id": EVENT_ID,
        "received_at": RECEIVED_AT,
        "kind": "call-completion",
        "signature_scheme": "hmac-sha256",
        "signature_key_id": "default",
        "workflow_id": "wf-1",
        "workflow_name": "A workflow",
        "nodetask_id": "node-1",
        "nodetask_name": "Voicebot",
        "task_id": "task-1",
        "task_name": "A task",
        "status": "calling",
        "created_at": "2024-03-11 13:19:52",
        "repeat_interval": 0,
        "repeat_number": 3,
        "robot_hash": "a37e",
        "robot_method": "single",
        "sip_line": "line-1",
        "schedule_start_time": "2024-03-11 13:21:27",
        "schedule_end_time": "2024-03-11 13:52:52",
        "details": list(details) or [detail()],
    }
    return Callback(**{**values, **changes})


def outcome(**changes: Any) -> CallOutcome:
    values = {
        "workflow_id": "wf-1",
        "sip_line": "line-1",
        "ended_at": ENDED_AT,
        "result": "finished",
        "result_label": "E",
        "hangup_type": "ByCallee",
        "ring_type": "normal",
        "disposition": "answered",
        "duration_s": 43,
        "ring_time_s": 2,
        "talk_round": 3,
        "attempt_dispositions": ["answered"],
        "never_rang_conflicts": 0,
        "call_times_conflict": False,
        "questions": [QuestionState(question_name="Q0", state="completed")],
        "workflow_name": "Survey",
    }
    return CallOutcome(**{**values, **changes})


def change(**changes: Any) -> OutcomeChange:
    values = {
        "record_id": "c" * 32,
        "call_id": "call-1",
        "source_topic": "airudder.callbacks.v1",
        "source_partition": 0,
        "source_offset": 7,
        "received_at": RECEIVED_AT,
        "is_event_time_trusted": True,
    }
    return OutcomeChange(**{**values, **changes})


CALL = Call(
    record_id="1" * 32,
    event_id=EVENT_ID,
    call_id="call-1",
    revision=2,
    workflow_id="wf-1",
    workflow_name="A workflow",
    nodetask_id="node-1",
    nodetask_name="Voicebot",
    task_id="task-1",
    task_name="A task",
    sip_line="line-1",
    detail_id=2**40,
    case_id="case-1",
    callee="+8610000000021",
    caller_number="+9500000000088",
    result="finished",
    result_label="E",
    hangup_type="ByCallee",
    ring_type="normal",
    disposition="answered",
    duration_s=43,
    ring_time_s=2,
    talk_round=3,
    call_times=2,
    started_at=1_710_163_469_000,
    ended_at=ENDED_AT,
    received_at=RECEIVED_AT,
    robot_hash="a37e",
    intention_description="No Answer",
    ner_slots={"PaymentTime": "Time_0"},
    event_labels={"A0": "A0"},
    variables={"name": "林"},
    answer_count=1,
    attempt_count=2,
)

ANSWER = Answer(
    record_id="2" * 32,
    event_id=EVENT_ID,
    call_id="call-1",
    revision=2,
    position=0,
    workflow_id="wf-1",
    sip_line="line-1",
    case_id="case-1",
    callee="+8610000000021",
    question_name="Q0",
    question_content="意愿确认 Willingness Check",
    question_type="whether",
    status="Completed",
    answer="/",
    answer_text="",
    answer_text_slot="-",
    var="-",
    verification_results="-",
    whether_answer="Hangup",
    call_ended_at=ENDED_AT,
)

ATTEMPT = CallAttempt(
    record_id="3" * 32,
    event_id=EVENT_ID,
    final_call_id="call-1",
    call_id="earlier",
    revision=2,
    attempt_number=1,
    is_final=False,
    workflow_id="wf-1",
    sip_line="line-1",
    callee="+8610000000021",
    caller_number="+9500000000088",
    ring_type="normal",
    ring_time_s=3,
    hangup_type="ByCallee",
    result_label="F",
    disposition="rejected",
    duration_s=None,
    started_at=1_710_163_414_000,
)

WINDOWED = WindowedOutcomes(
    dimension="sip_line",
    value="line-1",
    window_start_at=1_710_163_500_000,
    window_end_at=1_710_163_800_000,
    revision=3,
    is_final=True,
    calls=2,
    answered=1,
    attempts=3,
    results={"finished": 2},
    result_labels={"E": 1, "F": 1},
    hangup_types={"ByCallee": 2},
    ring_types={"normal": 1, "null": 1},
    dispositions={"answered": 1, "pre_alert_failure": 1},
    attempt_dispositions={"answered": 1, "pre_alert_failure": 1, "rejected": 1},
    duration_s_sum=43,
    ring_time_s_sum=2,
    talk_round_sum=3,
    questions={"Q0": QuestionOutcomes(completed=1, skipped=0, broke_off=1, not_reached=0, position_sum=2)},
    short_calls=0,
    silent_answers=0,
    engaged_calls=0,
    answered_duration_s_sum=43,
    answered_hangup_types={"ByCallee": 1},
    answered_on_attempt={"2": 1},
    reached_attempt={"1": 2, "2": 1},
    duration_s_histogram=[0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0],
    answered_ring_time_s_histogram=[0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    unanswered_ring_time_s_histogram=[1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
    never_rang_conflicts=1,
    call_times_conflicts=1,
    by_workflow={"wf-1": LineWorkflowOutcomes(attempts=3, answered=1, delivered=2, pre_alert_failure=1)},
    overflow={"result_labels": 1},
    workflow_names={"Survey": 2},
)

QUARANTINED = QuarantinedRequest(
    event_id=EVENT_ID,
    received_at=RECEIVED_AT,
    reason="bad_signature",
    detail="no scheme verifies",
    method="POST",
    path="/webhooks/airudder/call-completion",
    headers={"content-type": "application/json"},
    body=b"\x00not \xff JSON",
    remote_address="192.0.2.1",
)

DEAD_LETTER = DeadLetter(
    source_topic="airudder.callbacks.v1",
    source_partition=11,
    source_offset=2**40,
    key=b"call-1",
    value=b"\x01poison\xff",
    headers={"ce_id": b"x"},
    reason="undecodable",
    detail="the first byte is 0x01",
    failed_at=RECEIVED_AT,
    is_cut=True,
    key_bytes=6,
    key_sha256="a" * 64,
    value_bytes=8,
    value_sha256="b" * 64,
    headers_count=2,
    all_headers=[KeptHeader(name="ce_id", value=None), KeptHeader(name="ce_id", value=b"x")],
)

STATUS_CHANGE = WorkflowStatusChange(
    event_id=EVENT_ID,
    received_at=RECEIVED_AT,
    kind="workflow-status",
    signature_scheme="hmac-sha256",
    signature_key_id=None,
    workflow_id="wf-1",
    workflow_name="A workflow",
    status="paused",
    actions=[WorkflowAction(nodetask_id="node-1", node_type="voicebot", extra={"x": "1"})],
)

CHATBOT_SESSION = ChatbotSessionEnd(
    event_id=EVENT_ID,
    received_at=RECEIVED_AT,
    kind="chatbot-session",
    signature_scheme="hmac-sha256",
    workflow_id="wf-1",
    timestamp=1_710_163_512,
    call_id="chat-1",
    status="ended",
    talk_round=3,
    ner_slots={"PaymentTime": "Time_0"},
    messages=[ChatbotMessage(msg_id="m", content=ChatbotMessageContent(type="text", extra={"text": '"hi"'}))],
    extra={"new": "null"},
)

DIALER_STATUS = PredictiveDialerStatus(
    event_id=EVENT_ID,
    received_at=RECEIVED_AT,
    kind="predictive-dialer-status",
    signature_scheme="hmac-sha256",
    signature_key_id="default",
    type="ContactStatus",
    task_id="task-1",
    call_id="call-1",
    body='{"taskId": "task-1", "callid": "call-1", "state": "HANGUP", "hangupReason": 1e400}',
    extra={"new": "null"},
)

EVENT = Event(
    record_id="4" * 64,
    event_id=EVENT_ID,
    received_at=RECEIVED_AT,
    kind="events",
    name="waba-message-status",
    signature_scheme="hmac-sha256",
    signature_key_id="default",
    body='[{"a": 1, "a": "\\ud800"}, 1e400, null, "林"]',
    has_byte_order_mark=True,
)

EVERY_RECORD: tuple[Record, ...] = (
    callback(
        detail(
            redial_calls=[redial(extra={"line": '"other"'}), RedialCall()],
            ner_slots={"PaymentTime": "Time_0"},
            event_label={"A0": "A0"},
            intention_description="No Answer",
            caller_number="+9500000000088",
            extra={"score": "0.5"},
        ),
        detail(ring_type=None, question_answer=[QuestionAnswer(question_name="Q1", extra={"x": "null"})]),
        CallDetail(call_id="call-3", question_answer=[QuestionAnswer()], extra={"duration": '"30"', "Variables": "[]"}),
        extra={"new_field": '{"deep": [1, null]}'},
        detail_offset=3,
    ),
    CALL,
    ANSWER,
    ATTEMPT,
    WINDOWED,
    change(removed=outcome(disposition="no_answer"), added=outcome(), call=b"\x00\x00\x00\x00\x01call"),
    QUARANTINED,
    DEAD_LETTER,
    STATUS_CHANGE,
    CHATBOT_SESSION,
    DIALER_STATUS,
    EVENT,
)
