"""The public records of a call: the call, its answers, its attempts."""

from msgspec import field

from schemas.records.record import Record


class Call(Record, frozen=True, kw_only=True):
    """One call, answered or given up, as its latest delivery reports it."""

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
    sip_line: str = ""
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
    sip_line: str = ""
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
    call_ended_at_source: str = "provider"
    answer_count: int = 0
    state: str = "not_reached"


class CallAttempt(Record, frozen=True, kw_only=True):
    """One dial of a call, redials included."""

    record_id: str
    event_id: str
    final_call_id: str
    call_id: str = ""
    revision: int
    attempt_number: int
    is_final: bool = False
    workflow_id: str
    sip_line: str = ""
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
