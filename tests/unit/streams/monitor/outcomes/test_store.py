"""Windows merge exactly, in any order; the newest record of a pane wins; nonsense in a query is refused."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records.outcomes import WindowedOutcomes
from schemas.runtime import instants
from streams.monitor.errors import BadParameterError, NotFoundError
from streams.monitor.outcomes.parameters import instant_of
from streams.monitor.outcomes.periods import WindowQuery, window_seconds
from streams.monitor.outcomes.store import HOUR_MS, RETENTION, OutcomeStore
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.merging import merge
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane, question

counts = st.integers(0, 2**40)
count_maps = st.dictionaries(st.sampled_from(["a", "b", "c", "null", "ü"]), counts, max_size=4)


@st.composite
def panes(draw: st.DrawFn, number: int) -> WindowedOutcomes:
    fields: dict[str, Any] = {
        name: draw(kind) for name, kind in (("calls", counts), ("results", count_maps), ("ring_time_s_sum", counts))
    }
    fields["duration_s_histogram"] = draw(st.lists(counts, min_size=11, max_size=11))
    fields["questions"] = {
        name: question(*draw(st.tuples(counts, counts, counts, counts)))
        for name in draw(st.sets(st.sampled_from("pq")))
    }
    fields["by_workflow"] = {
        name: line_workflow(draw(counts), draw(counts)) for name in draw(st.sets(st.sampled_from("vw")))
    }
    return pane(NOON_MS + number * PANE_MS, revision=draw(counts), is_final=draw(st.booleans()), **fields)


some_panes = st.sets(st.integers(0, 40), min_size=1, max_size=8).flatmap(
    lambda numbers: st.tuples(*(panes(number) for number in sorted(numbers)))
)


def total(windows: list[WindowedOutcomes]) -> Counter[str]:
    """Every count there is, by its path: the ten-line model that merging is held against."""
    found: Counter[str] = Counter()

    def add(path: str, value: Any) -> None:
        if isinstance(value, dict):
            for name, item in value.items():
                add(f"{path}.{name}", item)
        elif isinstance(value, list):
            for i, item in enumerate(value):
                add(f"{path}[{i}]", item)
        elif isinstance(value, int) and not isinstance(value, bool) and not path.endswith("_at"):
            found[path] += value

    for window in windows:
        add("", window.to_datum())
    return +found


def windows_of(members: tuple[WindowedOutcomes, ...], width: int) -> list[WindowedOutcomes]:
    return windows_in(stored(*members), WindowQuery(width * PANE_MS // 1000))


@settings(max_examples=60)
@given(some_panes, st.sampled_from([1, 3, 12, 288]))
def test_merging_loses_and_invents_nothing(members: tuple[WindowedOutcomes, ...], width: int) -> None:
    windows = windows_of(members, width)

    assert total(list(members)) == total(windows)
    assert all(w.window_start_at % (width * PANE_MS) == 0 for w in windows)
    assert len({w.window_start_at for w in windows}) == len(windows)


@settings(max_examples=60)
@given(some_panes, st.randoms())
def test_merging_is_the_same_in_any_order(members: tuple[WindowedOutcomes, ...], random: Any) -> None:
    shuffled = list(members)
    random.shuffle(shuffled)

    assert merge(list(members), 0, 1, is_final=True) == merge(shuffled, 0, 1, is_final=True)


@settings(max_examples=60)
@given(some_panes)
def test_five_minutes_into_an_hour_is_five_into_fifteen_into_an_hour(members: tuple[WindowedOutcomes, ...]) -> None:
    for hour in windows_of(members, 12):
        inside = [w for w in windows_of(members, 3) if hour.window_start_at <= w.window_start_at < hour.window_end_at]
        assert total([hour]) == total([merge(inside, 0, 1, is_final=False)])


def windows_in(store: OutcomeStore, query: WindowQuery) -> list[WindowedOutcomes]:
    """The windows of workflow wf-1, in order of time."""
    return [laid.window() for laid in store.laid(WORKFLOW, "wf-1", query)]


def stored(*records: WindowedOutcomes) -> OutcomeStore:
    store = OutcomeStore()
    for record in records:
        store.put(WORKFLOW, record, NOON_MS)
    return store


def calls(store: OutcomeStore, window_s: int = 300, **query: Any) -> list[int]:
    return [w.calls for w in windows_in(store, WindowQuery(window_s, **query))]


def test_of_two_records_of_a_pane_the_higher_revision_stays() -> None:
    assert calls(stored(pane(calls=5, revision=2), pane(calls=4, revision=1))) == [5]


def test_a_correction_after_the_final_record_replaces_it() -> None:
    assert calls(stored(pane(calls=5, revision=2, is_final=True), pane(calls=6, revision=3, is_final=True))) == [6]


def test_an_open_record_of_the_same_revision_does_not_reopen_a_final_one() -> None:
    [window] = windows_in(stored(pane(is_final=True), pane()), WindowQuery(300))

    assert window.is_final


def test_a_tombstone_forgets_the_pane_and_the_value_with_its_last() -> None:
    store = stored(pane(value="a|b"))
    store.delete(WORKFLOW, f"a|b|{NOON_MS}".encode())

    assert store.values(WORKFLOW) == []


@pytest.mark.parametrize("key", [b"", b"wf-1", b"wf-1|", b"wf-1|x", b"wf-2|1", b"\xff|1"])
def test_a_tombstone_of_something_else_changes_nothing(key: bytes) -> None:
    store = stored(pane())
    store.delete(WORKFLOW, key)

    assert len(windows_in(store, WindowQuery(300))) == 1


def test_panes_leave_as_long_after_arrival_as_the_topic_keeps_them_whatever_their_event_time() -> None:
    store = stored(pane(NOON_MS - int(timedelta(days=900).total_seconds() * 1000)), pane())
    horizon = NOON_MS + int(RETENTION.total_seconds() * 1000)

    assert (store.expire(horizon), store.expire(horizon + 1)) == (0, 2)
    assert store.values(WORKFLOW) == []


def test_a_value_never_seen_is_not_found() -> None:
    with pytest.raises(NotFoundError):
        OutcomeStore().check(SIP_LINE, "nope")


def three() -> OutcomeStore:
    return stored(*(pane(NOON_MS + i * PANE_MS, calls=i + 1) for i in range(3)))


def test_from_and_to_choose_the_windows_they_overlap() -> None:
    assert calls(three(), from_ms=NOON_MS + PANE_MS, to_ms=NOON_MS + PANE_MS + 1) == [2]
    assert calls(three(), from_ms=NOON_MS + PANE_MS - 1, to_ms=NOON_MS + 2 * PANE_MS) == [1, 2]
    assert calls(three(), to_ms=NOON_MS) == []


def test_a_merged_window_is_never_cut_by_from_or_to() -> None:
    # 13:25 lies in the quarter of 13:15, 13:30 and 13:35 in that of 13:30
    assert calls(three(), window_s=900, from_ms=NOON_MS + 2 * PANE_MS) == [5]
    assert calls(three(), window_s=900, to_ms=NOON_MS + 1) == [1]


def test_a_limit_keeps_the_newest_windows_whole() -> None:
    assert calls(three(), window_s=900, limit=1) == [5]


@pytest.mark.parametrize(
    ("finals", "expected"),
    [((True, True, True), True), ((True, False, True), False), ((True, True, None), False), ((None, None, True), True)],
)
def test_a_merged_window_is_final_when_its_panes_are_and_time_went_past(
    finals: tuple[bool | None, ...], expected: bool
) -> None:
    quarter = NOON_MS + PANE_MS
    records = [pane(quarter + i * PANE_MS, is_final=final) for i, final in enumerate(finals) if final is not None]
    [window] = windows_in(stored(*records), WindowQuery(900))

    assert expected == window.is_final


@pytest.mark.parametrize(
    ("text", "seconds"), [("5m", 300), ("300s", 300), ("300", 300), ("15m", 900), ("1h", 3600), ("1d", 86_400)]
)
def test_a_window_is_a_multiple_of_the_pane(text: str, seconds: int) -> None:
    assert seconds == window_seconds(text, 300)


@pytest.mark.parametrize("text", ["", "m", "0", "0m", "7m", "301", "-5m", "5 m", "1w", "²m", "1.5h", "9" * 30, "32d"])
def test_any_other_window_is_refused(text: str) -> None:
    with pytest.raises(BadParameterError):
        window_seconds(text, 300)


@pytest.mark.parametrize(
    "text",
    ["2024-03-11T13:25:00Z", "2024-03-11T13:25:00", "2024-03-11T14:25:00+01:00", "2024-03-11T14:25:00 01:00"],
)
def test_an_instant_is_read_in_utc_even_when_its_plus_was_not_escaped(text: str) -> None:
    assert instants.text(instant_of("from", text)) == "2024-03-11T13:25:00Z"


@pytest.mark.parametrize("text", ["", "yesterday", "2024-13-01", "1710163500", "2024-03-11T25:00:00Z", "x" * 999])
def test_what_is_no_instant_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadParameterError, match="from"):
        instant_of("from", text)


def test_of_more_panes_than_there_is_room_for_the_oldest_hours_go() -> None:
    store = OutcomeStore()
    for hour in range(10):
        for line in range(3):
            appended_at = NOON_MS + hour * HOUR_MS
            store.put(WORKFLOW, pane(NOON_MS + hour * 12 * PANE_MS, value=f"wf-{line}", calls=1), appended_at)

    assert store.trim(30) is None
    horizon = store.trim(20)
    left = [laid for line in range(3) for laid in store.laid(WORKFLOW, f"wf-{line}", WindowQuery(300))]

    assert (store.count, len(left)) == (18, 18)
    assert horizon is not None
    assert min(laid.start_at for laid in left) == NOON_MS + 4 * 12 * PANE_MS
    assert horizon <= NOON_MS + 4 * HOUR_MS


def test_the_count_of_panes_follows_every_change() -> None:
    store = OutcomeStore()
    for revision in (1, 2):
        store.put(WORKFLOW, pane(revision=revision, calls=1), NOON_MS)
    store.put(WORKFLOW, pane(NOON_MS + PANE_MS, calls=1), NOON_MS)
    assert store.count == 2

    store.delete(WORKFLOW, f"wf-1|{NOON_MS}".encode())
    assert store.count == 1

    store.expire(NOON_MS + 40 * 24 * HOUR_MS)
    assert store.count == 0


def test_a_long_range_costs_no_more_than_there_are_panes() -> None:
    class Counted(dict[int, Any]):
        looked = 0

        def get(self, key: int, default: Any = None) -> Any:
            self.looked += 1
            return super().get(key, default)

    store = OutcomeStore()
    for number in (2, 0, 1, 5):
        store.put(WORKFLOW, pane(NOON_MS + number * PANE_MS), NOON_MS)
    panes = Counted(store._panes[WORKFLOW]["wf-1"])
    store._panes[WORKFLOW]["wf-1"] = panes
    kept = store.kept(WORKFLOW, "wf-1", range(NOON_MS - 100_000 * PANE_MS, NOON_MS + 3 * PANE_MS, PANE_MS))

    assert [start for start, _ in kept] == [NOON_MS + number * PANE_MS for number in range(3)]
    assert panes.looked <= len(panes)
