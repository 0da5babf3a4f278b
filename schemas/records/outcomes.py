"""Records of counted calls: what one call adds to a window, and the windows."""

from msgspec import field

from schemas.records.record import Record


class QuestionOutcomes(Record, frozen=True, kw_only=True):
    """How often a question ended in each state."""

    completed: int
    skipped: int
    broke_off: int
    not_reached: int
    position_sum: int = 0


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
    is_final: bool = False
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
    workflow_names: dict[str, int] = field(default_factory=dict)


class QuestionState(Record, frozen=True, kw_only=True):
    """The state of one question. Stored as CallOutcome is."""

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
    workflow_name: str = ""


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
