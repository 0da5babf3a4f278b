"""Calls as the demo makes them, each of a line that is well or of one that never rings, sent and counted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import httpx2

from gateway.sender.traffic import BAD_LINE, Traffic
from schemas.signatures.keys import Key
from tests.support.processes.up import Up
from tests.support.requests import signed
from tests.support.waiting import wait_until_true

NEVER_RANG: Final = {
    "ring_type": "normal",
    "ring_time": 0,
    "hangup_type": "ByCallee",
    "result_label": "DECLINED",
    "duration": 0,
    "talk_round": 0,
}
# `up` runs with the default key
DEFAULT_KEY: Final = Key("default", b"airudder")
COUNTED_S: Final = 90.0


def deliveries(count: int, seed: int, *, is_bad: bool) -> Iterator[dict[str, Any]]:
    """So many; with `is_bad`, no dial of BAD_LINE rings."""
    traffic = Traffic(Random(seed))
    for _ in range(count):
        delivery = traffic.delivery(datetime.now(UTC))
        if delivery["sip_line"] == BAD_LINE:
            detail = delivery["details"][0]
            # the demo's own bad spells depend on the clock: here the test says when the line is bad
            detail |= NEVER_RANG if is_bad else {"ring_time": detail["ring_time"] or 5}
            for redial in detail["redail_call"]:
                redial |= {k: NEVER_RANG[k] if is_bad else redial[k] for k in ("ring_type", "ring_time", "hangup_type")}
                redial["ring_time"] = 0 if is_bad else redial["ring_time"] or 5
        yield delivery


def send(up: Up, count: int, seed: int, *, is_bad: bool = False) -> None:
    """Send so many; returns when the gateway has accepted all."""
    with httpx2.Client(timeout=30) as http:
        for delivery in deliveries(count, seed, is_bad=is_bad):
            body = json.dumps(delivery).encode()
            answer = http.post(up.url("post"), content=body, headers=signed(body, key=DEFAULT_KEY))
            assert answer.status_code == 200, answer.text


def wait_until_counted(up: Up, calls: int) -> None:
    """Until the windows of every workflow and every line have so many calls."""

    def counted() -> bool:
        return [_calls(up, kind) for kind in ("workflows", "sip-lines")] == [calls, calls]

    wait_until_true(counted, COUNTED_S, f"{calls} calls in the windows of workflows and of lines")


def _calls(up: Up, kind: str) -> int:
    answer = httpx2.get(f"{up.url('monitor')}api/outcomes/{kind}?window=all", timeout=30)
    if answer.status_code != 200:
        return -1
    return sum(window["calls"] for value in answer.json()["values"] for window in value["windows"])
