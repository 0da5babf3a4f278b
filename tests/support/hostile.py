"""Callbacks that are valid and hostile, and records that nobody here wrote, from one source of chance.

What the gateway lets in, and what the rights of a careless neighbour let him write. `is_over` says, by rules written
down here a second time, which callbacks must become dead letters.
"""

from __future__ import annotations

import json
from random import Random
from typing import Any, Final, NamedTuple

from schemas.records.outcomes import CallOutcome, OutcomeChange
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, OUTCOMES_BY_SIP_LINE, OUTCOMES_BY_WORKFLOW, REKEYED_DETAILS, Topic
from tests.support.deliveries import delivery, detail, question, redial

Json = dict[str, Any]

INSTANTS: Final = (0, -1, 2**55, 2**63 - 1, -(2**63), 253_402_300_800_000)
NUMBERS: Final = (0, 0, 1, 7, 45, -1, 2**31, 2**63 - 1, -(2**63))
WORDS: Final = ("A", "A", "B", "finished", "other", "null", "", "\x00", "~", "é" * 90, "a" * 128, "a" * 129, "𝄞" * 40)
CALL_TIMES: Final = ("", "0000-00-00 00:00:00", "not a time", "\x00", "2024-02-30 00:00:00", "9999-12-31 23:59:59")
MAX_ID, MAX_LIST, MAX_BODY_BYTES, MANY = 1000, 500, 1_000_000, 40

HEADERS: Final[tuple[list[tuple[str, bytes | None]], ...]] = (
    [],
    [("x", None), ("x", b"\xff")],
    [("traceparent", None)],
    [("ce_id", b"\xff" * 50)],
)


class Foreign(NamedTuple):
    """A record that somebody else writes. `value`: bytes, or a record to be encoded. `is_kept`: it is a dead letter."""

    topic: Topic
    key: bytes | None
    value: bytes | Callback | OutcomeChange | None
    headers: list[tuple[str, bytes | None]]


class Hostile:
    """An endless supply. large: bytes that the largest texts have. prefix: of all ids, so that runs do not meet."""

    def __init__(self, chance: Random, *, large: int = 400_000, prefix: str = "h") -> None:
        self._chance = chance
        self._large = large
        self._prefix = prefix
        self._made = 0
        self._told: list[Json] = []

    def delivery(self, end: str) -> Json:
        """One callback; its calls ended at `end`, as the provider writes times."""
        if self._told and self._chance.random() < 0.2:
            return self._again(self._chance.choice(self._told))
        made = self._one(end)
        if len(self._told) < 50 and not is_over(made):
            self._told.append(made)
        return made

    def _again(self, told: Json) -> Json:
        """The same bytes again, or the same calls with another word: a correction."""
        if self._chance.random() < 0.3:
            return told
        details = [{**one, "result_label": self._word()} for one in told["details"]]
        return {**told, "details": details}

    def _one(self, end: str) -> Json:
        count = self._chance.choices((1, 2, 3, 0, MANY), (70, 12, 10, 2, 1))[0]
        details = [self._detail(end) for _ in range(count)]
        made = delivery(*details, workflow=self._id("wf"), line=self._id("line"))
        kind = self._chance.randrange(14)
        if kind == 0 and count < MANY:
            made["workflow_name"] = self._text()
        elif kind == 1:
            made[f"unknown {self._word()}"] = [self._word(), {"x": None}, 1.5]
        elif kind == 2:
            made["schedule_start_time"] = self._chance.choice(CALL_TIMES)
            made["repeat_number"] = self._chance.choice(NUMBERS)
        elif kind == 3 and self._chance.random() < 0.3:
            self._spoil(made, end)
        is_too_long = len(json.dumps(made, ensure_ascii=False).encode()) > MAX_BODY_BYTES
        return delivery(self._detail(end, is_plain=True)) if is_too_long else made

    def _spoil(self, made: Json, end: str) -> None:
        """Over a bound."""
        kind = self._chance.randrange(5)
        if kind == 0:
            made["workflow_id"] = "w" * self._large
            made["details"] = [self._detail(end, is_plain=True) for _ in range(1 + self._chance.randrange(60))]
        elif kind == 1:
            made["sip_line"] = "é" * (MAX_ID + 1)
        elif kind == 2:
            made["details"] = [self._detail(end, is_plain=True) | {"call_id": self._new_id() + "c" * MAX_ID}]
        elif kind == 3:
            some = [question("Q")] * (MAX_LIST + 1)
            made["details"] = [self._detail(end, is_plain=True) | {"question_answer": some}]
        else:
            dials = [redial(f"{self._new_id()}-{i}", end) for i in range(MAX_LIST)]
            made["details"] = [self._detail(end, is_plain=True) | {"redail_call": dials}]

    def _detail(self, end: str, *, is_plain: bool = False) -> Json:
        made = detail(self._new_id(), end, result_label=self._word())
        if is_plain or self._chance.random() < 0.3:
            return made
        if self._chance.random() < 0.02:
            return {**made, "question_answer": [question(self._word()) for _ in range(MAX_LIST)]}
        for _ in range(self._chance.randint(1, 4)):
            made.update(self._oddity(end))
        return made

    def _oddity(self, end: str) -> Json:
        chance = self._chance
        oddities = (
            lambda: {"result": self._word()},
            lambda: {"hangup_type": self._word()},
            lambda: {"ring_type": self._word() or "null"},
            lambda: {"result_label": self._text()},
            lambda: {"intention_description": self._text()},
            lambda: {"call_end_time": chance.choice(CALL_TIMES)},
            lambda: {"call_start_time": chance.choice(CALL_TIMES)},
            lambda: {chance.choice(("duration", "ring_time", "talk_round", "id")): chance.choice(NUMBERS)},
            lambda: {"CaseID": self._text(), "callee": self._word()},
            lambda: {"Variables": {self._word(): self._word(), "": "\x00", "x": self._text()}},
            lambda: {
                "question_answer": [question(self._name(), self._word()) for _ in range(chance.choice((0, 1, 9)))]
            },
            lambda: {"redail_call": [redial(f"{self._new_id()}-r", end, hangup_type=self._word())]},
        )
        return chance.choice(oddities)()

    def _new_id(self) -> str:
        self._made += 1
        odd = self._chance.choice(("", "", "", "\x00", "é" * 900, " ", "|", "/"))
        return f"{self._prefix}-{self._made}{odd}"

    def _id(self, kind: str) -> str:
        number = self._chance.randrange(3)
        odd = self._chance.choice(("", "", "", "", "\x00", "|1700", "\n", "é" * 900))
        return f"{self._prefix}-{kind}-{number}{odd}"

    def _word(self) -> str:
        chance = self._chance.random()
        if chance < 0.6:
            return self._chance.choice(WORDS)
        return f"word {self._chance.randrange(40 if chance < 0.8 else 100_000)}"

    def _name(self) -> str:
        return self._word() if self._chance.random() < 0.9 else f"{self._text()} {self._chance.randrange(9)}"

    def _text(self) -> str:
        size = self._chance.choice((10, 200, 5000, self._large))
        return self._chance.choice(("x", "é", '"')) * (size // 2) + "\x00"

    # --- records ---------------------------------------------------------------------------------------------------

    def foreign(self, callback: Callback, received_at: int) -> Foreign:
        """A record for a topic that the worker reads. `callback`: any that the gateway would write."""
        chance = self._chance
        headers = chance.choice(HEADERS)
        topic = chance.choice((CALLBACKS, REKEYED_DETAILS, OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE))
        key = chance.choice((None, b"", b"\xff\xfe", b"key", b"k" * 5000))
        value: bytes | Callback | OutcomeChange | None
        if topic in (CALLBACKS, REKEYED_DETAILS):
            value = chance.choice((self._garbage(), _absurd(callback, chance.choice(INSTANTS))))
        else:
            value = chance.choice((self._garbage(), self._change(received_at)))
        return Foreign(topic, key, value, headers)

    def _garbage(self) -> bytes | None:
        return self._chance.choice(
            (None, b"", b"\x00", b"not ours", b"\x00\x00\x00\x00\x01\xff\xff", b"x" * self._large)
        )

    def _change(self, received_at: int) -> OutcomeChange:
        """A window change that no callback led to, wrong in one place."""
        number = self._chance.choice((-1, 2**63 - 1, -(2**63), 2**55))
        wrong = self._chance.choice(("received_at", "source_offset", "source_partition", "ended_at", "duration_s"))
        if wrong == "source_partition":
            number = self._chance.choice((-1, 2**31 - 1))
        if wrong == "source_offset":
            number = -1
        outer: Json = {"received_at": received_at, "source_partition": 0, "source_offset": 10**9}
        inner: Json = {"ended_at": received_at, "duration_s": 1}
        (outer if wrong in outer else inner)[wrong] = number
        return OutcomeChange(
            record_id="f" * 32,
            call_id="foreign",
            source_topic=CALLBACKS.name,
            is_event_time_trusted=True,
            added=_outcome(inner),
            **outer,
        )


def is_over(made: Json) -> bool:
    """Whether a callback must become a dead letter, and nothing else."""
    if len(made["workflow_id"]) > MAX_ID or len(made["sip_line"]) > MAX_ID:
        return True
    return any(
        len(one["call_id"]) > MAX_ID
        or len(one["question_answer"]) > MAX_LIST
        or len(one.get("redail_call") or ()) >= MAX_LIST
        for one in made["details"]
    )


def _absurd(callback: Callback, instant: int) -> Callback:
    fields = {name: getattr(callback, name) for name in callback.__struct_fields__}
    return Callback(**{**fields, "received_at": instant})


def _outcome(numbers: Json) -> CallOutcome:
    values: Json = {
        "workflow_id": "foreign",
        "sip_line": "foreign",
        "result": "finished",
        "result_label": "A",
        "hangup_type": "ByRobot",
        "ring_type": "normal",
        "disposition": "answered",
        "ring_time_s": 1,
        "talk_round": 1,
        "attempt_dispositions": ["answered"],
        "never_rang_conflicts": 0,
        "call_times_conflict": False,
        "questions": [],
    }
    return CallOutcome(**values, **numbers)
