"""The records of AiRudder's topics as dataclasses. Written by `python -m schemas models`; do not edit.

Copy this file. `Call.of(decoded)` takes a record as confluent-kafka's AvroDeserializer or fastavro gives it, with
instants as aware datetimes. It leaves out fields that are newer than this file. A field that the record is too old for
gets its default. Words may be new: no text is an enum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionAnswer:
    """One question of the robot's script and what came of it, as sent."""

    question_name: str | None = None
    """The question's short name in the script, e.g. Q0."""
    answer: str | None = None
    """The answer the robot understood, as sent; '/' for none. Null when the provider did not send the field."""
    answer_text: str | None = None
    """What the callee said, transcribed."""
    status: str | None = None
    """The provider's word: Completed, Skip, or one it may add."""
    answer_text_slot: str | None = None
    """The slot value taken from the answer, as sent."""
    var: str | None = None
    """The variable the answer was checked against, as sent."""
    verification_results: str | None = None
    """The provider's word for the check of the answer."""
    question_content: str | None = None
    """The question's text as sent: the provider escapes Unicode twice here."""
    question_type: str | None = None
    """The provider's word: whether, open, or one it may add."""
    whether_answer: str | None = None
    """The provider's word for a yes/no question: Hangup, Skip, or others."""
    extra: dict[str, str] = field(default_factory=dict)
    """What else came with this question, by the provider's own spelling, as JSON text: fields this schema has no
    place for, and known ones whose value is not as documented (JSON null, another type, a map with values that are
    not text). Wins over the typed field when the JSON is rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> QuestionAnswer:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class RedialCall:
    """One earlier dial of the same callee, as sent in redail_call[] (the provider's spelling)."""

    call_id: str | None = None
    """The earlier dial's own call id."""
    call_start_time: str | None = None
    """Start of the dial, zone-less text in the account's time zone."""
    ring_type: str | None = None
    """The provider's word for the ring result; null and the word 'null' mean the same."""
    ring_time: int | None = None
    """Seconds of ringing."""
    hangup_type: str | None = None
    """The provider's word for who hung up."""
    result_label: str | None = None
    """The provider's free label."""
    callee_number: str | None = None
    """The number dialled, as sent."""
    caller_number: str | None = None
    """The number shown to the callee, as sent."""
    extra: dict[str, str] = field(default_factory=dict)
    """What else came with this redial, by the provider's own spelling, as JSON text: fields this schema has no place
    for, and known ones whose value is not as documented (JSON null, another type, a map with values that are not
    text). Wins over the typed field when the JSON is rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> RedialCall:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallDetail:
    """One call: one entry of details[], as sent."""

    id: int | None = None
    """The provider's number of this detail; near the limit of 32 bits in its own example."""
    callee: str | None = None
    """The number called, as sent."""
    result: str | None = None
    """The provider's word: created, pending, finished, cancelled, failed, or one it may add."""
    result_label: str | None = None
    """The provider's free label of the outcome, e.g. E."""
    duration: int | None = None
    """Seconds of the call, as sent."""
    hangup_type: str | None = None
    """The provider's word: ByCallee, ByRobot, Canceled, or one it may add."""
    ring_type: str | None = None
    """The provider's word: busy, cantuse, holdline, switchoff, outofarea, unregister, wrongnum, notmatch, normal,
    null, or one it may add."""
    question_answer: list[QuestionAnswer] | None = None
    """The questions of the script, in the order asked."""
    ner_slots: dict[str, str] | None = None
    """NerSlots: named entities the robot heard; values that are not text are given as JSON text. Null when not sent."""
    robot_hash: str | None = None
    """The robot that spoke."""
    call_id: str | None = None
    """The provider's id of this call; the identity of a call everywhere in this system."""
    call_times: int | None = None
    """How many dials it took, as the provider counts them."""
    call_start_time: str | None = None
    """Start of the final dial, zone-less text in the account's time zone."""
    call_end_time: str | None = None
    """End of the final dial, zone-less text in the account's time zone; the event time."""
    ring_time: int | None = None
    """Seconds of ringing of the final dial."""
    talk_round: int | None = None
    """Turns of conversation."""
    redial_calls: list[RedialCall] | None = None
    """redail_call (the provider's spelling): the earlier dials. Null when not sent."""
    intention_description: str | None = None
    """The provider's free text on the callee's intention."""
    event_label: dict[str, str] | None = None
    """EventLabel: labels the robot gave; values that are not text are given as JSON text. Null when not sent."""
    caller_number: str | None = None
    """The number shown to the callee, as sent."""
    case_id: str | None = None
    """CaseID: the customer's own reference; may be empty."""
    variables: dict[str, str] | None = None
    """Variables: what the customer gave the robot for this callee; values that are not text are given as JSON text."""
    extra: dict[str, str] = field(default_factory=dict)
    """What else came with this detail, by the provider's own spelling, as JSON text: fields this schema has no place
    for, and known ones whose value is not as documented (JSON null, another type, a map with values that are not
    text). Wins over the typed field when the JSON is rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> CallDetail:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("question_answer") is not None:
            known["question_answer"] = [QuestionAnswer.of(item) for item in known["question_answer"]]
        if known.get("redial_calls") is not None:
            known["redial_calls"] = [RedialCall.of(item) for item in known["redial_calls"]]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Callback:
    """One delivery from AiRudder, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt from it.
    Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the same
    object has its value as sent."""

    event_id: str
    """Hex SHA-256 of the raw body: equal bodies have equal ids."""
    received_at: datetime = _EPOCH
    """When the gateway had received the whole body; of an import, when it was imported."""
    kind: str = "call-completion"
    """Which webhook: call-completion."""
    signature_scheme: str = "none"
    """The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
    'import' when `gateway import` published it, which verifies nothing."""
    signature_key_id: str | None = None
    """The id of the key that verified it; null when none did."""
    workflow_id: str | None = None
    """The provider's workflow."""
    workflow_name: str | None = None
    """Its name."""
    nodetask_id: str | None = None
    """The node of the workflow that dialled."""
    nodetask_name: str | None = None
    """Its name."""
    task_id: str | None = None
    """The calling task."""
    task_name: str | None = None
    """Its name."""
    status: str | None = None
    """The task's state: created, pending, finished, calling, canceled, paused, or one the provider may add."""
    created_at: str | None = None
    """Creation of the task, zone-less text in the account's time zone, as sent."""
    repeat_interval: int | None = None
    """The provider's redial interval, as sent."""
    repeat_number: int | None = None
    """The provider's redial limit, as sent."""
    robot_hash: str | None = None
    """The robot of the task."""
    robot_method: str | None = None
    """The provider's word, e.g. single."""
    sip_line: str | None = None
    """The SIP line that carried the calls."""
    schedule_start_time: str | None = None
    """Start of the task's schedule, zone-less text in the account's time zone."""
    schedule_end_time: str | None = None
    """End of the task's schedule, zone-less text in the account's time zone."""
    details: list[CallDetail] = field(default_factory=list)
    """The calls; normally one."""
    extra: dict[str, str] = field(default_factory=dict)
    """What else came with the delivery, by the provider's own spelling, as JSON text: fields this schema has no
    place for, and known ones whose value is not as documented (JSON null, another type, a map with values that are
    not text). Wins over the typed field when the JSON is rebuilt."""
    detail_offset: int = 0
    """Position of details[0] in the delivery's own details[]. 0 but in the internal topic that re-keys details after
    the first."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> Callback:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("details") is not None:
            known["details"] = [CallDetail.of(item) for item in known["details"]]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuarantinedRequest:
    """A request that was not published, kept so that it can be judged again."""

    event_id: str
    """Hex SHA-256 of the raw body."""
    received_at: datetime = _EPOCH
    """When the gateway had received it."""
    reason: str = "unknown"
    """Why, from a closed set: bad_signature, malformed, unsupported_type."""
    detail: str = ""
    """What was wrong, without values of personal fields."""
    method: str = ""
    """HTTP method."""
    path: str = ""
    """HTTP path."""
    headers: dict[str, str] = field(default_factory=dict)
    """HTTP headers, names in lower case, secrets removed."""
    body: bytes = b""
    """The raw body."""
    remote_address: str = ""
    """The peer's address; empty when unknown."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> QuarantinedRequest:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One call, answered or given up, as its latest delivery tells it. The same call_id again with other content
    comes as revision + 1."""

    record_id: str
    """This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it."""
    event_id: str
    """The delivery this came from: hex SHA-256 of its raw body."""
    call_id: str
    """The provider's id of the call; the record's key."""
    revision: int
    """1 for the first content of this call_id, one more for each correction."""
    workflow_id: str
    """The workflow."""
    workflow_name: str = ""
    """Its name."""
    nodetask_id: str = ""
    """The node of the workflow that dialled."""
    nodetask_name: str = ""
    """Its name."""
    task_id: str = ""
    """The calling task."""
    task_name: str = ""
    """Its name."""
    sip_line: str = ""
    """The SIP line that carried the call; empty when not sent."""
    detail_id: int = 0
    """The provider's number of the detail; 0 when not sent."""
    case_id: str = ""
    """The customer's own reference; may be empty."""
    callee: str = ""
    """The number called, as sent; empty when not sent."""
    caller_number: str | None = None
    """The number shown to the callee; null when not sent."""
    result: str = ""
    """The provider's word for the result; empty when not sent."""
    result_label: str = ""
    """The provider's free label; empty when not sent."""
    hangup_type: str = ""
    """The provider's word for who hung up; empty when not sent."""
    ring_type: str | None = None
    """The provider's word for the ring result; null when sent as null."""
    disposition: str = "unknown"
    """Our outcome class of the final dial: answered, user_busy, subscriber_absent, subscriber_barred, bad_number,
    rejected, no_answer, pre_alert_failure, unknown."""
    duration_s: int = 0
    """Seconds of the call, as sent: in the provider's example from its start to its end, ringing included. 0 when
    not sent."""
    ring_time_s: int = 0
    """Seconds of ringing of the final dial; 0 when not sent."""
    talk_round: int = 0
    """Turns of conversation; 0 when not sent."""
    call_times: int | None = None
    """How many dials it took, as the provider counts them; null when it does not tell."""
    started_at: datetime | None = None
    """Start of the final dial, never after ended_at; null when the provider's text could not be read or lies after
    the end."""
    ended_at: datetime = _EPOCH
    """Event time: end of the final dial by the provider, or the time of receipt; ended_at_source says which."""
    received_at: datetime = _EPOCH
    """When the gateway received the delivery."""
    robot_hash: str = ""
    """The robot that spoke."""
    intention_description: str | None = None
    """The provider's free text; null when not sent."""
    ner_slots: dict[str, str] = field(default_factory=dict)
    """Named entities the robot heard."""
    event_labels: dict[str, str] = field(default_factory=dict)
    """Labels the robot gave."""
    variables: dict[str, str] = field(default_factory=dict)
    """What the customer gave the robot for this callee."""
    answer_count: int
    """How many Answer records this revision has."""
    attempt_count: int
    """How many CallAttempt records this revision has, the final dial included."""
    ended_at_source: str = "provider"
    """Where ended_at comes from: provider; or unreadable (no time, or a stand-in for none), implausible (more than a
    year before the call's start), future (after its receipt), where it is the receipt."""
    task_status: str | None = None
    """The provider's word for the state of the task when it told of the call."""
    task_created_at: datetime | None = None
    """When the task was created; null when not sent or not readable."""
    repeat_interval: int | None = None
    """The task's interval between redials, as sent."""
    repeat_number: int | None = None
    """The task's number of redials, as sent."""
    robot_method: str | None = None
    """The provider's word for how the robot works."""
    schedule_start_at: datetime | None = None
    """When the task was to begin; null when not sent or not readable."""
    schedule_end_at: datetime | None = None
    """When the task was to end; null when not sent or not readable."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields of the detail that the provider's page does not list, as JSON text."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> Call:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One question of a call, answered or not."""

    record_id: str
    """This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it."""
    event_id: str
    """The delivery this came from: hex SHA-256 of its raw body."""
    call_id: str
    """The call; the record's key."""
    revision: int
    """The call's revision this belongs to."""
    position: int
    """Place among the call's questions, from 0."""
    workflow_id: str
    """The workflow."""
    sip_line: str = ""
    """The SIP line."""
    case_id: str = ""
    """The customer's own reference; may be empty."""
    callee: str = ""
    """The number called."""
    question_name: str = ""
    """The question's short name in the script."""
    question_content: str | None = None
    """The question as readable text; null when not sent."""
    question_type: str | None = None
    """The provider's word; null when not sent."""
    status: str | None = None
    """The provider's word: Completed, Skip, or others."""
    answer: str | None = None
    """The answer the robot understood, as sent."""
    answer_text: str | None = None
    """What the callee said, transcribed."""
    answer_text_slot: str | None = None
    """The slot value taken from it."""
    var: str | None = None
    """The variable it was checked against."""
    verification_results: str | None = None
    """The provider's word for the check."""
    whether_answer: str | None = None
    """The provider's word for a yes/no question."""
    call_ended_at: datetime = _EPOCH
    """Event time of the call."""
    call_ended_at_source: str = "provider"
    """Where call_ended_at comes from, as Call.ended_at_source says: provider, unreadable, implausible or future."""
    answer_count: int = 0
    """How many Answer records this revision has: those of lower revisions beyond it are gone."""
    state: str = "not_reached"
    """What came of the question, as the windows count it: completed, skipped, broke_off or not_reached."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> Answer:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class CallAttempt:
    """One dial of a call, redials included."""

    record_id: str
    """This record's own id, equal to its ce_id header and the same on every replay: drop a repeat by it."""
    event_id: str
    """The delivery this came from: hex SHA-256 of its raw body."""
    final_call_id: str
    """The call_id of the call this dial belongs to; the record's key."""
    call_id: str = ""
    """This dial's own id; empty when the provider sent none."""
    revision: int
    """The call's revision this belongs to."""
    attempt_number: int
    """1 for the first dial, by start time."""
    is_final: bool = False
    """True for the dial the callback is about."""
    workflow_id: str
    """The workflow."""
    sip_line: str = ""
    """The SIP line of the callback; the provider names none for earlier dials."""
    callee: str = ""
    """The number dialled."""
    caller_number: str | None = None
    """The number shown to the callee; null when not sent."""
    ring_type: str | None = None
    """The provider's word for the ring result; null when sent as null or not at all."""
    ring_time_s: int | None = None
    """Seconds of ringing; null when not sent."""
    hangup_type: str | None = None
    """The provider's word for who hung up; null when not sent."""
    result_label: str | None = None
    """The provider's free label; null when not sent."""
    disposition: str = "unknown"
    """Our outcome class of this dial."""
    duration_s: int | None = None
    """Seconds of the call; null for earlier dials, of which the provider tells none."""
    started_at: datetime | None = None
    """Start of the dial; null when the provider's text could not be read."""
    attempt_count: int = 0
    """How many CallAttempt records this revision has, the final dial included."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> CallAttempt:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class QuestionOutcomes:
    """What came of one question."""

    completed: int
    """Status Completed."""
    skipped: int
    """Status Skip."""
    broke_off: int
    """The callee hung up at this question, which has another status."""
    not_reached: int
    """Any other status, or none."""
    position_sum: int = 0
    """Sum of the question's places in those calls, from 1: divided by their number, where it usually stands."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> QuestionOutcomes:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class LineWorkflowOutcomes:
    """A SIP line's dials for one workflow."""

    attempts: int
    """Dials."""
    answered: int
    """Dials answered."""
    delivered: int
    """Dials that reached the callee's side: answered, user_busy, rejected, no_answer, subscriber_absent,
    subscriber_barred."""
    pre_alert_failure: int
    """Dials that never rang."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> LineWorkflowOutcomes:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowedOutcomes:
    """Outcomes of one workflow or SIP line in one window of event time: sums and counts only, so windows merge
    exactly."""

    dimension: str
    """workflow or sip_line."""
    value: str
    """The workflow_id or the SIP line."""
    window_start_at: datetime
    """Start of the window, inclusive."""
    window_end_at: datetime
    """End of the window, exclusive."""
    revision: int
    """How many changes (calls added or corrected) the window has seen: of two records the higher is newer."""
    is_final: bool = False
    """True once, when the window is closed for good."""
    calls: int
    """Calls, each once, as its latest revision."""
    answered: int
    """Calls whose final dial was answered."""
    attempts: int
    """Dials, redials included."""
    results: dict[str, int]
    """Calls by the provider's result word."""
    result_labels: dict[str, int]
    """Calls by the provider's free label."""
    hangup_types: dict[str, int]
    """Calls by the provider's hang-up word."""
    ring_types: dict[str, int]
    """Calls by the provider's ring word; 'null' for none."""
    dispositions: dict[str, int]
    """Calls by disposition of the final dial."""
    attempt_dispositions: dict[str, int]
    """Dials by disposition."""
    duration_s_sum: int
    """Seconds of calls, summed."""
    ring_time_s_sum: int
    """Seconds of ringing of final dials, summed."""
    talk_round_sum: int
    """Turns of conversation, summed."""
    questions: dict[str, QuestionOutcomes]
    """By question_name."""
    short_calls: int
    """Answered calls of at most 6 s."""
    silent_answers: int
    """Answered calls over 3 s without a turn of conversation."""
    engaged_calls: int
    """Answered calls with more than 3 turns of conversation."""
    answered_duration_s_sum: int
    """Seconds of answered calls, summed: the ACD's numerator."""
    answered_hangup_types: dict[str, int]
    """Answered calls by the provider's hang-up word."""
    answered_on_attempt: dict[str, int]
    """Answered calls by the number of the dial that was answered: 1, 2, 3, 4, 5+."""
    reached_attempt: dict[str, int]
    """Calls that came to this dial: 1, 2, 3, 4, 5+."""
    duration_s_histogram: list[int]
    """Answered calls by duration; buckets up to and including 1, 3, 6, 10, 20, 30, 60, 120, 300, 600 s, then the
    rest. Not cumulative."""
    answered_ring_time_s_histogram: list[int]
    """Answered calls by seconds of ringing; same buckets."""
    unanswered_ring_time_s_histogram: list[int]
    """Other calls by seconds of ringing; same buckets."""
    never_rang_conflicts: int
    """Dials the provider's label blames on the callee though nothing ever rang."""
    call_times_conflicts: int
    """Calls whose call_times differs from their number of dials."""
    by_workflow: dict[str, LineWorkflowOutcomes]
    """For a SIP line: its dials by workflow_id, which the comparison with peer lines needs. Empty for a workflow."""
    overflow: dict[str, int] = field(default_factory=dict)
    """How much of `other` in each map is not a word `other` that was sent, but words beyond the 500 that a map of
    one window names; map name -> count. Empty in almost every window."""
    contradictions: dict[str, int] = field(default_factory=dict)
    """Calls whose fields contradict each other, by how: talked_unreachable, talked_no_seconds, seconds_unreachable."""
    workflow_names: dict[str, int] = field(default_factory=dict)
    """For a workflow: its calls by the name that it had, those without a name left out; two when it was renamed.
    Empty for a SIP line."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> WindowedOutcomes:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("questions") is not None:
            known["questions"] = {key: QuestionOutcomes.of(item) for key, item in known["questions"].items()}
        if known.get("by_workflow") is not None:
            known["by_workflow"] = {key: LineWorkflowOutcomes.of(item) for key, item in known["by_workflow"].items()}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class KeptHeader:
    """One header of a record."""

    name: str
    """Its name."""
    value: bytes | None = None
    """Its value; null for a header without one."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> KeptHeader:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A record that could not be processed, kept as it was, with its origin and the reason."""

    source_topic: str
    """Where it was read."""
    source_partition: int
    """Its partition."""
    source_offset: int
    """Its offset."""
    key: bytes | None = None
    """Its key as it was; its beginning where is_cut."""
    value: bytes | None = None
    """Its value as it was; null for a tombstone; its beginning where is_cut."""
    headers: dict[str, bytes] = field(default_factory=dict)
    """Its headers as they were; of repeated names the last (all_headers has them all)."""
    reason: str = "unknown"
    """Why, from a closed set: undecodable, unknown_schema, invalid, too_large, refused."""
    detail: str = ""
    """What was wrong, without values of personal fields."""
    failed_at: datetime = _EPOCH
    """When the record that was given up had been appended to its topic: so a letter written again has the same
    bytes."""
    is_cut: bool = False
    """Whether the record was too large to be kept whole: key, value and headers are beginnings, and it cannot be
    replayed from here. The whole stands at its origin for as long as that topic keeps it."""
    key_bytes: int = 0
    """Where is_cut: the size of the whole key."""
    key_sha256: str = ""
    """Where is_cut: hex SHA-256 of the whole key."""
    value_bytes: int = 0
    """Where is_cut: the size of the whole value."""
    value_sha256: str = ""
    """Where is_cut: hex SHA-256 of the whole value."""
    headers_count: int = 0
    """Where is_cut: how many headers the record has."""
    all_headers: list[KeptHeader] = field(default_factory=list)
    """All headers in their order, where a name was repeated; else empty."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> DeadLetter:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("all_headers") is not None:
            known["all_headers"] = [KeptHeader.of(item) for item in known["all_headers"]]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowAction:
    """One node of the workflow, as sent."""

    nodetask_id: str | None = None
    """The node."""
    nodetask_name: str | None = None
    """Its name."""
    node_type: str | None = None
    """The provider's word for what the node does."""
    task_id: str | None = None
    """The task the node started, if any."""
    task_status: str | None = None
    """The provider's word for that task's state."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
    a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
    rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> WorkflowAction:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowStatusChange:
    """One change of a workflow's status, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt
    from it. Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the
    same object has its value as sent."""

    event_id: str
    """Hex SHA-256 of the raw body: equal bodies have equal ids."""
    received_at: datetime = _EPOCH
    """When the gateway had received the whole body; of an import, when it was imported."""
    kind: str = "workflow-status-change"
    """Which webhook: workflow-status-change."""
    signature_scheme: str = "none"
    """The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
    'import' when `gateway import` published it, which verifies nothing."""
    signature_key_id: str | None = None
    """The id of the key that verified it; null when none did."""
    workflow_id: str | None = None
    """The provider's workflow."""
    workflow_name: str | None = None
    """Its name."""
    status: str | None = None
    """The provider's word for the workflow's new state."""
    actions: list[WorkflowAction] | None = None
    """Its nodes, in the order sent."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
    a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
    rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> WorkflowStatusChange:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("actions") is not None:
            known["actions"] = [WorkflowAction.of(item) for item in known["actions"]]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatbotMessageContent:
    """What a message holds, as sent."""

    type: str | None = None
    """The provider's word for the kind of content."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
    a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
    rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> ChatbotMessageContent:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatbotMessage:
    """One message of the session, as sent."""

    msg_id: str | None = None
    """The message."""
    sender_type: str | None = None
    """Who wrote it: system, chatbot, user."""
    timestamp: int | None = None
    """When, as sent: Unix seconds."""
    status: str | None = None
    """The provider's word for what became of it."""
    content: ChatbotMessageContent | None = None
    """What it says."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
    a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
    rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> ChatbotMessage:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("content") is not None:
            known["content"] = ChatbotMessageContent.of(known["content"])
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class ChatbotSessionEnd:
    """The end of one chat session, verified and uninterpreted. Lossless: the provider's JSON can be rebuilt from it.
    Every field of the provider may be null: it was not sent, or not as documented, and then `extra` of the same
    object has its value as sent."""

    event_id: str
    """Hex SHA-256 of the raw body: equal bodies have equal ids."""
    received_at: datetime = _EPOCH
    """When the gateway had received the whole body; of an import, when it was imported."""
    kind: str = "chatbot-session-end"
    """Which webhook: chatbot-session-end."""
    signature_scheme: str = "none"
    """The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
    'import' when `gateway import` published it, which verifies nothing."""
    signature_key_id: str | None = None
    """The id of the key that verified it; null when none did."""
    workflow_id: str | None = None
    """The provider's workflow."""
    workflow_name: str | None = None
    """Its name."""
    nodetask_id: str | None = None
    """The node of the workflow that chatted."""
    nodetask_name: str | None = None
    """Its name."""
    waba_task_id: str | None = None
    """The WhatsApp Business task."""
    wfdetail_uuid: str | None = None
    """The provider's id of this contact within the workflow."""
    timestamp: int | None = None
    """When the provider made the delivery, as sent: Unix seconds."""
    channel: str | None = None
    """The provider's word for the channel, such as WhatsApp."""
    channel_id: str | None = None
    """The channel's own id."""
    callee: str | None = None
    """The number chatted with, as sent."""
    call_id: str | None = None
    """The chat session; the name is the provider's."""
    robot_id: str | None = None
    """The chatbot."""
    status: str | None = None
    """The provider's word for the session's state, such as closed."""
    session_start_time: str | None = None
    """As sent: ISO 8601 with Z."""
    session_end_time: str | None = None
    """As sent: ISO 8601 with Z."""
    session_end_reason: str | None = None
    """The provider's word for why it ended."""
    intention: str | None = None
    """The intention the provider found."""
    talk_round: int | None = None
    """Exchanges, as sent."""
    ner_slots: dict[str, str] | None = None
    """What was recognised, by slot."""
    event_label: dict[str, str] | None = None
    """The provider's labels, by name."""
    variables: dict[str, str] | None = None
    """The variables the session was started with."""
    messages: list[ChatbotMessage] | None = None
    """Every message, in the order sent."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields this schema has no place for, and known ones whose value is not as documented (JSON null, another type,
    a map with values that are not text): name as sent -> JSON text. Wins over the typed field when the JSON is
    rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> ChatbotSessionEnd:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        if known.get("messages") is not None:
            known["messages"] = [ChatbotMessage.of(item) for item in known["messages"]]
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class PredictiveDialerStatus:
    """One change of a predictive dialer's task, contact or agent, verified and uninterpreted. Lossless: the
    provider's JSON can be rebuilt from it. The provider publishes no fields of it: type, body and the two ids are
    known from its users. A field is null when it was not sent, or when `extra` has its value."""

    event_id: str
    """Hex SHA-256 of the raw body: equal bodies have equal ids."""
    received_at: datetime = _EPOCH
    """When the gateway had received the whole body; of an import, when it was imported."""
    kind: str = "predictive-dialer-status"
    """Which webhook: predictive-dialer-status."""
    signature_scheme: str = "none"
    """The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
    'import' when `gateway import` published it, which verifies nothing."""
    signature_key_id: str | None = None
    """The id of the key that verified it; null when none did."""
    type: str | None = None
    """What changed: TaskStatus, ContactStatus or AgentStatus; other words may come."""
    task_id: str | None = None
    """The dialer's task: `taskId` of the body where that is text or an integer."""
    call_id: str | None = None
    """The call: `callid` of the body where that is text or an integer."""
    body: str | None = None
    """The envelope's `body`, a JSON object, as the text that was sent: its key order, repeated keys, numbers and
    escapes are the sender's. May hold phone numbers and what was said."""
    extra: dict[str, str] = field(default_factory=dict)
    """Fields of the envelope that this schema has no place for, and known ones whose value is not as expected (JSON
    null, another type): name as sent -> JSON text. Wins over the typed field when the JSON is rebuilt."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> PredictiveDialerStatus:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)


@dataclass(frozen=True, kw_only=True, slots=True)
class Event:
    """One delivery of a webhook whose fields are not known yet: any verified JSON, uninterpreted, under the name
    that its path gave it. Lossless: the exact bytes of the request's body can be had from it."""

    record_id: str
    """The record's own id, equal on every repeat and in ce_id. Name and event_id make it: the same body at two names
    is two events."""
    event_id: str
    """Hex SHA-256 of the raw body: equal bodies have equal ids."""
    received_at: datetime = _EPOCH
    """When the gateway had received the whole body; of an import, when it was imported."""
    kind: str = "events"
    """Which webhook: events."""
    name: str = ""
    """The event's name: the last part of the path, 1 to 64 of A-Z a-z 0-9 . _ - beginning with a letter or a digit."""
    signature_scheme: str = "none"
    """The scheme that verified the delivery; 'none' when the gateway runs in report or off mode and none did;
    'import' when `gateway import` published it, which verifies nothing."""
    signature_key_id: str | None = None
    """The id of the key that verified it; null when none did."""
    body: str = "null"
    """The request's body as it came: JSON text of any type, nested 64 deep at most. Key order, repeated keys,
    numbers and escapes are the sender's. May hold phone numbers and what was said."""
    has_byte_order_mark: bool = False
    """Whether a UTF-8 byte order mark came before the body; it is not part of `body`."""

    @classmethod
    def of(cls, decoded: Mapping[str, Any]) -> Event:
        """Raises: TypeError when a field without a default is missing."""
        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}
        return cls(**known)
