"""Callbacks of a known size, each with a call of its own and a valid signature, ready to write to a socket."""

from __future__ import annotations

import copy
import hmac
import json
import time
from typing import Any, Literal

from tests.support.deliveries import EXAMPLE
from tests.support.requests import KEY, WEBHOOK

Shape = Literal["1kB", "5kB", "20kB"]

SHAPES: tuple[Shape, ...] = ("1kB", "5kB", "20kB")
WORKFLOWS = 20
LINES = 10
HEADER = "X-AIRudder-Sign"

_DETAILS = {"1kB": 1, "5kB": 1, "20kB": 6}
_QUESTIONS = {"1kB": 0, "5kB": 8, "20kB": 8}
_CALL, _WORKFLOW, _LINE, _END = "CALL", "WORKFLOW", "LINE", "END"


class Requests:
    """HTTP requests made from the provider's example; number n always asks for the same.

    shape: `5kB` is the example, one call with eight questions, indented as on the provider's page; `1kB` has no
    questions and no redial, `20kB` six calls in one delivery. prefix: of the call ids, so that runs do not meet.
    """

    def __init__(self, shape: Shape, prefix: str) -> None:
        self._prefix = prefix
        self._template = _template(shape)
        self._head = f"POST {WEBHOOK} HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n".encode()

    def body(self, number: int, ended_at_s: float) -> bytes:
        """The JSON of one delivery whose calls ended then (epoch seconds, written in UTC)."""
        return self._template % {
            _CALL.encode(): self.call_id(number),
            _WORKFLOW.encode(): number % WORKFLOWS,
            _LINE.encode(): number % LINES,
            _END.encode(): time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(ended_at_s)).encode(),
        }

    def call_id(self, number: int) -> bytes:
        """The first call's id, which is the record's key; the others' begin with it."""
        return b"%s-%09d" % (self._prefix.encode(), number)

    def request(self, number: int, ended_at_s: float) -> bytes:
        """Head and body."""
        body = self.body(number, ended_at_s)
        signature = hmac.digest(KEY.secret, body, "sha256").hex().encode()
        return b"%s%s: %s\r\ncontent-length: %d\r\n\r\n%s" % (
            self._head,
            HEADER.lower().encode(),
            signature,
            len(body),
            body,
        )


def _template(shape: Shape) -> bytes:
    made = copy.deepcopy(EXAMPLE)
    made["workflow_id"], made["sip_line"] = "wf-@WORKFLOW@", "LINE_@LINE@"
    made["details"] = [_detail(made["details"][0], shape, n) for n in range(_DETAILS[shape])]
    text = json.dumps(made, indent=2 if shape == "5kB" else None, ensure_ascii=False).replace("%", "%%")
    for name, form in ((_CALL, "s"), (_WORKFLOW, "d"), (_LINE, "d"), (_END, "s")):
        text = text.replace(f"@{name}@", f"%({name}){form}")
    return text.encode()


def _detail(example: dict[str, Any], shape: Shape, position: int) -> dict[str, Any]:
    made = copy.deepcopy(example)
    made["call_id"] = "@CALL@" if position == 0 else f"@CALL@-{position}"
    made["call_end_time"] = "@END@"
    made["question_answer"] = made["question_answer"][: _QUESTIONS[shape]]
    if not made["question_answer"]:
        made["redail_call"], made["call_times"] = [], 1
    return made
