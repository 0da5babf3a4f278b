"""Deliveries of the provider: its own examples whole, and small ones of which a test says only what it is about."""

from __future__ import annotations

import copy
import json
from typing import Any


def question(name: str, status: str = "Completed", **fields: Any) -> dict[str, Any]:
    """One entry of question_answer[]."""
    return {
        "question_name": name,
        "answer": "yes",
        "answer_text": "yes",
        "status": status,
        "answer_text_slot": "-",
        "var": "-",
        "verification_results": "-",
        "question_content": f"Question {name}",
        "question_type": "whether",
        "whether_answer": "Yes",
        **fields,
    }


def redial(call_id: str, start: str, **fields: Any) -> dict[str, Any]:
    """One entry of redail_call[]."""
    return {
        "call_id": call_id,
        "call_start_time": start,
        "ring_type": "normal",
        "ring_time": 12,
        "hangup_type": "ByRobot",
        "result_label": "F",
        "callee_number": "+15550100",
        "caller_number": "+15550199",
        **fields,
    }


def detail(call_id: str, end: str = "2024-03-11 13:25:12", **fields: Any) -> dict[str, Any]:
    """One entry of details[]: an answered call of 30 s with two questions."""
    return {
        "id": 2124875281,
        "callee": "+15550100",
        "result": "finished",
        "result_label": "A",
        "duration": 30,
        "hangup_type": "ByCallee",
        "ring_type": "normal",
        "question_answer": [question("Q0"), question("Q1", "Skip")],
        "NerSlots": {"PaymentTime": "Time_0"},
        "robot_hash": "a37e",
        "call_id": call_id,
        "call_times": 1,
        "call_start_time": end,
        "call_end_time": end,
        "ring_time": 4,
        "talk_round": 5,
        "redail_call": [],
        "intention_description": "",
        "EventLabel": {"A0": "A0"},
        "caller_number": "+15550199",
        "CaseID": "case-1",
        "Variables": {"name": "lyn"},
        **fields,
    }


def delivery(*details: dict[str, Any], workflow: str = "wf-1", line: str = "LINE_1", **fields: Any) -> dict[str, Any]:
    """One delivery of these details."""
    return {
        "workflow_id": workflow,
        "workflow_name": f"name of {workflow}",
        "nodetask_id": "n-1",
        "nodetask_name": "Voicebot Call1",
        "task_id": "t-1",
        "task_name": "task",
        "status": "calling",
        "created_at": "2024-03-11 13:19:52",
        "repeat_interval": 0,
        "repeat_number": 3,
        "robot_hash": "a37e",
        "robot_method": "single",
        "sip_line": line,
        "schedule_start_time": "2024-03-11 13:21:27",
        "schedule_end_time": "2024-03-11 13:52:52",
        "details": list(details),
        **fields,
    }


# -- the provider's examples: a copy of its page's JSON, so that tests need nothing else

_QUESTIONS = (
    ("Q0", "Completed", "-", "-", r"\u610f\u613f\u786e\u8ba4 Willingness Check", "whether", "Hangup"),
    ("Q1", "Skip", "-", "-", r"\u59d3\u540d\u786e\u8ba4 NameCheck", "whether", "Skip"),
    ("Q2", "Skip", "-", "-", r"\u8d37\u6b3e\u4eba\u786e\u8ba4 BorrowerCheck", "whether", "Skip"),
    ("Q3", "Skip", "/", "200", r"CURP\u6838\u9a8c CURP Verification", "open", "Skip"),
    ("Q3N", "Skip", "/", "200", r"CURP\u518d\u6b21\u6838\u9a8c CURP Reverification", "open", "Skip"),
    ("Q4", "Skip", "/", "1101", r"\u751f\u65e5\u6838\u9a8c DoB Verification", "open", "Skip"),
    ("Q4N", "Skip", "/", "1101", r"\u751f\u65e5\u518d\u6b21\u6838\u9a8c DoB Reverification", "open", "Skip"),
    ("Q5", "Skip", "/", "200", r"CURP2\u4f4d\u6838\u9a8c CURP Verification for 2 character", "open", "Skip"),
)

EXAMPLE: dict[str, Any] = {
    "workflow_id": "8e364f6729exxxxxxxxxx5c2d9b2a2c2",
    "workflow_name": "test_wf_call_webhook3",
    "nodetask_id": "5e4e48c5a8axxxxxxxxxxb4ac4b8",
    "nodetask_name": "Voicebot Call1_67554d",
    "task_id": "ea617807492xxxxxxxxxx09c11650",
    "task_name": "wf_test_wf_call_webhook_Voicebot Call1_d01cb6",
    "status": "calling",
    "created_at": "2024-03-11 13:19:52",
    "repeat_interval": 0,
    "repeat_number": 3,
    "robot_hash": "a37e555fxxxxxxxxxxca7ac3575d8",
    "robot_method": "single",
    "sip_line": "CH_SOFTPHONE_Lyntest_HK_LINE",
    "schedule_start_time": "2024-03-11 13:21:27",
    "schedule_end_time": "2024-03-11 13:52:52",
    "details": [
        {
            "id": 2124875281,
            "callee": "+8618xxxxx721",
            "result": "finished",
            "result_label": "E",
            "duration": 43,
            "hangup_type": "ByCallee",
            "ring_type": "normal",
            "question_answer": [
                {
                    "question_name": name,
                    "answer": "/",
                    "answer_text": "",
                    "status": status,
                    "answer_text_slot": slot,
                    "var": var,
                    "verification_results": slot,
                    "question_content": content,
                    "question_type": kind,
                    "whether_answer": whether,
                }
                for name, status, slot, var, content, kind, whether in _QUESTIONS
            ],
            "NerSlots": {"PaymentMethod": "Transfer", "PaymentTime": "Time_0"},
            "robot_hash": "a37e555fxxxxxxxxxxa7ac3575d8",
            "call_id": "ic1689265xxxxxxxxxxfe7b7da5b5",
            "call_times": 2,
            "call_start_time": "2024-03-11 13:24:29",
            "call_end_time": "2024-03-11 13:25:12",
            "ring_time": 2,
            "talk_round": 3,
            "redail_call": [
                {
                    "call_id": "icea62exxxxxxxxxx70982a5c2f7",
                    "call_start_time": "2024-03-11 13:23:34",
                    "ring_type": "normal",
                    "ring_time": 3,
                    "hangup_type": "ByCallee",
                    "result_label": "F",
                    "callee_number": "+861xxxxxxxxxx5721",
                    "caller_number": "+95xxxxxxxxxx088",
                }
            ],
            "intention_description": "No Answer",
            "EventLabel": {
                "A0": "A0",
                "Correct_Person": "identity_correct_person",
                "Request_Installment": "action_item_request_installment",
            },
            "caller_number": "+95xxxxxxxxxx088",
            "CaseID": "",
            "Variables": {"DoB": "1101", "CURP": "200", "name": "lyn", "gender": "male"},
        }
    ],
}

STATUS_CHANGE: dict[str, Any] = {
    "workflow_id": "8e364f6729exxxxxxxxxx5c2d9b2a2c2",
    "workflow_name": "test_wf_call_webhook3",
    "status": "running",
    "actions": [
        {"nodetask_id": "n1", "nodetask_name": "Start", "node_type": "start"},
        {
            "nodetask_id": "n2",
            "nodetask_name": "Voicebot Call1",
            "node_type": "voicebot",
            "task_id": "t1",
            "task_status": "calling",
        },
    ],
}

CHATBOT_SESSION: dict[str, Any] = {
    "workflow_id": "8e364f6729exxxxxxxxxx5c2d9b2a2c2",
    "workflow_name": "chat",
    "nodetask_id": "n1",
    "nodetask_name": "Chatbot1",
    "waba_task_id": "w1",
    "wfdetail_uuid": "u1",
    "timestamp": 1710163512,
    "channel": "WhatsApp",
    "channel_id": "c1",
    "callee": "+447700900123",
    "call_id": "chat-1",
    "robot_id": "42",
    "status": "closed",
    "session_start_time": "2024-03-11T13:24:29Z",
    "session_end_time": "2024-03-11T13:25:12Z",
    "session_end_reason": "user_closed",
    "intention": "A",
    "talk_round": 3,
    "ner_slots": {"PaymentTime": "Time_0"},
    "event_label": {"A0": "A0"},
    "variables": {"name": "lyn"},
    "messages": [
        {
            "msg_id": "m1",
            "sender_type": "chatbot",
            "timestamp": 1710163470,
            "status": "read",
            "content": {"type": "text", "text": {"body": "Hello"}},
        },
        {
            "msg_id": "m2",
            "sender_type": "user",
            "timestamp": 1710163480,
            "status": "received",
            "content": {"type": "text", "text": {"body": "my planted transcript"}},
            "reply": {"msg_id": "m1"},
        },
    ],
}

DIALER_STATUS: dict[str, Any] = {
    "type": "ContactStatus",
    "body": {
        "taskId": "t1",
        "taskName": "a dialer's task",
        "callid": "dial-1",
        "state": "HANGUP",
        "hangupReason": 3,
        "phoneNumber": "+447700900123",
        "customerInfo": {"name": "lyn", "amount": 1.50},
    },
}

EVENT: dict[str, Any] = {
    "id": "message-1",
    "status": "read",
    "to": "+447700900123",
    "errors": None,
    "costs": [0.25, {"currency": "USD"}],
}


def example(**changes: Any) -> dict[str, Any]:
    """The example with top-level fields changed."""
    return {**copy.deepcopy(EXAMPLE), **changes}


def with_detail(**changes: Any) -> dict[str, Any]:
    """The example with fields of its one detail changed."""
    delivery = example()
    delivery["details"][0].update(changes)
    return delivery


def to_body(delivery: Any) -> bytes:
    return json.dumps(delivery, ensure_ascii=False, indent=2).encode()
