"""A key's clock is what several of its calls agree on: one call with a wrong clock makes nobody late for good."""

from __future__ import annotations

from typing import Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.records.outcomes import OutcomeChange
from streams.rules.calls import SourcePosition
from streams.rules.clocks import CLOCK_CALLS, FAR_MS, MAX_CLOSED, Clock, KeyState, agreed_delay_ms
from streams.rules.dimensions import WORKFLOW
from streams.rules.panes import PaneId
from streams.rules.windows import ClockChange, Effect, Windows, WindowSettings
from tests.support.records import change, outcome

MINUTE: Final = 60_000
HOUR: Final = 60 * MINUTE
YEAR: Final = 365 * 24 * HOUR
SETTINGS: Final = WindowSettings(5 * MINUTE, HOUR)
NOW: Final = 1_790_000_100_000


def call(received_at: int, delay_ms: int, source: str = "provider") -> OutcomeChange:
    """One new call; its event time is its receipt unless the provider's own is used."""
    return change(
        received_at=received_at,
        is_event_time_trusted=source == "provider",
        ended_at_source=source,
        added=outcome(ended_at=received_at - delay_ms if source == "provider" else received_at),
    )


class Run:
    """Windows that are fed call after call, and closed before each as the worker would."""

    def __init__(self, *, closes: bool = True) -> None:
        self.windows = Windows(WORKFLOW, SETTINGS)
        self.closes = closes
        self.offset = 0

    def take(self, one: OutcomeChange) -> Effect:
        if self.closes:
            for pane_id in self.windows.close_due(one.received_at - 1):
                self.windows.drop(pane_id)
        self.offset += 1
        return self.windows.apply("wf-1", one, SourcePosition(0, self.offset))


class Odd(NamedTuple):
    """One call that is not as the others of its key."""

    place: int
    delay_ms: int
    source: str


ODD: Final = st.builds(
    Odd,
    place=st.integers(0, 60),
    delay_ms=st.sampled_from([-4 * MINUTE, 0, MINUTE, HOUR, 5 * HOUR, 20 * HOUR, YEAR]),
    source=st.sampled_from(["provider", "provider", "unreadable", "future", "implausible"]),
)


@settings(max_examples=300)
@given(
    usual=st.sampled_from([0, 40 * MINUTE, 2 * HOUR, 7 * HOUR, 14 * HOUR, 30 * HOUR, 2 * YEAR]),
    jitters=st.lists(st.integers(0, 40 * MINUTE), min_size=2, max_size=60),
    pause=st.sampled_from([1000, MINUTE, 20 * MINUTE, 9 * HOUR]),
    odd=ODD,
    closes=st.booleans(),
)
def test_no_single_call_makes_the_later_calls_of_its_key_late_for_good(
    usual: int, jitters: list[int], pause: int, odd: Odd, closes: bool
) -> None:
    """At most the call that the odd one alone was there to judge, and those of the odd one's own window, are late."""
    run, now, late = Run(closes=closes), NOW, list[int]()
    odd_window = None
    for number, jitter in enumerate(jitters):
        now += pause
        if number == odd.place:
            strange = call(now, odd.delay_ms, odd.source)
            assert strange.added is not None
            odd_window = strange.added.ended_at // SETTINGS.window_ms
            run.take(strange)
        one = call(now, usual + jitter)
        assert one.added is not None
        if run.take(one) is Effect.LATE and one.added.ended_at // SETTINGS.window_ms != odd_window:
            late.append(number)

    assert late in ([], [odd.place])
    assert not late or odd.place == 0, "only before any other call was known"


@pytest.mark.parametrize("source", ["unreadable", "future", "implausible"])
@pytest.mark.parametrize("usual", [5 * HOUR, 2 * YEAR])
def test_a_first_call_without_a_time_closes_its_own_window_and_no_other(source: str, usual: int) -> None:
    run = Run()
    run.take(call(NOW, 0, source))

    later = [call(NOW + 2 * HOUR + n * MINUTE, usual) for n in range(400)]
    late = [one.added.ended_at for one in later if run.take(one) is Effect.LATE and one.added is not None]

    assert {ended_at // SETTINGS.window_ms for ended_at in late} <= {NOW // SETTINGS.window_ms}


def test_a_call_without_a_time_among_calls_of_years_ago_has_its_window_final_after_its_grace() -> None:
    run = Run(closes=False)
    for n in range(4):
        run.take(call(NOW + n, 2 * YEAR))
    run.take(call(NOW, 0, "unreadable"))

    due = run.windows.close_due(NOW + 2 * HOUR)

    assert NOW - NOW % SETTINGS.window_ms in [pane_id.start for pane_id in due]


def test_a_call_without_a_time_among_calls_of_hours_ago_leaves_its_window_open_for_them() -> None:
    run = Run()
    for n in range(4):
        run.take(call(NOW + n, 5 * HOUR))
    run.take(call(NOW, 0, "unreadable"))

    assert run.take(call(NOW + 5 * HOUR, 5 * HOUR)) is Effect.APPLIED
    assert run.windows.result(PaneId("wf-1", NOW - NOW % SETTINGS.window_ms)).calls == 2


def test_a_zone_set_wrong_one_day_makes_calls_late_for_hours_at_most() -> None:
    run = Run()
    for n in range(100):
        run.take(call(NOW + n * MINUTE, 0))
    wrong_since = NOW + 100 * MINUTE

    effects = [run.take(call(wrong_since + n * MINUTE, 7 * HOUR)) for n in range(24 * 60)]

    assert Effect.LATE in effects
    assert set(effects[8 * 60 :]) == {Effect.APPLIED}


def test_a_window_that_was_closed_stays_closed_however_the_clock_turns() -> None:
    run = Run()
    run.take(call(NOW, 0))
    for n in range(CLOCK_CALLS * 2):
        run.take(call(NOW + 3 * HOUR + n, 2 * HOUR))

    assert run.take(call(NOW + 3 * HOUR + 1000, 3 * HOUR + 1000)) is Effect.LATE


@pytest.mark.parametrize(
    ("delays", "expected"),
    [([7], 7), ([7, 0], 7), ([0, 7, 0], 0), ([9, 1, 5], 5), ([0, 0, 0, *[9] * 29], 9), ([0, 0, 0, 0, *[9] * 28], 0)],
)
def test_a_clock_is_a_small_delay_that_some_agree_on(delays: list[int], expected: int) -> None:
    assert agreed_delay_ms(delays) == expected


def test_a_clock_forgets_all_but_the_latest_calls() -> None:
    key = KeyState()
    for n in range(CLOCK_CALLS * 3):
        key.observe(call(NOW + n, n))

    assert key.delays == list(range(CLOCK_CALLS * 2, CLOCK_CALLS * 3))


def test_ranges_of_closed_windows_that_meet_are_one() -> None:
    key = KeyState()
    for start in (30, 10, 50, 20):
        key.close(start, start + 10)

    assert key.closed == [(10, 40), (50, 60)]
    assert [key.is_closed(start, start + 10) for start in (0, 10, 30, 40, 50, 60)] == [
        False,
        True,
        True,
        False,
        True,
        False,
    ]


def test_so_many_ranges_are_remembered_apart_and_all_before_them_is_closed() -> None:
    key = KeyState()
    for n in range(MAX_CLOSED + 3):
        key.close(100 * n, 100 * n + 10)

    assert (len(key.closed), key.closed_until) == (MAX_CLOSED, 210)
    assert key.is_closed(150, 160)
    assert not key.is_closed(350, 360)


@pytest.mark.parametrize(
    ("why", "calls", "expected"),
    [
        ("live", [(0, "provider")] * 40, []),
        ("one alone says nothing", [(7 * HOUR, "provider")], []),
        ("two agree", [(7 * HOUR, "provider")] * 40, [(Clock.BEHIND, 7 * HOUR)]),
        (
            "and back",
            [*[(7 * HOUR, "provider")] * 3, *[(0, "provider")] * 40, *[(0, "provider")] * 9],
            [(Clock.BEHIND, 7 * HOUR), (Clock.NEAR, 0)],
        ),
        ("ahead", [(0, "future")] * 40, [(Clock.AHEAD, 0)]),
        ("unreadable is neither", [(0, "unreadable")] * 9, []),
        (
            "no end of lines at the edge",
            [(FAR_MS, "provider"), (FAR_MS - 1, "provider")] * 40,
            [(Clock.BEHIND, FAR_MS)],
        ),
    ],
)
def test_a_key_hours_away_from_its_receipts_is_reported_once(
    why: str, calls: list[tuple[int, str]], expected: list[tuple[Clock, int]]
) -> None:
    run = Run(closes=False)
    for number, (delay_ms, source) in enumerate(calls):
        run.take(call(NOW + number, delay_ms, source))

    assert run.windows.pop_clock_changes() == [ClockChange("wf-1", *one) for one in expected], why
    assert run.windows.pop_clock_changes() == []
    far = expected[-1][0] if expected else Clock.NEAR
    assert list(run.windows.far_clocks()) == ([] if far is Clock.NEAR else [far])


def test_a_far_clock_is_known_after_a_restart_and_not_reported_again() -> None:
    run = Run(closes=False)
    for number in range(3):
        run.take(call(NOW + number, 7 * HOUR))
    keys, _ = run.windows.pop_changes()
    again = Run(closes=False)
    again.windows.load_key("wf-1", keys["wf-1"])
    again.offset = run.offset
    again.take(call(NOW + 9, 7 * HOUR))

    assert (list(again.windows.far_clocks()), again.windows.pop_clock_changes()) == ([Clock.BEHIND], [])


def test_what_a_result_tells_of_had_happened_when_it_is_written() -> None:
    run = Run(closes=False)
    run.take(call(NOW, 0))
    pane_id = PaneId("wf-1", NOW - NOW % SETTINGS.window_ms)

    assert run.windows.result_at(pane_id) == NOW
    run.take(call(NOW + HOUR // 2, HOUR // 2))
    assert run.windows.result_at(pane_id) == pane_id.start + SETTINGS.window_ms
