"""Records of the provider's webhooks, verified and uninterpreted: `Callback` and the others."""

from codecs import BOM_UTF8

from msgspec import field

from schemas.records.record import Record


class QuestionAnswer(Record, frozen=True, kw_only=True):
    """One question of the robot's script and its answer, as sent."""

    question_name: str | None = None
    answer: str | None = None
    answer_text: str | None = None
    status: str | None = None
    answer_text_slot: str | None = None
    var: str | None = None
    verification_results: str | None = None
    question_content: str | None = None
    question_type: str | None = None
    whether_answer: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class RedialCall(Record, frozen=True, kw_only=True):
    """One earlier dial of the same callee, as sent in redail_call[] (the provider's spelling)."""

    call_id: str | None = None
    call_start_time: str | None = None
    ring_type: str | None = None
    ring_time: int | None = None
    hangup_type: str | None = None
    result_label: str | None = None
    callee_number: str | None = None
    caller_number: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class CallDetail(Record, frozen=True, kw_only=True):
    """One call: one entry of details[], as sent."""

    id: int | None = None
    callee: str | None = None
    result: str | None = None
    result_label: str | None = None
    duration: int | None = None
    hangup_type: str | None = None
    ring_type: str | None = None
    question_answer: list[QuestionAnswer] | None = None
    ner_slots: dict[str, str] | None = None
    robot_hash: str | None = None
    call_id: str | None = None
    call_times: int | None = None
    call_start_time: str | None = None
    call_end_time: str | None = None
    ring_time: int | None = None
    talk_round: int | None = None
    redial_calls: list[RedialCall] | None = None
    intention_description: str | None = None
    event_label: dict[str, str] | None = None
    caller_number: str | None = None
    case_id: str | None = None
    variables: dict[str, str] | None = None
    extra: dict[str, str] = field(default_factory=dict)


class Callback(Record, frozen=True, kw_only=True):
    """One delivery from AiRudder, verified and uninterpreted. Lossless.

    A provider field is None when it was not sent, or when `extra` has its value. The gateway accepts no delivery
    without a workflow_id, and no detail without a call_id.
    """

    event_id: str
    received_at: int = 0
    kind: str = "call-completion"
    signature_scheme: str = "none"
    signature_key_id: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    nodetask_id: str | None = None
    nodetask_name: str | None = None
    task_id: str | None = None
    task_name: str | None = None
    status: str | None = None
    created_at: str | None = None
    repeat_interval: int | None = None
    repeat_number: int | None = None
    robot_hash: str | None = None
    robot_method: str | None = None
    sip_line: str | None = None
    schedule_start_time: str | None = None
    schedule_end_time: str | None = None
    details: list[CallDetail] = field(default_factory=list)
    extra: dict[str, str] = field(default_factory=dict)
    detail_offset: int = 0


class WorkflowAction(Record, frozen=True, kw_only=True):
    """One node of the workflow, as sent."""

    nodetask_id: str | None = None
    nodetask_name: str | None = None
    node_type: str | None = None
    task_id: str | None = None
    task_status: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class WorkflowStatusChange(Record, frozen=True, kw_only=True):
    """One change of a workflow's status, verified and uninterpreted. Lossless."""

    event_id: str
    received_at: int = 0
    kind: str = "workflow-status-change"
    signature_scheme: str = "none"
    signature_key_id: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    status: str | None = None
    actions: list[WorkflowAction] | None = None
    extra: dict[str, str] = field(default_factory=dict)


class ChatbotMessageContent(Record, frozen=True, kw_only=True):
    """What a message holds, as sent."""

    type: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class ChatbotMessage(Record, frozen=True, kw_only=True):
    """One message of the session, as sent."""

    msg_id: str | None = None
    sender_type: str | None = None
    timestamp: int | None = None
    status: str | None = None
    content: ChatbotMessageContent | None = None
    extra: dict[str, str] = field(default_factory=dict)


class ChatbotSessionEnd(Record, frozen=True, kw_only=True):
    """The end of one chat session, verified and uninterpreted. Lossless."""

    event_id: str
    received_at: int = 0
    kind: str = "chatbot-session-end"
    signature_scheme: str = "none"
    signature_key_id: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    nodetask_id: str | None = None
    nodetask_name: str | None = None
    waba_task_id: str | None = None
    wfdetail_uuid: str | None = None
    timestamp: int | None = None
    channel: str | None = None
    channel_id: str | None = None
    callee: str | None = None
    call_id: str | None = None
    robot_id: str | None = None
    status: str | None = None
    session_start_time: str | None = None
    session_end_time: str | None = None
    session_end_reason: str | None = None
    intention: str | None = None
    talk_round: int | None = None
    ner_slots: dict[str, str] | None = None
    event_label: dict[str, str] | None = None
    variables: dict[str, str] | None = None
    messages: list[ChatbotMessage] | None = None
    extra: dict[str, str] = field(default_factory=dict)


class PredictiveDialerStatus(Record, frozen=True, kw_only=True):
    """One change of a predictive dialer's task, contact or agent, verified and uninterpreted. Lossless.

    `body` is JSON text, an object, as it was sent.
    """

    event_id: str
    received_at: int = 0
    kind: str = "predictive-dialer-status"
    signature_scheme: str = "none"
    signature_key_id: str | None = None
    type: str | None = None
    task_id: str | None = None
    call_id: str | None = None
    body: str | None = None
    extra: dict[str, str] = field(default_factory=dict)


class Event(Record, frozen=True, kw_only=True):
    """One delivery of a webhook whose fields are not known yet: JSON of any type, as it was sent. Lossless."""

    record_id: str
    event_id: str
    received_at: int = 0
    kind: str = "events"
    name: str = ""
    signature_scheme: str = "none"
    signature_key_id: str | None = None
    body: str = "null"
    has_byte_order_mark: bool = False

    @property
    def sent(self) -> bytes:
        """The request's body, byte for byte; its SHA-256 is the event id."""
        return (BOM_UTF8 if self.has_byte_order_mark else b"") + self.body.encode()
