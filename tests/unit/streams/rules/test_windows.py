"""Windows in virtual time: each call is counted once or judged late once, and a final result stays final.

The simulation runs the agent's order of effects (key rows, pane rows, results, offsets; key rows, finals, cleared
rows) over random histories, loses any suffix of what was not safe yet, and reads again from the committed offset. What
comes out is held against a model of ten lines that knows neither rows nor crashes nor closing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import msgpack

from schemas.records.outcomes import CallOutcome, OutcomeChange, WindowedOutcomes
from streams.rules.calls import SourcePosition
from streams.rules.clocks import CLOCK_CALLS, MAX_LATE, KeyState
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import SIP_LINE, WORKFLOW, Dimension
from streams.rules.panes import Pane, PaneId
from streams.rules.windows import Effect, Windows, WindowSettings
from tests.support.records import change, outcome

WINDOW: Final = 10
GRACE: Final = 20
SETTINGS: Final = WindowSettings(WINDOW, GRACE)


def call(ended_at: int, received_at: int | None = None, *, trusted: bool = True, **counts: Any) -> OutcomeChange:
    """One new call, received when it ended unless told otherwise."""
    return change(
        received_at=ended_at if received_at is None else received_at,
        is_event_time_trusted=trusted,
        added=outcome(ended_at=ended_at, **counts),
    )


def windows_of(*changes: OutcomeChange, value: str = "wf-1", dimension: Dimension = WORKFLOW) -> Windows:
    windows = Windows(dimension, SETTINGS)
    for offset, one in enumerate(changes):
        windows.apply(value, one, SourcePosition(0, offset))
    return windows


def calls_in(windows: Windows, *panes: tuple[str, int]) -> list[int]:
    return [windows.result(PaneId(*pane)).calls for pane in panes]


# -- one record after another: (received at, ended at) -> effect

APPLIED, LATE, DUPLICATE = Effect.APPLIED, Effect.LATE, Effect.DUPLICATE


@pytest.mark.parametrize(
    ("why", "history"),
    [
        ("calls as they happen", [(100, 100, APPLIED), (105, 105, APPLIED), (140, 140, APPLIED)]),
        ("out of order within grace", [(140, 140, APPLIED), (140, 121, APPLIED)]),
        # A pane ends at 110: with calls received as they end, it takes calls received before 110 + 20.
        ("the last moment of grace", [(129, 129, APPLIED), (129, 109, APPLIED)]),
        ("grace is over", [(130, 130, APPLIED), (130, 109, LATE)]),
        ("late is told by the pane's end, not by the call's", [(130, 130, APPLIED), (130, 110, APPLIED)]),
        ("a first call is never late, however old", [(10_000, 5, APPLIED)]),
        ("a backlog of old calls is judged by its own clock", [(10_000, 100, APPLIED), (10_020, 120, APPLIED)]),
        ("also one that is received all at once", [(10_000, 100, APPLIED), (10_000, 89, APPLIED), (10_000, 5, LATE)]),
        (
            "one live call does not make the old ones late",
            [(10_000, 100, APPLIED), (10_000, 10_000, APPLIED), (10_001, 101, APPLIED)],
        ),
        (
            "two live calls that agree do",
            [(10_000, 100, APPLIED), *[(10_000, 10_000, APPLIED)] * 2, (10_001, 85, LATE)],
        ),
        (
            "the first call's clock judges the second and no more",
            [(10_000, 10_000, APPLIED), (10_000, 5, LATE), (10_001, 6, APPLIED), (10_002, 7, APPLIED)],
        ),
        ("a clock never goes back", [(100, 100, APPLIED), (200, 110, LATE), (200, 200, APPLIED), (201, 165, LATE)]),
        ("ended a little after receipt is no delay", [(100, 104, APPLIED), (130, 109, LATE)]),
    ],
)
def test_a_call_is_late_once_its_keys_clock_is_past_grace(why: str, history: list[tuple[int, int, Effect]]) -> None:
    windows = Windows(WORKFLOW, SETTINGS)

    effects = [
        windows.apply("wf-1", call(ended_at, received_at), SourcePosition(0, offset))
        for offset, (received_at, ended_at, _) in enumerate(history)
    ]

    assert effects == [effect for _, _, effect in history], why


@pytest.mark.parametrize(
    ("ended_at", "start"), [(100, 100), (101, 100), (109, 100), (110, 110), (0, 0)], ids=lambda value: str(value)
)
def test_a_pane_holds_its_first_instant_and_not_its_last(ended_at: int, start: int) -> None:
    assert calls_in(windows_of(call(ended_at)), ("wf-1", start)) == [1]


@pytest.mark.parametrize(
    ("received_until", "expected"),
    [(129, []), (130, [100]), (139, [100]), (140, [100, 110]), (10_000, [100, 110])],
)
def test_a_pane_is_due_when_all_that_could_still_count_was_received(received_until: int, expected: list[int]) -> None:
    windows = windows_of(call(100), call(115))

    assert [pane_id.start for pane_id in windows.close_due(received_until)] == expected


def test_a_pane_of_calls_that_come_late_by_habit_stays_open_that_much_longer() -> None:
    windows = windows_of(call(100, 150))

    assert windows.close_due(179) == []
    assert windows.close_due(180) == [PaneId("wf-1", 100)]


def test_a_closed_pane_takes_no_more_calls() -> None:
    windows = windows_of(call(100))
    (closed,) = windows.close_due(130)

    assert windows.apply("wf-1", call(105, 129), SourcePosition(0, 9)) is Effect.LATE
    assert windows.final(closed).calls == 1


def test_a_closed_pane_does_not_open_again_once_it_is_forgotten() -> None:
    windows = windows_of(call(100))
    (closed,) = windows.close_due(130)
    windows.drop(closed)

    assert windows.apply("wf-1", call(105, 129), SourcePosition(0, 9)) is Effect.LATE
    assert (len(windows), windows.close_due(10_000)) == (0, [])


def test_a_pane_is_due_once() -> None:
    windows = windows_of(call(100))

    assert [len(windows.close_due(200)), len(windows.close_due(300))] == [1, 0]


def test_panes_are_due_oldest_first_over_all_keys() -> None:
    windows = Windows(WORKFLOW, SETTINGS)
    for offset, (value, ended_at) in enumerate([("b", 110), ("a", 110), ("b", 100)]):
        windows.apply(value, call(ended_at), SourcePosition(0, offset))

    assert windows.close_due(1_000) == [PaneId("b", 100), PaneId("a", 110), PaneId("b", 110)]


def test_a_busy_key_makes_nobody_else_late() -> None:
    windows = windows_of(call(100), call(9_000), value="busy")

    assert windows.apply("quiet", call(105, 9_000), SourcePosition(0, 9)) is Effect.APPLIED


def test_a_busy_key_closes_nobody_elses_windows() -> None:
    windows = windows_of(call(100, 9_000), value="years old")
    windows.apply("live", call(9_000), SourcePosition(0, 9))

    assert windows.close_due(9_019) == []


def test_a_call_dated_in_the_future_makes_nobody_late() -> None:
    # Clamped to its receipt and not trusted, it counts, and the clock of habitual delay stays.
    windows = windows_of(call(100, 200), call(210, 210, trusted=False))

    assert windows.apply("wf-1", call(112, 212), SourcePosition(0, 9)) is Effect.APPLIED
    assert calls_in(windows, ("wf-1", 100), ("wf-1", 110), ("wf-1", 210)) == [1, 1, 1]


# -- positions


def test_a_position_read_again_counts_nothing() -> None:
    windows = windows_of(call(100))

    assert windows.apply("wf-1", call(100), SourcePosition(0, 0)) is Effect.DUPLICATE
    assert calls_in(windows, ("wf-1", 100)) == [1]


def test_a_position_read_again_is_stored_and_published_again() -> None:
    windows = windows_of(call(100))
    windows.pop_changes()
    windows.apply("wf-1", call(100), SourcePosition(0, 0))

    keys, panes = windows.pop_changes()

    assert (list(keys), list(panes)) == (["wf-1"], [PaneId("wf-1", 100)])


def test_a_late_position_read_again_is_late_again() -> None:
    windows = windows_of(call(130), call(109, 130))

    assert windows.apply("wf-1", call(109, 130), SourcePosition(0, 1)) is Effect.LATE


def test_the_same_offset_of_another_source_is_another_record() -> None:
    windows = windows_of(call(100))

    assert windows.apply("wf-1", call(100), SourcePosition(1, 0)) is Effect.APPLIED
    assert calls_in(windows, ("wf-1", 100)) == [2]


def test_the_positions_of_one_key_say_nothing_about_another() -> None:
    windows = windows_of(call(100), call(101), value="wf-1")

    assert windows.apply("wf-2", call(100), SourcePosition(0, 0)) is Effect.APPLIED


def test_late_calls_without_end_keep_a_bounded_clock() -> None:
    windows = windows_of(call(1_000), *[call(1_000), call(1, 1_000)] * (MAX_LATE + 50))

    assert len(windows.pop_changes()[0]["wf-1"].late) == MAX_LATE


# -- corrections


def correction(before: CallOutcome | None, now: CallOutcome | None, received_at: int) -> OutcomeChange:
    return change(removed=before, added=now, received_at=received_at)


def test_a_correction_of_what_was_refused_as_late_is_late_too() -> None:
    first, moved, again = outcome(ended_at=100), outcome(ended_at=131), outcome(ended_at=132)
    windows = windows_of(correction(None, first, 100))
    windows.close_due(130)

    late = windows.apply("wf-1", correction(first, moved, 131), SourcePosition(0, 1), SourcePosition(0, 0))
    after = windows.apply("wf-1", correction(moved, again, 132), SourcePosition(0, 2), SourcePosition(0, 1))

    assert (late, after) == (Effect.LATE, Effect.LATE)
    assert len(windows) == 1, "nothing but the closed pane, which still counts the call"


def test_nothing_is_published_of_a_closed_pane_but_its_final() -> None:
    windows = windows_of(call(100))
    windows.pop_changes()
    windows.close_due(130)
    windows.pop_changes()

    assert windows.apply("wf-1", call(100), SourcePosition(0, 0)) is Effect.DUPLICATE
    assert windows.pop_changes()[1] == {}


def test_a_correction_moves_the_counts_by_the_difference() -> None:
    before, now = outcome(ended_at=100, duration_s=5), outcome(ended_at=101, disposition="user_busy", duration_s=0)
    windows = windows_of(call(105), correction(None, before, 105), correction(before, now, 106))

    result = windows.result(PaneId("wf-1", 100))

    assert (result.calls, result.answered, result.duration_s_sum) == (2, 1, 43)
    assert result.dispositions == {"answered": 1, "user_busy": 1}
    assert result.revision == 3


def test_a_correction_of_the_time_moves_the_call_to_its_pane() -> None:
    before, now = outcome(ended_at=100), outcome(ended_at=112)
    windows = windows_of(correction(None, before, 110), correction(before, now, 112))

    assert calls_in(windows, ("wf-1", 100), ("wf-1", 110)) == [0, 1]


def test_a_correction_of_a_closed_window_changes_nothing_and_is_late() -> None:
    before, now = outcome(ended_at=100), outcome(ended_at=131)
    windows = windows_of(correction(None, before, 100))
    (closed,) = windows.close_due(130)

    assert windows.apply("wf-1", correction(before, now, 131), SourcePosition(0, 5)) is Effect.LATE
    assert windows.final(closed).calls == 1
    assert len(windows) == 1


# -- results


def test_a_result_names_its_window_and_its_key() -> None:
    result = windows_of(call(105), value="line-1", dimension=SIP_LINE).result(PaneId("line-1", 100))

    assert (result.dimension, result.value) == ("sip_line", "line-1")
    assert (result.window_start_at, result.window_end_at, result.revision, result.is_final) == (100, 110, 1, False)


def test_a_final_result_differs_from_the_last_only_in_saying_so() -> None:
    windows = windows_of(call(105), call(106))
    last = windows.result(PaneId("wf-1", 100))
    windows.close_due(10_000)

    final = windows.final(PaneId("wf-1", 100))

    assert final.is_final
    assert {**last.to_datum(), "is_final": True} == final.to_datum()


@pytest.mark.parametrize(("dimension", "expected"), [(SIP_LINE, ["wf-1"]), (WORKFLOW, [])])
def test_only_a_sip_lines_windows_count_by_workflow(dimension: Dimension, expected: list[str]) -> None:
    windows = windows_of(call(105), value="x", dimension=dimension)

    assert list(windows.result(PaneId("x", 100)).by_workflow) == expected


# -- rows and memory


def test_changes_are_handed_out_once() -> None:
    windows = windows_of(call(105))

    assert [len(part) for part in windows.pop_changes()] == [1, 1]
    assert [len(part) for part in windows.pop_changes()] == [0, 0]


def test_a_late_call_changes_the_clock_only() -> None:
    windows = windows_of(call(130))
    windows.pop_changes()
    windows.apply("wf-1", call(100, 131), SourcePosition(0, 7))

    assert [len(part) for part in windows.pop_changes()] == [1, 0]


def test_closing_changes_the_clock_only() -> None:
    windows = windows_of(call(100))
    windows.pop_changes()
    windows.close_due(10_000)

    assert [len(part) for part in windows.pop_changes()] == [1, 0]


def test_memory_holds_open_panes_and_no_others() -> None:
    windows = windows_of(*(call(ended_at) for ended_at in range(0, 1_000, 5)))
    for pane_id in windows.close_due(995):
        windows.drop(pane_id)

    assert len(windows) == 3  # those that end after 995 - grace


def test_a_quiet_keys_clock_is_forgotten_and_an_open_one_kept() -> None:
    windows = Windows(WORKFLOW, SETTINGS)
    for offset, (value, ended_at) in enumerate([("quiet", 100), ("open", 101), ("recent", 900)]):
        windows.apply(value, call(ended_at), SourcePosition(0, offset))
    for pane_id in [pane_id for pane_id in windows.close_due(950) if pane_id.value != "open"]:
        windows.drop(pane_id)
    windows.load_pane(PaneId("open", 2_000), Pane())

    assert windows.expire(received_before=500) == ["quiet"]


def test_every_change_of_a_clock_moves_its_version_forward() -> None:
    windows, versions = windows_of(call(100)), []
    for step in range(3):
        windows.apply("wf-1", call(100 + step * 200), SourcePosition(0, step + 1))
        versions.append(windows.pop_changes()[0]["wf-1"].version)
        windows.close_due(150 + step * 200)
        versions.append(windows.pop_changes()[0]["wf-1"].version)

    assert versions == sorted(set(versions))


def test_a_window_whose_row_a_crash_lost_takes_calls_as_long_as_was_settled_when_it_opened() -> None:
    windows = windows_of(call(100), call(101, 141), call(102, 142))  # the last two are late, and slow the clock
    keys, _ = windows.pop_changes()
    assert keys["wf-1"].delay_ms == 40

    again = Windows(WORKFLOW, SETTINGS)
    again.load_key("wf-1", msgpack.decode(msgpack.encode(keys["wf-1"]), type=KeyState))

    assert again.apply("wf-1", call(100), SourcePosition(0, 0)) is Effect.APPLIED
    assert again.apply("wf-1", call(105, 143), SourcePosition(0, 3)) is Effect.LATE
    assert calls_in(again, ("wf-1", 100)) == [1]


# -- random histories


class Entry(NamedTuple):
    """One record of the topic that feeds the windows."""

    value: str
    change: OutcomeChange
    position: SourcePosition


class Told(NamedTuple):
    """One call told to the windows: the n-th call, by which source, how long after the one before, ..."""

    call: int
    value: str
    source: int
    pause: int
    jitter: int
    delay: int
    trusted: bool
    disposition: str


class Replay(NamedTuple):
    """The agent before ours died and sends its last records again."""

    source: int
    records: int


TELLINGS = st.builds(
    Told,
    call=st.integers(0, 5),
    value=st.sampled_from("ab"),
    source=st.integers(0, 2),
    pause=st.sampled_from([0, 1, 3, 12, 45]),
    jitter=st.integers(0, 6),
    delay=st.sampled_from([0, 0, 2, 9, 15, 25, 70, 400]),
    trusted=st.sampled_from([True, True, True, False]),
    disposition=st.sampled_from(["answered", "user_busy", "pre_alert_failure"]),
)
HISTORIES = st.lists(
    st.one_of(TELLINGS, TELLINGS, TELLINGS, st.builds(Replay, st.integers(0, 2), st.integers(1, 6))),
    min_size=1,
    max_size=25,
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("take"), st.integers(1, 6)),
        st.tuples(st.just("publish"), st.integers(1, 3)),
        st.tuples(st.just("commit"), st.just(0)),
        st.tuples(st.just("close"), st.sampled_from([0, 0, 5, 50])),
        st.tuples(st.just("crash"), st.integers(0, 12)),
    ),
    max_size=40,
)


def written(history: list[Told | Replay]) -> list[Entry]:
    """The topic as the agent before ours writes it: corrections of a call as old out, new in, under both keys."""
    entries: list[Entry] = []
    told: dict[int, CallOutcome] = {}
    keys: set[str] = set()
    offsets = [0, 0, 0]
    now = 1_000
    for event in history:
        if isinstance(event, Replay):
            first = offsets[event.source] - event.records
            again = [e for e in entries if e.position.source == event.source and e.position.offset >= first]
            entries.extend(_once(again))
            continue
        now += event.pause
        received_at = now + event.jitter
        trusted = event.trusted or event.value not in keys  # see test_..., a key's first time is a good one
        keys.add(event.value)
        ended_at = received_at - event.delay if trusted else received_at
        new = outcome(workflow_id=event.value, ended_at=ended_at, disposition=event.disposition)
        old = told.get(event.call)
        told[event.call] = new
        position = SourcePosition(event.source, offsets[event.source])
        offsets[event.source] += 1
        parts: list[tuple[str, CallOutcome | None, CallOutcome | None]] = [(event.value, old, new)]
        if old is not None and old.workflow_id != event.value:
            parts = [(old.workflow_id, old, None), (event.value, None, new)]
        for value, removed, added in parts:
            both = change(received_at=received_at, is_event_time_trusted=trusted, removed=removed, added=added)
            entries.append(Entry(value, both, position))
    return entries


def _once(entries: list[Entry]) -> list[Entry]:
    return list({(entry.value, entry.position): entry for entry in sorted(entries, key=lambda e: e.position)}.values())


@dataclass
class Expected:
    """What the model says of a topic."""

    panes: dict[PaneId, list[tuple[int, CallOutcome]]] = field(default_factory=lambda: defaultdict(list))
    late: set[tuple[str, SourcePosition]] = field(default_factory=set)


def model(entries: list[Entry]) -> Expected:
    """Each record once, in order. A pane takes what is received until its end, a grace, and its key's delay then."""
    expected, delays, seen = Expected(), defaultdict[str, list[int]](list), set[tuple[str, SourcePosition]]()
    closes: dict[PaneId, int] = {}
    for value, record, position in entries:
        if (value, position) in seen:
            continue
        seen.add((value, position))
        known = delays[value][-CLOCK_CALLS:]
        delay = sorted(known)[:2][-1] if known else None
        parts = [(s, o, PaneId(value, o.ended_at // WINDOW * WINDOW)) for s, o in sides(record)]
        ends = [closes.get(p, (delay if delay is not None else 10**9) + p.start + WINDOW + GRACE) for _, _, p in parts]
        if any(record.received_at >= end for end in ends):
            expected.late.add((value, position))
        else:
            for sign, told, pane_id in parts:
                wait = record.received_at - told.ended_at if delay is None else delay
                closes.setdefault(pane_id, wait + pane_id.start + WINDOW + GRACE)
                expected.panes[pane_id].append((sign, told))
        if record.added is not None and record.is_event_time_trusted:
            delays[value].append(record.received_at - record.added.ended_at)
    return expected


def sides(record: OutcomeChange) -> list[tuple[int, CallOutcome]]:
    return [(sign, told) for sign, told in ((-1, record.removed), (1, record.added)) if told is not None]


def as_sent(result: WindowedOutcomes) -> WindowedOutcomes:
    """The result as it was at this moment, as the agent encodes it at once: its lists are the pane's own."""
    return WindowedOutcomes.from_datum(result.to_datum())


class Unit(NamedTuple):
    """One unit of the agent's pipeline."""

    rows_end: int
    results: list[WindowedOutcomes]
    late: list[tuple[str, SourcePosition]]
    cleared: list[PaneId]
    read_to: int


class Simulation:
    """The agent around the windows, its changelog, its pipeline and its committed offset."""

    def __init__(self, entries: list[Entry]) -> None:
        self.entries = entries
        self.windows = Windows(WORKFLOW, SETTINGS)
        self.changelog: list[tuple[str | PaneId, int, bytes | None]] = []
        self.durable = 0
        self.units: list[Unit] = []
        self.read = self.settled = self.committed = 0
        self.published: list[WindowedOutcomes] = []
        self.late: set[tuple[str, SourcePosition]] = set()

    def take(self, count: int) -> None:
        late = []
        for value, record, position in self.entries[self.read :][:count]:
            if self.windows.apply(value, record, position) is Effect.LATE:
                late.append((value, position))
        self.read = min(self.read + count, len(self.entries))
        results = [as_sent(self.windows.result(pane_id)) for pane_id in self._store()]
        self.units.append(Unit(len(self.changelog), results, late, [], self.read))

    def close(self, later: int) -> None:
        """The horizon: before the receipt of all that is not committed; beyond all there is when all is."""
        waiting = [entry.change.received_at for entry in self.entries[self.committed :]]
        until = min(waiting) - 1 - later if waiting else 2_000 + later
        due = self.windows.close_due(until)
        self._store()
        finals = [as_sent(self.windows.final(pane_id)) for pane_id in due]
        self.units.append(Unit(len(self.changelog), finals, [], due, self.read))

    def publish(self, count: int) -> None:
        for unit in self.units[:count]:
            self.durable = max(self.durable, unit.rows_end)
            self.published.extend(unit.results)
            self.late.update(unit.late)
            for pane_id in unit.cleared:
                self.windows.drop(pane_id)
                self.changelog.append((pane_id, 0, None))
            self.settled = unit.read_to
        del self.units[:count]

    def commit(self) -> None:
        self.committed = self.settled

    def crash(self, lost: int) -> None:
        del self.changelog[max(self.durable, len(self.changelog) - lost) :]
        self.durable = len(self.changelog)
        self.windows = Windows(WORKFLOW, SETTINGS)
        for key, row in self._recovered():
            if isinstance(key, PaneId):
                self.windows.load_pane(key, msgpack.decode(row, type=Pane))
            else:
                self.windows.load_key(key, msgpack.decode(row, type=KeyState))
        self.units.clear()
        self.read = self.settled = self.committed

    def finish(self) -> None:
        self.take(len(self.entries))
        self.publish(len(self.units))
        self.commit()
        self.close(100_000)
        self.publish(1)

    def _store(self) -> list[PaneId]:
        keys, panes = self.windows.pop_changes()
        self.changelog += [(value, key.version, msgpack.encode(key)) for value, key in keys.items()]
        self.changelog += [(pane_id, pane.revision, msgpack.encode(pane)) for pane_id, pane in panes.items()]
        return list(panes)

    def _recovered(self) -> Iterator[tuple[str | PaneId, bytes]]:
        rows: dict[str | PaneId, tuple[int, bytes]] = {}
        for key, version, row in self.changelog:
            if row is None:
                rows.pop(key, None)
            elif key not in rows or version >= rows[key][0]:
                rows[key] = (version, row)
        return ((key, row) for key, (_, row) in rows.items())


def run(entries: list[Entry], steps: list[tuple[str, int]]) -> Simulation:
    simulation = Simulation(entries)
    for name, number in steps:
        if name == "commit":
            simulation.commit()
        else:
            getattr(simulation, name)(number)
    simulation.finish()
    return simulation


def pane_of(result: WindowedOutcomes) -> PaneId:
    return PaneId(result.value, result.window_start_at)


def finals_of(simulation: Simulation) -> dict[PaneId, set[bytes]]:
    finals: dict[PaneId, set[bytes]] = defaultdict(set)
    for result in simulation.published:
        if result.is_final:
            finals[pane_of(result)].add(msgpack.encode(result))
    return finals


in_virtual_time = settings(max_examples=250)


@in_virtual_time
@given(HISTORIES, STEPS)
def test_each_call_is_counted_once_or_late_once_whatever_crashes(
    history: list[Told | Replay], steps: list[tuple[str, int]]
) -> None:
    entries = written(history)
    expected = model(entries)

    simulation = run(entries, steps)

    assert simulation.late == expected.late
    finals = finals_of(simulation)
    assert finals.keys() == expected.panes.keys()
    for pane_id, told in expected.panes.items():
        counts = OutcomeCounts()
        for sign, one in told:
            (counts.add if sign > 0 else counts.remove)(one, by_workflow=False)
        (final,) = [msgpack.decode(row, type=WindowedOutcomes) for row in finals[pane_id]]
        assert {name: getattr(final, name) for name in counts.fields()} == counts.fields()
    assert len(simulation.windows) == 0


@in_virtual_time
@given(HISTORIES, STEPS)
def test_a_result_says_the_same_whenever_it_is_published_again(
    history: list[Told | Replay], steps: list[tuple[str, int]]
) -> None:
    said: dict[tuple[PaneId, int], set[bytes]] = defaultdict(set)
    revisions: dict[PaneId, list[int]] = defaultdict(list)

    for result in run(written(history), steps).published:
        said[pane_of(result), result.revision].add(msgpack.encode({**result.to_datum(), "is_final": None}))
        revisions[pane_of(result)].append(result.revision)

    assert all(len(contents) == 1 for contents in said.values())
    assert all(seen == sorted(seen) for seen in revisions.values())


@in_virtual_time
@given(HISTORIES, STEPS)
def test_a_key_is_counted_as_if_there_were_no_others(
    history: list[Told | Replay], steps: list[tuple[str, int]]
) -> None:
    entries = written(history)
    together = finals_of(run(entries, steps))

    for value in ("a", "b"):
        alone = finals_of(run([entry for entry in entries if entry.value == value], []))
        assert alone == {pane_id: final for pane_id, final in together.items() if pane_id.value == value}


@in_virtual_time
@given(HISTORIES, STEPS)
def test_reading_the_whole_topic_again_when_all_is_closed_counts_nothing(
    history: list[Told | Replay], steps: list[tuple[str, int]]
) -> None:
    entries = written(history)
    windows = run(entries, steps).windows
    windows.pop_changes()

    effects = {windows.apply(*entry) for entry in entries}

    assert effects <= {Effect.DUPLICATE, Effect.LATE}
    assert (len(windows), windows.pop_changes()[1]) == (0, {})
