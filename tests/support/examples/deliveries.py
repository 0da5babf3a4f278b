"""The callbacks that examples have to get right: repeats, corrections, dead answers, new words, NUL, a probe."""

from __future__ import annotations

import json
from typing import Any

from tests.support.deliveries import delivery, detail, question, redial

START = "2024-03-11 13:2{}:00"

NORMAL = delivery(detail("ex-normal", redail_call=[redial("ex-normal-1", START.format(1))], call_times=2))
LONG = detail(
    "ex-corrected",
    question_answer=[question(f"Q{number}") for number in range(8)],
    redail_call=[redial(f"ex-corrected-{number}", START.format(number)) for number in (1, 2)],
    call_times=3,
)
SHORTENED = {**LONG, "question_answer": LONG["question_answer"][:2], "redail_call": LONG["redail_call"][:1]}
TALKED = detail("ex-silenced", question_answer=[question("Q0"), question("Q1"), question("Q2")])
NEW_WORDS = detail(
    "ex-new-words", result="teleported", ring_type="quantum", hangup_type="ByRaven", duration=0, talk_round=0
)
WITH_NUL = detail(
    "ex-nul",
    question_answer=[question("Q\0", question_content=r"zero \u0000", answer="a\0b", answer_text="a\0b")],
    Variables={"na\0me": "ly\0n"},
)

SENT: tuple[tuple[str, dict[str, Any]], ...] = (
    ("a call with a redial", NORMAL),
    ("a call with 8 answers and 3 dials", delivery(LONG)),
    ("its correction to 2 answers and 2 dials", delivery(SHORTENED)),
    ("a call with 3 answers", delivery(TALKED)),
    ("its correction to no answer", delivery({**TALKED, "question_answer": []})),
    ("words that nobody knows", delivery(NEW_WORDS)),
    ("fields that nobody knows", delivery(detail("ex-new-field", surprise={"a": [1, None]}), surprise=[1])),
    ("texts with NUL", delivery(WITH_NUL)),
    ("a probe", delivery(detail("ex-probe"), workflow="__probe__")),
)
CALLS_COUNTED = 6  # by the windows: each call once, and no probe


def bodies() -> list[bytes]:
    """What is POSTed, in order: the first one twice as it is, and a third time in other bytes."""
    plain = [json.dumps(sent).encode() for _, sent in SENT]
    return [plain[0], *plain, json.dumps(NORMAL, indent=1).encode()]
