"""Call completion: the provider's JSON and our Callback record. Pure; the provider's spellings stop here.

Source: AiRudder, "Notification of Call Completion in Workflow (Info Check)".
"""

from typing import Final

from msgspec import Struct

from gateway.webhooks.field_types import ABSENT, Identifier, Integer
from gateway.webhooks.mapping import RecordMapping
from gateway.webhooks.unknowns import Words
from schemas.records.webhooks import Callback, CallDetail, QuestionAnswer, RedialCall
from schemas.topics import CALL_COMPLETION

KIND: Final = CALL_COMPLETION

_HANGUP_TYPES: Final = frozenset({"ByCallee", "ByRobot", "Canceled"})
_RING_TYPES: Final = frozenset(
    {
        "busy", "cantuse", "holdline", "switchoff", "outofarea", "unregister", "wrongnum", "notmatch", "normal", "null",
    }
)  # fmt: skip


class _Question(Struct, forbid_unknown_fields=True):
    question_name: str
    answer: str = ABSENT
    answer_text: str = ABSENT
    status: str = ABSENT
    answer_text_slot: str = ABSENT
    var: str = ABSENT
    verification_results: str = ABSENT
    question_content: str = ABSENT
    question_type: str = ABSENT
    whether_answer: str = ABSENT


class _Redial(Struct, forbid_unknown_fields=True):
    call_id: str = ABSENT
    call_start_time: str = ABSENT
    ring_type: str = ABSENT
    ring_time: Integer = ABSENT
    hangup_type: str = ABSENT
    result_label: str = ABSENT
    callee_number: str = ABSENT
    caller_number: str = ABSENT


_PROVIDER_SPELLING: Final = {
    "ner_slots": "NerSlots",
    "redial_calls": "redail_call",
    "event_label": "EventLabel",
    "case_id": "CaseID",
    "variables": "Variables",
}


class _Detail(Struct, kw_only=True, forbid_unknown_fields=True, rename=_PROVIDER_SPELLING):
    id: Integer
    callee: str
    result: str
    result_label: str
    duration: Integer
    hangup_type: str
    ring_type: str | None
    question_answer: list[_Question]
    ner_slots: dict[str, str] = ABSENT
    robot_hash: str
    call_id: Identifier
    call_times: Integer
    call_start_time: str
    call_end_time: str
    ring_time: Integer
    talk_round: Integer
    redial_calls: list[_Redial] = ABSENT
    intention_description: str = ABSENT
    event_label: dict[str, str] = ABSENT
    caller_number: str = ABSENT
    case_id: str
    variables: dict[str, str]


class _Delivery(Struct, forbid_unknown_fields=True):
    workflow_id: str
    workflow_name: str
    nodetask_id: str
    nodetask_name: str
    task_id: str
    task_name: str
    status: str
    created_at: str
    repeat_interval: Integer
    repeat_number: Integer
    robot_hash: str
    robot_method: str
    sip_line: str
    schedule_start_time: str
    schedule_end_time: str
    details: list[_Detail]


WORDS: Final[Words] = {
    _Delivery: {"status": frozenset({"created", "pending", "finished", "calling", "canceled", "paused"})},
    _Detail: {
        "result": frozenset({"created", "pending", "finished", "cancelled", "failed"}),
        "hangup_type": _HANGUP_TYPES,
        "ring_type": _RING_TYPES,
    },
    _Redial: {"hangup_type": _HANGUP_TYPES, "ring_type": _RING_TYPES},
    _Question: {"status": frozenset({"Completed", "Skip"})},  # no list is published: those of the page's example
}

MAPPING: Final = RecordMapping(
    _Delivery,
    Callback,
    {_Question: QuestionAnswer, _Redial: RedialCall, _Detail: CallDetail},
    essential={_Delivery: frozenset({"workflow_id", "details"}), _Detail: frozenset({"call_id"})},
)
