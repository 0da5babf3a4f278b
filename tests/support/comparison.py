"""Holds the output topics of a system against the oracle and names every difference."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import pairwise
from typing import Any

from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
)
from tests.support import oracle
from tests.support.oracle import PROBE, Arrival, Cells, Json, Telling, Window
from tests.support.topics import Read

OUTPUTS = (CALLS, ANSWERS, CALL_ATTEMPTS, LATE_CALLS, DEAD_LETTERS, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)
FREE_TEXT_MAPS = ("ner_slots", "event_labels", "variables")

Outputs = Mapping[str, Sequence[Read]]


@dataclass(frozen=True)
class Poison:
    """A record of the callbacks topic that nobody can read."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None


@dataclass
class Report:
    """What was compared, and every difference in words."""

    records: Counter[str] = field(default_factory=Counter)
    repeats: Counter[str] = field(default_factory=Counter)
    revised: int = 0
    overtaken: int = 0
    late: int = 0
    finals: int = 0
    windows: int = 0
    missing: list[str] = field(default_factory=list)
    invented: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    wrong_cells: list[str] = field(default_factory=list)

    @property
    def differences(self) -> list[str]:
        return [*self.missing, *self.invented, *self.wrong, *self.wrong_cells]


def compare(
    arrivals: Sequence[Arrival],
    poison: Iterable[Poison],
    outputs: Outputs,
    *,
    window_ms: int = 300_000,
    allow_late: bool = False,
) -> Report:
    """Hold what was written against what must follow from the deliveries in the callbacks topic.

    Late calls, where allowed, are missing from their workflow's window and may be missing from their line's.
    """
    report = Report()
    for topic in OUTPUTS:
        _count_repeats(report, topic.name, outputs[topic.name])
    chosen = _compare_calls(report, arrivals, outputs[CALLS.name])
    _compare_parts(report, chosen, outputs)
    late = _compare_late(report, chosen, outputs, allow_late)
    _compare_dead_letters(report, poison, outputs[DEAD_LETTERS.name])
    _compare_windows(report, [tellings[-1] for tellings in chosen.values()], late, outputs, window_ms)
    return report


# --- records ---------------------------------------------------------------------------------------------------------


def _count_repeats(report: Report, topic: str, reads: Sequence[Read]) -> None:
    """A repeat has the id and the bytes of the first."""
    by_id: dict[str, set[Any]] = {}
    for read in reads:
        by_id.setdefault(read.ce_id, set()).add((read.key, read.raw))
        record_id = getattr(read.value, "record_id", read.ce_id)
        if (record_id == read.ce_id) == (topic == LATE_CALLS.name):  # a late call is an event of its own
            report.wrong.append(f"{topic} {read.key}: ce_id {read.ce_id} but record_id {record_id}")
    report.records[topic] = len(by_id)
    report.repeats[topic] = len(reads) - len(by_id)
    for ce_id, bodies in by_id.items():
        if len(bodies) > 1:
            key = next(read.key for read in reads if read.ce_id == ce_id)
            report.wrong.append(f"{topic} {key}: id {ce_id} stands for {len(bodies)} different records")


def _distinct(report: Report, reads: Iterable[Read], identity: Callable[[Any], Any]) -> dict[Any, Read]:
    """One read for each identity; another id or other bytes for the same identity is a difference."""
    found: dict[Any, Read] = {}
    for read in reads:
        known = found.setdefault(identity(read.value), read)
        if (known.ce_id, known.raw) != (read.ce_id, read.raw):
            report.wrong.append(
                f"{read.topic} {identity(read.value)}: written twice, as {known.value} and {read.value}"
            )
    return found


def _compare_calls(
    report: Report, arrivals: Sequence[Arrival], reads: Sequence[Read]
) -> dict[str, tuple[Telling, ...]]:
    """The revisions that each call has had, as far as the order of arrival leaves a choice: as the topic tells them."""
    found: dict[str, dict[int, Read]] = {}
    for (call_id, revision), read in _distinct(report, _real(reads), lambda c: (c.call_id, c.revision)).items():
        if read.key != call_id:
            report.wrong.append(f"calls: key {read.key} for call {call_id}")
        found.setdefault(call_id, {})[revision] = read
    chosen = {}
    for call_id, tellings in oracle.tellings_of(arrivals).items():
        if tellings[0].arrival.delivery["workflow_id"] == PROBE:
            continue
        appeared = found.pop(call_id, {})
        chosen[call_id] = _choose(report, call_id, tellings, appeared)
        _compare_order(report, call_id, chosen[call_id], list(appeared))
        report.revised += len(chosen[call_id]) > 1
    report.invented += [f"calls {call_id}: nobody sent it" for call_id in found]
    return chosen


def _compare_order(report: Report, call_id: str, chosen: tuple[Telling, ...], appeared: list[int]) -> None:
    """Revisions told the same way appear first in their order.

    One that came as a later detail may overtake one that came as a first detail when both are sent again after a
    fault: they are read from two topics, and the contract orders revisions by their number only. It is counted.
    """
    for earlier, later in pairwise(appeared):
        if later > earlier or later > len(chosen) or earlier > len(chosen):
            continue
        if chosen[later - 1].channel == chosen[earlier - 1].channel:
            report.wrong.append(f"calls {call_id}: revision {later} appears first after {earlier}")
        else:
            report.overtaken += 1


def _choose(
    report: Report, call_id: str, tellings: Sequence[Telling], found: Mapping[int, Read]
) -> tuple[Telling, ...]:
    """The revisions by the events that the topic names, or by the order of arrival if no order allowed gives those."""
    told = [found[number].value.event_id for number in sorted(found)]
    chosen = oracle.possible_revisions(tellings, told) or oracle.revisions(tellings)
    expected = {number: oracle.call_of(telling, number) for number, telling in enumerate(chosen, 1)}
    _compare_by_identity(report, f"calls {call_id} revision", expected, found)
    return chosen


def _compare_parts(report: Report, chosen: Mapping[str, tuple[Telling, ...]], outputs: Outputs) -> None:
    answers, attempts = {}, {}
    for call_id, tellings in chosen.items():
        for revision, telling in enumerate(tellings, 1):
            for answer in oracle.answers_of(telling, revision):
                answers[call_id, revision, answer["position"]] = answer
            for attempt in oracle.attempts_of(telling, revision):
                attempts[call_id, telling.arrival.event_id, attempt["attempt_number"]] = attempt
    found = _distinct(report, _real(outputs[ANSWERS.name]), lambda a: (a.call_id, a.revision, a.position))
    _compare_by_identity(report, "answers", answers, found)
    found = _distinct(
        report, _real(outputs[CALL_ATTEMPTS.name]), lambda a: (a.final_call_id, a.event_id, a.attempt_number)
    )
    _compare_by_identity(report, "attempts", attempts, found)


def _compare_by_identity(report: Report, what: str, expected: Mapping[Any, Json], found: Mapping[Any, Read]) -> None:
    for identity, fields in expected.items():
        if identity not in found:
            report.missing.append(f"{what} {identity}: missing")
            continue
        for name, value in fields.items():
            actual = getattr(found[identity].value, name)
            if not _equal(name, value, actual):
                report.wrong.append(f"{what} {identity}: {name} is {actual!r:.200}, not {value!r:.200}")
    report.invented += [f"{what} {identity}: invented" for identity in found if identity not in expected]


def _equal(name: str, expected: Any, actual: Any) -> bool:
    if name == "extra":
        return bool(expected == {key: json.loads(text) for key, text in actual.items()})
    if name == "ring_type":
        return bool(expected == (None if actual in ("null", "") else actual))
    if name in FREE_TEXT_MAPS:
        return bool(expected.keys() == actual.keys()) and all(
            _same_text(expected[key], actual[key]) for key in expected
        )
    return bool(expected == actual)


def _same_text(sent: Any, text: str) -> bool:
    """Map values that are not text are given as JSON text."""
    return sent == text if isinstance(sent, str) else bool(sent == json.loads(text))


def _real(reads: Iterable[Read]) -> list[Read]:
    """Without probe traffic."""
    return [read for read in reads if read.value.workflow_id != PROBE]


def _compare_dead_letters(report: Report, poison: Iterable[Poison], reads: Sequence[Read]) -> None:
    expected = {(bad.partition, bad.offset): bad for bad in poison}
    found = {(read.value.source_partition, read.value.source_offset): read for read in reads}
    for at, bad in expected.items():
        if at not in found:
            report.missing.append(f"dead letters {at}: missing, {bad.value!r:.60}")
        elif not _is_kept(found[at].value, bad):
            report.wrong.append(f"dead letters {at}: other bytes or another key")
    report.invented += [f"dead letters {at}: {found[at].value}" for at in found if at not in expected]


def _is_kept(letter: Any, bad: Poison) -> bool:
    if not letter.is_cut:
        return bool((letter.value, letter.key) == (bad.value, bad.key))
    return bool(letter.value_sha256 == sha256(bad.value or b"").hexdigest())


def _compare_late(
    report: Report, chosen: Mapping[str, tuple[Telling, ...]], outputs: Outputs, allowed: bool
) -> dict[str, Telling]:
    """The calls in the late topic, each equal to the record in the calls topic."""
    calls = {read.ce_id: read.raw for read in outputs[CALLS.name]}
    late = {}
    for read in _real(outputs[LATE_CALLS.name]):
        call = read.value
        if read.key != call.call_id or calls.get(call.record_id) != read.raw or call.call_id not in chosen:
            report.wrong.append(f"late calls {call.call_id}: differs from the calls topic")
        elif not allowed:
            report.wrong.append(f"late calls {call.call_id}: event time {call.ended_at} is not late")
        else:
            late[call.call_id] = chosen[call.call_id][call.revision - 1]
    report.late = len(late)
    return late


# --- windows ---------------------------------------------------------------------------------------------------------


def _compare_windows(
    report: Report, latest: Sequence[Telling], late: Mapping[str, Telling], outputs: Outputs, window_ms: int
) -> None:
    most = oracle.windows_of(latest, window_ms)
    least = oracle.windows_of([telling for telling in latest if telling.call_id not in late], window_ms)
    reads = [*outputs[WORKFLOW_OUTCOMES.name], *outputs[SIP_LINE_OUTCOMES.name]]
    actual = {_window_of(read): _cells_of(read) for read in _latest_windows(report, reads, window_ms).values()}
    report.windows = len(actual)
    for window in sorted(most.keys() | actual.keys()):
        found = actual.get(window, Counter())
        low = oracle.named(least.get(window, Counter()), found)
        high = oracle.named(most.get(window, Counter()), found) if window[0] == "sip_line" else low
        for cell in sorted(high.keys() | low.keys() | found.keys()):
            if not low[cell] <= found[cell] <= high[cell]:
                report.wrong_cells.append(f"window {window}: {'/'.join(cell)} is {found[cell]}, not {low[cell]}")


def _latest_windows(report: Report, reads: Sequence[Read], window_ms: int) -> dict[str, Read]:
    """The last record of each key, as compaction keeps it: it must be the newest, and nothing may follow a final."""
    latest: dict[str, Read] = {}
    seen: dict[tuple[str, str], dict[tuple[int, bool], bytes | None]] = {}
    for read in (read for read in reads if read.value is not None):
        window = read.value
        if read.key != f"{window.value}|{window.window_start_at}" or window.window_start_at % window_ms:
            report.wrong.append(f"{read.topic} {read.key}: holds {window.value} from {window.window_start_at}")
        if window.window_end_at != window.window_start_at + window_ms:
            report.wrong.append(f"{read.topic} {read.key}: ends at {window.window_end_at}")
        versions = seen.setdefault((read.topic, read.key), {})
        version = (window.revision, window.is_final)
        if versions.setdefault(version, read.raw) != read.raw:
            report.wrong.append(f"{read.topic} {read.key}: revision {version} was written with two contents")
        if len([final for _, final in versions if final]) > 1:
            report.wrong.append(f"{read.topic} {read.key}: more than one final result")
        latest[read.topic + read.key] = read
    for (topic, key), versions in seen.items():
        last = latest[topic + key].value
        report.finals += any(final for _, final in versions)
        if (last.revision, last.is_final) != max(versions):
            report.wrong.append(
                f"{topic} {key}: the last record is {(last.revision, last.is_final)}, the newest {max(versions)}"
            )
        if any(final for _, final in versions) and not max(versions)[1]:
            report.wrong.append(f"{topic} {key}: changed after its final result: {sorted(versions)}")
    return latest


def _window_of(read: Read) -> Window:
    return read.value.dimension, read.value.value, read.value.window_start_at


def _cells_of(read: Read) -> Cells:
    return oracle.flattened(read.value.to_datum())
