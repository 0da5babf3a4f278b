"""Deliveries as the provider would send them, small and variable: each test says only what it is about."""

from __future__ import annotations

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
