"""What the output topics must hold, recomputed from the deliveries alone.

Written from contract.md, research/monitoring.md section 3 and the docs in schemas/avro, not from streams/: the two may
agree only because both are right. Plain dicts and sums, no state that survives, nothing clever.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import blake2b, sha256
from typing import Any, Literal

Json = dict[str, Any]
Cell = tuple[str, ...]
Cells = Counter[Cell]
# Dimension, value, window start in epoch ms.
Window = tuple[Literal["workflow", "sip_line"], str, int]

FUTURE_TOLERANCE_MS = 5 * 60 * 1000
BUCKETS = (1, 3, 6, 10, 20, 30, 60, 120, 300, 600)
REACHED_CALLEE = {"answered", "user_busy", "rejected", "no_answer", "subscriber_absent", "subscriber_barred"}
PROBE = "__probe__"
WORD_MAPS = {
    *("results", "result_labels", "hangup_types", "ring_types", "answered_hangup_types", "dispositions"),
    *("questions", "by_workflow", "workflow_names"),
}

OF_THE_DELIVERY = ("workflow_id", "workflow_name", "nodetask_id", "nodetask_name", "task_id", "task_name", "sip_line")
OF_THE_TASK = ("repeat_interval", "repeat_number", "robot_method")
OF_THE_DETAIL = (
    *("id", "callee", "result", "result_label", "duration", "hangup_type", "ring_type", "question_answer", "NerSlots"),
    *("robot_hash", "call_id", "call_times", "call_start_time", "call_end_time", "ring_time", "talk_round"),
    *("redail_call", "intention_description", "EventLabel", "caller_number", "CaseID", "Variables"),
)
UNREACHABLE = {"switchoff", "outofarea", "unregister", "cantuse", "wrongnum"}
OF_THE_QUESTION = (
    *("question_type", "status", "answer", "answer_text", "answer_text_slot"),
    *("var", "verification_results", "whether_answer"),
)

_DISPOSITION_OF_RING = {
    "busy": "user_busy",
    "holdline": "user_busy",
    "switchoff": "subscriber_absent",
    "outofarea": "subscriber_absent",
    "unregister": "subscriber_absent",
    "cantuse": "subscriber_barred",
    "wrongnum": "bad_number",
}


@dataclass(frozen=True, eq=False)
class Arrival:
    """One delivery as it stands in the callbacks topic."""

    delivery: Json
    received_at: int
    partition: int = 0

    @cached_property
    def event_id(self) -> str:
        return event_id_of(self.delivery)


def event_id_of(delivery: Json) -> str:
    """The id of the body that tests.topics.callback_of makes of a delivery."""
    return sha256(json.dumps(delivery, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, eq=False)
class Telling:
    """What one arrival tells about one call."""

    arrival: Arrival
    index: int

    @property
    def detail(self) -> Json:
        detail: Json = self.arrival.delivery["details"][self.index]
        return detail

    @property
    def call_id(self) -> str:
        return str(self.detail["call_id"])

    @cached_property
    def content(self) -> str:
        """Equal for equal content, whatever the bytes, the place in details[], the order of redials, the receipt."""
        shared = {name: self.arrival.delivery[name] for name in OF_THE_DELIVERY}
        redials = sorted(self.detail.get("redail_call") or [], key=lambda dial: json.dumps(dial, sort_keys=True))
        return json.dumps([shared, {**self.detail, "redail_call": redials}], sort_keys=True)

    @property
    def channel(self) -> int | None:
        """Tellings of one channel stay in order: None for first details, else where the re-keyed ones come from."""
        return None if self.index == 0 else self.arrival.partition

    @cached_property
    def ended(self) -> tuple[int, str]:
        """Event time, and where it is from."""
        received_at = self.arrival.received_at
        at, start = read_time(self.detail["call_end_time"]), read_time(self.detail["call_start_time"])
        if at is None:
            return received_at, "unreadable"
        if at > received_at + FUTURE_TOLERANCE_MS:
            return received_at, "future"
        if start is not None and start <= received_at and start - at > timedelta(days=366) / timedelta(milliseconds=1):
            return received_at, "implausible"
        return at, "provider"

    @property
    def ended_at(self) -> int:
        return self.ended[0]

    @property
    def started_at(self) -> int | None:
        start = read_time(self.detail["call_start_time"])
        return start if start is not None and start <= self.ended_at else None

    def dialled_at(self, dial: Json) -> int | None:
        """The start of one dial."""
        if dial is self.detail:
            return self.started_at
        at = read_time(dial["call_start_time"])
        return at if at is not None and at <= self.arrival.received_at + FUTURE_TOLERANCE_MS else None

    @cached_property
    def dials(self) -> list[Json]:
        """All attempts in dialling order, each call_id once, the final one last."""
        told = [{**dial, "duration": None, "result": None} for dial in self.detail.get("redail_call") or []]
        known = [dial for dial in told if self.dialled_at(dial) is not None]
        known.sort(key=lambda dial: self.dialled_at(dial) or 0)
        kept: list[Json] = []
        for dial in known + [dial for dial in told if self.dialled_at(dial) is None]:
            name = dial.get("call_id")
            if not name or name not in (self.call_id, *(one.get("call_id") for one in kept)):
                kept.append(dial)
        return [*kept, self.detail]


# --- which contents a call has had -----------------------------------------------------------------------------------


def tellings_of(arrivals: Iterable[Arrival]) -> dict[str, list[Telling]]:
    """Everything told about each call, in the order of arrival."""
    found: dict[str, list[Telling]] = {}
    for arrival in arrivals:
        for index in range(len(arrival.delivery["details"])):
            telling = Telling(arrival, index)
            found.setdefault(telling.call_id, []).append(telling)
    return found


def revisions(tellings: Iterable[Telling]) -> tuple[Telling, ...]:
    """The tellings that become revision 1, 2, ...: what is neither seen before, nor what holds already, nor older.

    Older by its own words is what tells of fewer dials than one that counts. A negative number is none.
    """
    seen: set[str] = set()
    kept: list[Telling] = []
    for telling in tellings:
        if telling.arrival.event_id in seen:
            continue
        seen.add(telling.arrival.event_id)
        dials = max([one.detail["call_times"] for one in kept], default=0)
        is_older = 0 <= telling.detail["call_times"] < dials
        if (not kept or kept[-1].content != telling.content) and not is_older:
            kept.append(telling)
    return tuple(kept)


def possible_revisions(tellings: Sequence[Telling], told: Sequence[str]) -> tuple[Telling, ...] | None:
    """The `revisions` that came from the events `told`, if any order in which the channels may meet gives those."""
    channels: dict[int | None, dict[str, Telling]] = {}
    for telling in tellings:
        channels.setdefault(telling.channel, {}).setdefault(telling.arrival.event_id, telling)
    queues = [tuple(channel.values()) for channel in channels.values()]
    dead_ends: set[tuple[int, ...]] = set()

    def search(at: tuple[int, ...], taken: tuple[Telling, ...]) -> tuple[Telling, ...] | None:
        kept = revisions(taken)
        state = (*at, len(kept))
        if state in dead_ends or [one.arrival.event_id for one in kept] != list(told[: len(kept)]):
            return None
        if len(taken) == sum(map(len, queues)):
            return kept if len(kept) == len(told) else None
        for i, queue in enumerate(queues):
            if at[i] < len(queue):
                found = search((*at[:i], at[i] + 1, *at[i + 1 :]), (*taken, queue[at[i]]))
                if found is not None:
                    return found
        dead_ends.add(state)
        return None

    return search((0,) * len(queues), ())


# --- records ---------------------------------------------------------------------------------------------------------


def call_of(telling: Telling, revision: int) -> Json:
    """The fields of the Call record but its record_id."""
    delivery, detail = telling.arrival.delivery, telling.detail
    return {
        **{name: delivery[name] for name in OF_THE_DELIVERY},
        "event_id": telling.arrival.event_id,
        "call_id": detail["call_id"],
        "revision": revision,
        "detail_id": detail["id"],
        "case_id": detail["CaseID"],
        "callee": detail["callee"],
        "caller_number": detail.get("caller_number"),
        "result": detail["result"],
        "result_label": detail["result_label"],
        "hangup_type": detail["hangup_type"],
        "ring_type": ring_word(detail),
        "disposition": disposition(detail),
        "duration_s": detail["duration"],
        "ring_time_s": detail["ring_time"],
        "talk_round": detail["talk_round"],
        "call_times": detail["call_times"],
        "started_at": telling.started_at,
        "ended_at": telling.ended_at,
        "ended_at_source": telling.ended[1],
        "task_status": delivery["status"],
        "task_created_at": read_time(delivery["created_at"]),
        **{name: delivery[name] for name in OF_THE_TASK},
        "schedule_start_at": read_time(delivery["schedule_start_time"]),
        "schedule_end_at": read_time(delivery["schedule_end_time"]),
        "extra": {name: value for name, value in detail.items() if name not in OF_THE_DETAIL},
        "received_at": telling.arrival.received_at,
        "robot_hash": detail["robot_hash"],
        "intention_description": detail.get("intention_description"),
        "ner_slots": detail.get("NerSlots") or {},
        "event_labels": detail.get("EventLabel") or {},
        "variables": detail["Variables"],
        "answer_count": len(detail["question_answer"]),
        "attempt_count": len(telling.dials),
    }


def answers_of(telling: Telling, revision: int) -> list[Json]:
    """The fields of the Answer records but their record_ids."""
    delivery, detail = telling.arrival.delivery, telling.detail
    return [
        {
            **{name: question.get(name) for name in OF_THE_QUESTION},
            "event_id": telling.arrival.event_id,
            "call_id": detail["call_id"],
            "revision": revision,
            "position": position,
            "workflow_id": delivery["workflow_id"],
            "sip_line": delivery["sip_line"],
            "case_id": detail["CaseID"],
            "callee": detail["callee"],
            "question_name": question["question_name"],
            "question_content": readable(question.get("question_content")),
            "call_ended_at": telling.ended_at,
            "answer_count": len(detail["question_answer"]),
            "state": fate(question),
        }
        for position, question in enumerate(detail["question_answer"])
    ]


def attempts_of(telling: Telling, revision: int) -> list[Json]:
    """The fields of the CallAttempt records but their record_ids. They carry no revision: their order tells it."""
    delivery, detail = telling.arrival.delivery, telling.detail
    del revision
    return [
        {
            "event_id": telling.arrival.event_id,
            "final_call_id": detail["call_id"],
            "call_id": dial.get("call_id") or "",
            "attempt_number": number,
            "is_final": dial is detail,
            "workflow_id": delivery["workflow_id"],
            "sip_line": delivery["sip_line"],
            "callee": dial["callee"] if dial is detail else dial["callee_number"],
            "caller_number": dial.get("caller_number"),
            "ring_type": ring_word(dial),
            "ring_time_s": dial.get("ring_time"),
            "hangup_type": dial.get("hangup_type"),
            "result_label": dial.get("result_label"),
            "disposition": disposition(dial),
            "duration_s": dial["duration"],
            "started_at": telling.dialled_at(dial),
            "attempt_count": len(telling.dials),
        }
        for number, dial in enumerate(telling.dials, 1)
    ]


def disposition(dial: Json) -> str:
    """monitoring.md 3.1 with 3.2: first match wins. An earlier dial has neither result, duration nor talk rounds."""
    ring, ring_time, duration = ring_word(dial), dial.get("ring_time") or 0, dial.get("duration") or 0
    if (dial.get("talk_round") or 0) > 0:  # no result word says "answered", so the numbers do
        return "answered"
    if duration > 0 and ring not in UNREACHABLE:
        return "answered"
    if ring in _DISPOSITION_OF_RING:
        return _DISPOSITION_OF_RING[ring]
    if ring in ("normal", "notmatch") and ring_time > 0:
        return "rejected" if dial.get("hangup_type") == "ByCallee" else "no_answer"
    cancelled = dial.get("result") in ("cancelled", "created", "pending") or dial.get("hangup_type") == "Canceled"
    if ring in ("normal", None, "notmatch") and ring_time == 0 and not cancelled:
        return "pre_alert_failure"
    return "unknown"


def contradictions(dial: Json) -> list[str]:
    """How the fields of a final dial contradict each other."""
    cannot_be_reached = ring_word(dial) in UNREACHABLE
    if dial["talk_round"] > 0 and cannot_be_reached:
        return ["talked_unreachable"]
    if dial["talk_round"] > 0 and dial["duration"] <= 0:
        return ["talked_no_seconds"]
    return ["seconds_unreachable"] if dial["duration"] > 0 and cannot_be_reached and dial["talk_round"] <= 0 else []


def ring_word(dial: Json) -> str | None:
    """The word `null`, JSON null and a missing field are alike."""
    word = dial.get("ring_type")
    return None if word in ("null", "") else word


def readable(text: str | None) -> str | None:
    """Doubly escaped Unicode as text."""
    if text is None:
        return None
    escapes = re.compile(r"(?<!\\)(?:\\\\)*((?:\\u(?!0000)[0-9a-fA-F]{4})+)")

    def as_text(found: re.Match[str]) -> str:
        return found[0].removesuffix(found[1]) + bytes.fromhex(found[1].replace("\\u", "")).decode("utf-16-be")

    return escapes.sub(as_text, text)


def read_time(text: str) -> int | None:
    """The provider's text of an instant, in UTC, as epoch ms; None when it is none or a stand-in for none."""
    try:
        at = datetime.strptime(text, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None
    return int(at.timestamp() * 1000) if at.year >= 2015 else None


# --- windows ---------------------------------------------------------------------------------------------------------


def windows_of(latest: Iterable[Telling], window_ms: int) -> dict[Window, Cells]:
    """Every window that calls, each as its latest telling, make; probes enter none."""
    windows: dict[Window, Cells] = {}
    for telling in latest:
        workflow, line = telling.arrival.delivery["workflow_id"], telling.arrival.delivery["sip_line"]
        if workflow == PROBE:
            continue
        start = telling.ended_at - telling.ended_at % window_ms
        outcome = cells_of(telling)
        of_workflow = windows.setdefault(("workflow", workflow, start), Counter())
        of_workflow.update(outcome)
        of_workflow.update(_workflow_names(telling))
        of_line = windows.setdefault(("sip_line", line, start), Counter())
        of_line.update(outcome)
        of_line.update(_by_workflow(telling, workflow))
    return windows


def cells_of(telling: Telling) -> Cells:
    """What one call adds to a window of either dimension, cell by cell."""
    detail, dials = telling.detail, telling.dials
    ours = [disposition(dial) for dial in dials]
    answered = ours[-1] == "answered"
    duration, ring_time, rounds = map(summed, (detail["duration"], detail["ring_time"], detail["talk_round"]))
    cells: Cells = Counter()
    cells["calls",] += 1
    cells["attempts",] += len(dials)
    cells["results", detail["result"] or "null"] += 1
    cells["result_labels", detail["result_label"]] += 1
    cells["hangup_types", detail["hangup_type"] or "null"] += 1
    cells["ring_types", ring_word(detail) or "null"] += 1
    cells["dispositions", ours[-1]] += 1
    cells.update(("attempt_dispositions", word) for word in ours)
    cells["duration_s_sum",] += duration
    cells["ring_time_s_sum",] += ring_time
    cells["talk_round_sum",] += rounds
    for place, question in enumerate(detail["question_answer"], 1):
        cells["questions", question["question_name"], fate(question)] += 1
        cells["questions", question["question_name"], "position_sum"] += place
    cells.update(("reached_attempt", _number(n)) for n in range(1, min(len(dials), 5) + 1))
    blamed = [dial.get("hangup_type") == "ByCallee" for dial in dials]
    cells["never_rang_conflicts",] += sum(
        blame and word == "pre_alert_failure" for blame, word in zip(blamed, ours, strict=True)
    )
    cells["call_times_conflicts",] += detail["call_times"] != len(dials)
    cells.update(("contradictions", word) for word in contradictions(detail))
    if answered:
        cells["answered",] += 1
        cells["short_calls",] += duration <= 6
        cells["silent_answers",] += duration > 3 and rounds == 0
        cells["engaged_calls",] += rounds > 3
        cells["answered_duration_s_sum",] += duration
        cells["answered_hangup_types", detail["hangup_type"] or "null"] += 1
        cells["answered_on_attempt", _number(len(dials))] += 1
        cells["duration_s_histogram", _bucket(duration)] += 1
    cells["answered_ring_time_s_histogram" if answered else "unanswered_ring_time_s_histogram", _bucket(ring_time)] += 1
    return +cells


def _workflow_names(telling: Telling) -> Cells:
    name = telling.arrival.delivery["workflow_name"]
    return Counter({("workflow_names", name): 1} if name else {})


def _by_workflow(telling: Telling, workflow: str) -> Cells:
    cells: Cells = Counter()
    for word in map(disposition, telling.dials):
        cells["by_workflow", workflow, "attempts"] += 1
        cells["by_workflow", workflow, "answered"] += word == "answered"
        cells["by_workflow", workflow, "delivered"] += word in REACHED_CALLEE
        cells["by_workflow", workflow, "pre_alert_failure"] += word == "pre_alert_failure"
    return +cells


def summed(number: int) -> int:
    """A number as it enters a sum: nobody talks for less than nothing, or longer than thirty years."""
    return min(max(number, 0), 1_000_000_000)


def named(cells: Cells, published: Cells) -> Cells:
    """The cells as a window names its words: long ones cut, and those without a name of their own under `other`.

    Which words have names depends on who came first, so that is taken from what is published; each count is not.
    """
    full = {cell[1] for cell in published if cell[0] == "overflow"}
    names = {(cell[0], cell[1]) for cell in published if cell[0] in full}
    found: Cells = Counter()
    for cell, count in cells.items():
        if cell[0] not in WORD_MAPS:
            found[cell] += count
            continue
        word = cut(cell[1])
        if cell[0] not in full or (cell[0], word) in names:
            found[cell[0], word, *cell[2:]] += count
            continue
        found[cell[0], "other", *cell[2:]] += count
        if (cell[0] != "by_workflow" or cell[2] == "attempts") and cell[-1] != "position_sum":
            found["overflow", cell[0]] += count
    return found


def cut(word: str) -> str:
    """At most 128 bytes of UTF-8: the beginning, a tilde, and eight hex digits of the BLAKE2b of the whole."""
    data = word.encode()
    if len(data) <= 128:
        return word
    return data[:119].decode(errors="ignore") + "~" + blake2b(data, digest_size=4).hexdigest()


def fate(question: Json) -> str:
    """completed, skipped, broke_off or not_reached."""
    status = question.get("status")
    if status in ("Completed", "Skip"):
        return "completed" if status == "Completed" else "skipped"
    return "broke_off" if question.get("whether_answer") == "Hangup" else "not_reached"


def flattened(counts: Json) -> Cells:
    """The counts of a WindowedOutcomes record in the same shape as `cells_of`, zeros left out."""
    names = {"dimension", "value", "window_start_at", "window_end_at", "revision", "is_final"}
    cells: Cells = Counter()
    for name, value in counts.items():
        if name not in names:
            cells.update(_flat((name,), value))
    return Counter({cell: count for cell, count in cells.items() if count})


def _flat(path: Cell, value: Any) -> dict[Cell, int]:
    if isinstance(value, int):
        return {path: value}
    items = value.items() if isinstance(value, dict) else enumerate(value)
    return {cell: count for key, inner in items for cell, count in _flat((*path, str(key)), inner).items()}


def _number(attempt: int) -> str:
    return str(attempt) if attempt < 5 else "5+"


def _bucket(seconds: int) -> str:
    return str(next((i for i, edge in enumerate(BUCKETS) if seconds <= edge), len(BUCKETS)))
