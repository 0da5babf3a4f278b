"""The callback that a probe is: as the provider documents it, and of nobody. Pure."""

import json
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from schemas.placement import partition_of
from schemas.topics import SYNTHETIC_WORKFLOW_ID

CALL_SECONDS: Final = 1
MAX_TRIES: Final = 2_000  # a partition of 100 is found in 100 tries on average
_TIME_FORMAT: Final = "%Y-%m-%d %H:%M:%S"


def call_id_in(partition: int, partitions: int, seed: str) -> str:
    """A call id that falls into the partition, and that no other seed gives; into any after MAX_TRIES."""
    for number in range(MAX_TRIES):
        call_id = f"{SYNTHETIC_WORKFLOW_ID}{seed}.{number}"
        if partition_of.__wrapped__(call_id.encode(), partitions) == partition:
            break
    return call_id


def probe_body(call_id: str, now_ms: int, zone: ZoneInfo) -> bytes:
    """The JSON of a callback with one call, one answer and one dial. now_ms: UTC epoch ms; zone: the account's."""
    now = datetime.fromtimestamp(now_ms / 1000, UTC).astimezone(zone).strftime(_TIME_FORMAT)
    callback = {
        "workflow_id": SYNTHETIC_WORKFLOW_ID,
        **dict.fromkeys(("workflow_name", "nodetask_id", "nodetask_name", "task_id", "task_name"), ""),
        "status": "finished",
        "created_at": now,
        "repeat_interval": 0,
        "repeat_number": 0,
        "robot_hash": "",
        "robot_method": "",
        "sip_line": SYNTHETIC_WORKFLOW_ID,
        "schedule_start_time": now,
        "schedule_end_time": now,
        "details": [_detail(call_id, now)],
    }
    return json.dumps(callback).encode()


def _detail(call_id: str, now: str) -> dict[str, Any]:
    return {
        "id": 0,
        "callee": "",
        "result": "finished",
        "result_label": "",
        "duration": CALL_SECONDS,
        "hangup_type": "ByRobot",
        "ring_type": "normal",
        "question_answer": [{"question_name": "probe", "answer": "Yes", "status": "Completed"}],
        "robot_hash": "",
        "call_id": call_id,
        "call_times": 1,
        "call_start_time": now,
        "call_end_time": now,
        "ring_time": CALL_SECONDS,
        "talk_round": 1,
        "CaseID": "",
        "Variables": {},
    }
