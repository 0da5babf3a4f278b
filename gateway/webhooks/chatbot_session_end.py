"""Chatbot session end: the provider's JSON and our record. Pure.

The provider publishes one example and no table: only the fields that identify the session are required. `reply` and
the fields of `content` besides its type have no published shape; they are kept in `extra`, as JSON text.
Source: AiRudder, "Chatbot Session End" (api-286285407). `call_id` names a chat session here, and times end in Z.
"""

from typing import Final

from msgspec import Struct

from gateway.webhooks.field_types import ABSENT, Identifier, Integer
from gateway.webhooks.mapping import RecordMapping
from schemas.records.webhooks import ChatbotMessage, ChatbotMessageContent, ChatbotSessionEnd

KIND: Final = "chatbot-session-end"


class _Content(Struct, forbid_unknown_fields=True):
    type: str = ABSENT


class _Message(Struct, forbid_unknown_fields=True):
    msg_id: str = ABSENT
    sender_type: str = ABSENT
    timestamp: Integer = ABSENT
    status: str = ABSENT
    content: _Content = ABSENT


class _Delivery(Struct, kw_only=True, forbid_unknown_fields=True):
    workflow_id: str
    workflow_name: str = ABSENT
    nodetask_id: str = ABSENT
    nodetask_name: str = ABSENT
    waba_task_id: str = ABSENT
    wfdetail_uuid: str = ABSENT
    timestamp: Integer
    channel: str = ABSENT
    channel_id: str = ABSENT
    callee: str = ABSENT
    call_id: Identifier
    robot_id: str = ABSENT
    status: str
    session_start_time: str = ABSENT
    session_end_time: str = ABSENT
    session_end_reason: str = ABSENT
    intention: str = ABSENT
    talk_round: Integer = ABSENT
    ner_slots: dict[str, str] = ABSENT
    event_label: dict[str, str] = ABSENT
    variables: dict[str, str] = ABSENT
    messages: list[_Message] = ABSENT


SHOWN: Final = frozenset({"messages.reply", "messages.content.text"})  # in the example, of no published shape

MAPPING: Final = RecordMapping(
    _Delivery,
    ChatbotSessionEnd,
    {_Message: ChatbotMessage, _Content: ChatbotMessageContent},
    essential={_Delivery: frozenset({"workflow_id", "call_id"})},
)
