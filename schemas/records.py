"""The records on the wire as frozen types, field for field with `avro/*.avsc`, where every field is explained.

Instants are UTC epoch milliseconds (`..._at`), durations seconds (`..._s`). Mutable members (lists, maps) are
the caller's to leave alone. tests/contract proves that types and schemas agree.
"""

from typing import Any, Self

from msgspec import Struct, convert, field, to_builtins


class Record(Struct, frozen=True, gc=False):
    """What all records share: turning into and from the plain values that fastavro writes and reads.

    gc=False: a record never refers back to itself, so Python need not look for cycles in it.
    """

    def to_datum(self) -> dict[str, Any]:
        """This record as nested dicts and lists, as the Avro writer takes it."""
        datum: dict[str, Any] = to_builtins(self, builtin_types=(bytes,))
        return datum

    @classmethod
    def from_datum(cls, datum: dict[str, Any]) -> Self:
        """The record that a reader's datum stands for; unknown fields are ignored, so newer writers can be read.

        Raises: msgspec.ValidationError when a field is missing or of another type.
        """
        return convert(datum, cls)


class QuestionAnswer(Record, frozen=True, kw_only=True):
    """One question of the robot's script and what came of it, as sent."""

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

    Any provider field may be None: it was not sent, or `extra` has what was. The gateway lets no delivery in without a
    workflow_id, and no detail without a call_id.
    """

    event_id: str
    received_at: int
    kind: str
    signature_scheme: str
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
    received_at: int
    kind: str
    signature_scheme: str
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
    received_at: int
    kind: str
    signature_scheme: str
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


class Call(Record, frozen=True, kw_only=True):
    """One call, answered or given up, as its latest delivery tells it."""

    record_id: str
    event_id: str
    call_id: str
    revision: int
    workflow_id: str
    workflow_name: str = ""
    nodetask_id: str = ""
    nodetask_name: str = ""
    task_id: str = ""
    task_name: str = ""
    sip_line: str
    detail_id: int = 0
    case_id: str = ""
    callee: str = ""
    caller_number: str | None = None
    result: str = ""
    result_label: str = ""
    hangup_type: str = ""
    ring_type: str | None = None
    disposition: str = "unknown"
    duration_s: int = 0
    ring_time_s: int = 0
    talk_round: int = 0
    call_times: int | None = None
    started_at: int | None = None
    ended_at: int = 0
    received_at: int = 0
    robot_hash: str = ""
    intention_description: str | None = None
    ner_slots: dict[str, str] = field(default_factory=dict)
    event_labels: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    answer_count: int
    attempt_count: int
    ended_at_source: str = "provider"
    task_status: str | None = None
    task_created_at: int | None = None
    repeat_interval: int | None = None
    repeat_number: int | None = None
    robot_method: str | None = None
    schedule_start_at: int | None = None
    schedule_end_at: int | None = None
    extra: dict[str, str] = field(default_factory=dict)


class Answer(Record, frozen=True, kw_only=True):
    """One question of a call, answered or not."""

    record_id: str
    event_id: str
    call_id: str
    revision: int
    position: int
    workflow_id: str
    sip_line: str
    case_id: str = ""
    callee: str = ""
    question_name: str = ""
    question_content: str | None = None
    question_type: str | None = None
    status: str | None = None
    answer: str | None = None
    answer_text: str | None = None
    answer_text_slot: str | None = None
    var: str | None = None
    verification_results: str | None = None
    whether_answer: str | None = None
    call_ended_at: int = 0
    answer_count: int = 0
    state: str = "not_reached"


class CallAttempt(Record, frozen=True, kw_only=True):
    """One dial of a call, redials included."""

    record_id: str
    event_id: str
    final_call_id: str
    call_id: str
    attempt_number: int
    is_final: bool = False
    workflow_id: str
    sip_line: str
    callee: str = ""
    caller_number: str | None = None
    ring_type: str | None = None
    ring_time_s: int | None = None
    hangup_type: str | None = None
    result_label: str | None = None
    disposition: str = "unknown"
    duration_s: int | None = None
    started_at: int | None = None
    attempt_count: int = 0


class QuestionOutcomes(Record, frozen=True, kw_only=True):
    """What came of one question."""

    completed: int
    skipped: int
    broke_off: int
    not_reached: int


class LineWorkflowOutcomes(Record, frozen=True, kw_only=True):
    """A SIP line's dials for one workflow."""

    attempts: int
    answered: int
    delivered: int
    pre_alert_failure: int


class WindowedOutcomes(Record, frozen=True, kw_only=True):
    """Outcomes of one workflow or SIP line in one window of event time: sums and counts only, so they merge."""

    dimension: str
    value: str
    window_start_at: int
    window_end_at: int
    revision: int
    is_final: bool
    calls: int
    answered: int
    attempts: int
    results: dict[str, int]
    result_labels: dict[str, int]
    hangup_types: dict[str, int]
    ring_types: dict[str, int]
    dispositions: dict[str, int]
    attempt_dispositions: dict[str, int]
    duration_s_sum: int
    ring_time_s_sum: int
    talk_round_sum: int
    questions: dict[str, QuestionOutcomes]
    short_calls: int
    silent_answers: int
    engaged_calls: int
    answered_duration_s_sum: int
    answered_hangup_types: dict[str, int]
    answered_on_attempt: dict[str, int]
    reached_attempt: dict[str, int]
    duration_s_histogram: list[int]
    answered_ring_time_s_histogram: list[int]
    unanswered_ring_time_s_histogram: list[int]
    never_rang_conflicts: int
    call_times_conflicts: int
    by_workflow: dict[str, LineWorkflowOutcomes]
    overflow: dict[str, int] = field(default_factory=dict)
    contradictions: dict[str, int] = field(default_factory=dict)


class QuestionState(Record, frozen=True, kw_only=True):
    """One question's fate. Stored as CallOutcome is."""

    question_name: str
    state: str


class CallOutcome(Record, frozen=True, kw_only=True):
    """What one call adds to a window.

    Stored in the worker's rows by the names of its fields: a new one has a default, and none is renamed or dropped.
    """

    workflow_id: str
    sip_line: str
    ended_at: int
    result: str
    result_label: str
    hangup_type: str
    ring_type: str
    disposition: str
    duration_s: int
    ring_time_s: int
    talk_round: int
    attempt_dispositions: list[str]
    never_rang_conflicts: int
    call_times_conflict: bool
    questions: list[QuestionState]
    contradiction: str | None = None


class OutcomeChange(Record, frozen=True, kw_only=True):
    """Internal: what one record of the callbacks topic changes in the windows of one workflow or SIP line."""

    record_id: str
    call_id: str
    source_topic: str
    source_partition: int
    source_offset: int
    received_at: int
    is_event_time_trusted: bool
    removed: CallOutcome | None = None
    removed_topic: str | None = None
    removed_partition: int | None = None
    removed_offset: int | None = None
    added: CallOutcome | None = None
    call: bytes | None = None
    ended_at_source: str = "provider"


class QuarantinedRequest(Record, frozen=True, kw_only=True):
    """A request that was not published, kept so that it can be judged again."""

    event_id: str
    received_at: int
    reason: str
    detail: str
    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    remote_address: str


class KeptHeader(Record, frozen=True, kw_only=True):
    """One header of a record."""

    name: str
    value: bytes | None = None


DEAD_LETTER_REASONS = ("undecodable", "unknown_schema", "invalid", "too_large", "refused")  # as its schema says


class DeadLetter(Record, frozen=True, kw_only=True):
    """A record that could not be processed, kept as it was, with its origin and the reason."""

    source_topic: str
    source_partition: int
    source_offset: int
    key: bytes | None = None
    value: bytes | None = None
    headers: dict[str, bytes]
    reason: str
    detail: str
    failed_at: int
    is_cut: bool = False
    key_bytes: int = 0
    key_sha256: str = ""
    value_bytes: int = 0
    value_sha256: str = ""
    headers_count: int = 0
    all_headers: list[KeptHeader] = field(default_factory=list)
