"""Deliveries of every kind the contract speaks of, from a seed."""

from __future__ import annotations

import copy
import time
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.deliveries import delivery, detail, question, redial

Json = dict[str, Any]

WORKFLOWS = ("wf-0", "wf-1", "wf-2", "wf-3", "wf-名前", "wf|pipe", "wf é", "wf-7")
LINES = ("LINE_0", "LINE_1", "LINE_2", "LINE|3", "線_4")
RESULTS = ("finished", "finished", "failed", "cancelled", "created", "pending", "transferred")
HANGUPS = ("ByCallee", "ByCallee", "ByRobot", "Canceled", "BySystem")
RINGS = ("busy", "cantuse", "holdline", "switchoff", "outofarea", "unregister", "wrongnum", "notmatch", "null")
RING_TYPES = (*RINGS, *("normal",) * 8, None, "voicemail")
STATUSES = ("Completed", "Completed", "Skip", "Asked", "")
CONTENTS = ("Willingness Check", r"\u610f\u613f\u786e\u8ba4 Willingness", r"smile \ud83d\ude00", "名前 確認", "")
UNREADABLE = (
    *("", "-", "not a time", "2024-02-30 10:00:00", "0000-00-00 00:00:00"),
    *("1970-01-01 08:00:00", "2000-01-01 00:00:00", "2024-03-11"),
)
SECOND, MINUTE, DAY = 1000, 60_000, 86_400_000

# How many deliveries back a repeat or correction may reach.
KEPT = 400


@dataclass(frozen=True)
class Broken:
    """A record nobody can read: `value` as it is, or the wire bytes of `base` spoiled in the way named by `spoiled`."""

    key: bytes
    value: bytes | None = None
    base: Json | None = None
    spoiled: str = ""


class ContractTraffic:
    """An endless supply. The same seed and the same times of receipt give the same deliveries."""

    def __init__(
        self, seed: int, *, oldest_ms: int = 6 * DAY, is_plain: bool = False, is_ordered: bool = False
    ) -> None:
        """oldest_ms: how far before its receipt a call may have ended. is_plain: neither corrections nor odd times.

        is_ordered: every delivery has a call in the same place, as first or as later detail. The order of its revisions
        then does not depend on the speed of a partition.
        """
        self._random = Random(seed)
        self._prefix = f"s{seed}"
        self._oldest_ms = oldest_ms
        self._is_plain = is_plain
        self._is_ordered = is_ordered
        self._recent: list[Json] = []
        self._made = 0

    def batch(self, count: int, received_at: int) -> list[Json | Broken]:
        """So many deliveries, all to be received at one time, in order."""
        return [self._one(received_at) for _ in range(count)]

    def _one(self, at: int) -> Json | Broken:
        kinds = {
            self._fresh: 50,
            self._several: 12,
            self._repeat: 9,
            self._other_bytes: 6,
            self._corrected: 0 if self._is_plain else 12,
            self._old_among_new: 0 if self._is_plain else 6,
        }
        if self._random.random() < 0.02:
            return self._broken()
        [make] = self._random.choices(list(kinds), list(kinds.values()))
        made = make(at) if self._recent else self._fresh(at)
        if len(self._recent) < KEPT:
            self._recent.append(made)
        else:
            self._recent[self._random.randrange(KEPT)] = made
        return made

    # --- kinds -------------------------------------------------------------------------------------------------------

    def _fresh(self, at: int) -> Json:
        return self._delivery(self._detail(at))

    def _several(self, at: int) -> Json:
        return self._delivery(*(self._detail(at) for _ in range(self._random.randint(2, 4))))

    def _repeat(self, at: int) -> Json:
        return self._random.choice(self._recent)

    def _other_bytes(self, at: int) -> Json:
        """Equal content, as some other JSON encoder would write it."""
        made = self._random.choice(self._recent)
        turned = [dict(reversed(one.items())) for one in made["details"]]
        return dict(reversed({**made, "details": turned}.items()))

    def _corrected(self, at: int) -> Json:
        made = self._told_before()
        correct = self._random.choice(
            [
                *(self._other_outcome, self._other_outcome, self._other_time, self._other_line, self._other_workflow),
                self._older_report,
            ]
        )
        correct(made, at)
        return made

    def _old_among_new(self, at: int) -> Json:
        """A call told before, with the same or another outcome, anywhere among new ones of its delivery."""
        made = self._told_before()
        if self._random.random() < 0.5:
            self._other_outcome(made, at)
        made["details"] += [self._detail(at) for _ in range(self._random.randint(1, 2))]
        if not self._is_ordered:
            self._random.shuffle(made["details"])
        return made

    def _told_before(self) -> Json:
        """A copy of some delivery with one of its details."""
        made = copy.deepcopy(self._random.choice(self._recent))
        made["details"] = [made["details"][0] if self._is_ordered else self._random.choice(made["details"])]
        return made

    def _broken(self) -> Broken:
        self._made += 1
        key = f"broken-{self._made}".encode()
        spoiled = self._random.choice(["tombstone", "empty", "text", "unknown schema", "cut", "longer", "huge"])
        if spoiled in ("cut", "longer", "unknown schema"):
            return Broken(key, base=self._fresh(0), spoiled=spoiled)
        values = {"tombstone": None, "empty": b"", "text": b"\x01not Avro " + key, "huge": b"\x7f" * 1_000_000}
        return Broken(key, values[spoiled])

    # --- corrections -------------------------------------------------------------------------------------------------

    def _other_outcome(self, made: Json, at: int) -> None:
        made["details"][0].update(self._outcome())

    def _other_time(self, made: Json, at: int) -> None:
        made["details"][0]["call_end_time"] = self._end(at)

    def _older_report(self, made: Json, at: int) -> None:
        """What was known after fewer dials; it changes nothing, unless it comes first."""
        self._other_outcome(made, at)
        made["details"][0]["call_times"] -= 1

    def _other_line(self, made: Json, at: int) -> None:
        made["sip_line"] = self._random.choice(LINES)

    def _other_workflow(self, made: Json, at: int) -> None:
        made["workflow_id"] = self._random.choice(WORKFLOWS)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _delivery(self, *details: Json) -> Json:
        made = delivery(*details, workflow=self._random.choice(WORKFLOWS), line=self._random.choice(LINES))
        if self._random.random() < 0.1:
            made["a_new_field"] = {"deep": [1, None, "é"]}
        return made

    def _detail(self, at: int) -> Json:
        self._made += 1
        chance = self._random
        made = detail(
            f"{self._prefix}-{self._made}",
            id=chance.choice([chance.randrange(2**31), 2**31 - 1, 2**40]),
            callee=f"+1555{chance.randrange(10**6):06}",
            question_answer=[self._question(i) for i in range(chance.choice([0, 0, 1, 3, 6]))],
            redail_call=self._redials(),
            talk_round=chance.randrange(8),
            CaseID=chance.choice(["", "case-7", "件"]),
            **self._outcome(),
        )
        made["call_end_time"] = self._end(at)
        made["call_start_time"] = chance.choice([made["call_end_time"], "2024-03-11 13:24:29", "-"])
        made["call_times"] = len(made["redail_call"]) + (chance.random() < 0.9)
        if chance.random() < 0.1:
            made["redail_call"] += [*made["redail_call"][:1], redial(made["call_id"], made["call_end_time"])]
        if chance.random() < 0.2:
            made["Variables"] = {"n": 5, "flag": True, "deep": {"a": [1, "é"]}, "none": None, "text": "é" * 20}
        if chance.random() < 0.01:
            made["Variables"] = {"big": "x" * chance.choice([20_000, 200_000])}
        for name in ("NerSlots", "EventLabel", "caller_number", "intention_description"):
            if chance.random() < 0.1:
                del made[name]
        if not made["redail_call"] and chance.random() < 0.3:
            del made["redail_call"]
        return made

    def _outcome(self) -> Json:
        chance = self._random
        return {
            "result": chance.choice(RESULTS),
            "result_label": chance.choice("ABCDEF"),
            "duration": chance.choice([0, 0, chance.randint(1, 10), chance.randint(11, 700)]),
            "ring_time": chance.choice([0, 0, 1, chance.randint(2, 60)]),
            "ring_type": chance.choice(RING_TYPES),
            "hangup_type": chance.choice(HANGUPS),
        }

    def _question(self, number: int) -> Json:
        chance = self._random
        made = question(f"Q{number}", chance.choice(STATUSES), question_content=chance.choice(CONTENTS))
        made["whether_answer"] = chance.choice(["Yes", "No", "Hangup", "Skip"])
        for name in ("status", "answer", "question_content", "whether_answer"):
            if chance.random() < 0.05:
                del made[name]
        return made

    def _redials(self) -> list[Json]:
        """Before the final dial, at different times, in any order; a single one may have no time that can be read."""
        chance = self._random
        count = chance.choice([0, 0, 0, 0, 1, 2, 3, 6])
        starts = [f"2024-03-10 {10 + i}:{chance.randrange(60):02}:00" for i in range(count)]
        if count == 1 and chance.random() < 0.2:
            starts = [chance.choice(UNREADABLE)]
        chance.shuffle(starts)
        made = [
            redial(
                f"{self._prefix}-{self._made}-r{i}",
                start,
                ring_type=chance.choice(RING_TYPES),
                ring_time=chance.choice([0, 1, 20]),
                hangup_type=chance.choice(HANGUPS),
            )
            for i, start in enumerate(starts)
        ]
        for one in made:
            for name in ("ring_time", "hangup_type", "ring_type", "caller_number", "call_id"):
                if chance.random() < 0.04:
                    del one[name]
        return made

    def _end(self, at: int) -> str:
        chance = self._random
        odd = 1.0 if self._is_plain else chance.random()
        if odd < 0.03:
            return chance.choice(UNREADABLE)
        if odd < 0.06:
            return text_of(at + chance.choice([4 * MINUTE, 6 * MINUTE, 400 * DAY]))
        if odd < 0.5:
            return text_of(at - chance.randrange(self._oldest_ms))
        return text_of(at - chance.randrange(min(20 * MINUTE, self._oldest_ms)))


def text_of(at_ms: int) -> str:
    """The provider's text of an instant."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / SECOND))
