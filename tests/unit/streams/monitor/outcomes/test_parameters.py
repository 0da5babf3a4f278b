"""What is asked for is what is answered, in bounded parts; what cannot be meant is refused by name."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.records.outcomes import WindowedOutcomes
from schemas.runtime import instants
from streams.monitor.errors import BadParameterError
from streams.monitor.outcomes import paging
from streams.monitor.outcomes.paging import Cursor
from streams.monitor.outcomes.parameters import refuse_unknown, window_request
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.outcomes.views import dimension_view, value_view
from streams.rules.dimensions import WORKFLOW
from tests.support.panes import NOON_MS, PANE_MS, pane

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
MIDNIGHT_MS = NOON_MS - NOON_MS % DAY_MS  # 2024-03-11T00:00:00Z, a Monday


def stored(*records: WindowedOutcomes) -> OutcomeStore:
    store = OutcomeStore()
    for record in records:
        store.put(WORKFLOW, record, record.window_start_at)
    return store


def asked(store: OutcomeStore, *parameters: tuple[str, str], value: str | None = "wf-1", now: int = NOON_MS) -> Any:
    question = window_request(parameters, store, WORKFLOW, value, 300, now)
    return (dimension_view(store, question) if value is None else value_view(store, value, question))[0]


def calls(store: OutcomeStore, *parameters: tuple[str, str], now: int = NOON_MS) -> list[tuple[str, int]]:
    return [(w["window_start_at"], w["calls"]) for w in asked(store, *parameters, now=now)["windows"]]


@pytest.mark.parametrize(
    "parameters",
    [
        [("bogus", "1")],
        [("From", "2024-03-11T00:00:00Z")],
        [("window", "5m"), ("window", "1h")],
        [("from", "2024-03-11T00:00:00Z"), ("to", "2024-03-11T00:00:00Z")],
        [("from", "2024-03-11T00:00:01Z"), ("to", "2024-03-11T00:00:00Z")],
        [("limit", "0" * 9 + "1" * 5000)],
        [("limit", "9" * 5000)],
        [("limit", "-1")],
        [("limit", "٣")],
        [("window", "1h"), ("tz", "Asia/Jakarta")],
        [("tz", "Asia/Jakarta")],
        [("window", "1d"), ("tz", "../../etc/passwd")],
        [("window", "1d"), ("tz", "Asia")],
        [("window", "1d"), ("tz", "")],
        [("window", "all"), ("tz", "UTC")],
        [("after", "x")],
        [("after", "wf|" + "9" * 5000)],
    ],
)
def test_what_cannot_be_meant_is_refused(parameters: list[tuple[str, str]]) -> None:
    with pytest.raises(BadParameterError):
        asked(stored(pane()), *parameters)


def test_a_path_without_parameters_refuses_all() -> None:
    with pytest.raises(BadParameterError, match="there are none"):
        refuse_unknown([("x", "1")], frozenset())


@pytest.mark.parametrize("instant", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59-12:00"])
@pytest.mark.parametrize("more", [[], [("window", "1d"), ("tz", "Pacific/Auckland")], [("window", "all")]])
@pytest.mark.parametrize("bound", ["from", "to"])
def test_instants_at_the_calendars_ends_are_answered(bound: str, instant: str, more: list[tuple[str, str]]) -> None:
    assert "windows" in asked(stored(pane()), (bound, instant), *more)


def test_without_from_it_is_the_last_day() -> None:
    store = stored(pane(NOON_MS - 25 * HOUR_MS, calls=1), pane(NOON_MS - 23 * HOUR_MS, calls=2), pane(calls=3))

    assert [n for _, n in calls(store, now=NOON_MS + 1)] == [2, 3]
    assert [n for _, n in calls(store, ("to", instants.text(NOON_MS - 2 * HOUR_MS)))] == [1, 2]
    assert [n for _, n in calls(store, ("from", "2024-03-01T00:00:00Z"))] == [1, 2, 3]


def test_of_a_value_that_is_long_silent_the_last_day_is_its_own() -> None:
    assert [n for _, n in calls(stored(pane(calls=3)), now=NOON_MS + 900 * DAY_MS)] == [3]


def test_a_pane_dated_ahead_of_now_does_not_move_the_last_day() -> None:
    ahead = pane(NOON_MS + 20 * HOUR_MS, value="foreign")
    store = stored(pane(NOON_MS - 23 * HOUR_MS, calls=2), pane(calls=3))
    store.put(WORKFLOW, ahead, NOON_MS)
    [ours] = [v for v in asked(store, value=None)["values"] if v["value"] == "wf-1"]

    assert [w["calls"] for w in ours["windows"]] == [2, 3]


def test_days_are_those_of_the_zone() -> None:
    # 17:00 UTC is midnight in Jakarta
    store = stored(pane(MIDNIGHT_MS + 17 * HOUR_MS - PANE_MS, calls=1), pane(MIDNIGHT_MS + 17 * HOUR_MS, calls=2))
    now = MIDNIGHT_MS + 18 * HOUR_MS

    assert calls(store, ("window", "1d"), now=now) == [("2024-03-11T00:00:00Z", 3)]
    assert calls(store, ("window", "1d"), ("tz", "Asia/Jakarta"), now=now) == [
        ("2024-03-10T17:00:00Z", 1),
        ("2024-03-11T17:00:00Z", 2),
    ]


def test_a_day_on_which_the_clocks_change_is_as_long_as_it_is() -> None:
    march_10 = 1_710_046_800_000  # 2024-03-10T05:00:00Z, New York's midnight; 23 hours to the next
    store = stored(pane(march_10, calls=1), pane(march_10 + 23 * HOUR_MS, calls=2))
    found = asked(store, ("window", "1d"), ("tz", "America/New_York"), now=march_10 + DAY_MS)["windows"]

    assert [(w["window_start_at"], w["window_end_at"]) for w in found] == [
        ("2024-03-10T05:00:00Z", "2024-03-11T04:00:00Z"),
        ("2024-03-11T04:00:00Z", "2024-03-12T04:00:00Z"),
    ]


def test_all_is_one_exact_total_over_the_panes_of_the_range() -> None:
    store = stored(*(pane(NOON_MS + i * PANE_MS, calls=2**i) for i in range(4)))
    span = [("from", instants.text(NOON_MS + PANE_MS + 60_000)), ("to", instants.text(NOON_MS + 2 * PANE_MS + 1000))]
    answer = asked(store, ("window", "all"), *span, now=NOON_MS + HOUR_MS)

    assert [(w["window_start_at"], w["window_end_at"], w["calls"]) for w in answer["windows"]] == [
        (instants.text(NOON_MS + PANE_MS), instants.text(NOON_MS + 3 * PANE_MS), 2 + 4)
    ]
    assert answer["window_s"] == 600


def test_a_window_is_counting_then_settling_then_final() -> None:
    def phase(now: int, **kind: Any) -> str:
        return str(asked(stored(pane(**kind)), now=now)["windows"][0]["phase"])

    assert phase(NOON_MS + PANE_MS - 1) == "counting"
    assert phase(NOON_MS + PANE_MS) == "settling"
    assert phase(NOON_MS + PANE_MS, is_final=True) == "final"


def test_an_hour_in_which_a_line_died_is_final_when_time_went_past_it_for_others() -> None:
    hour = NOON_MS - NOON_MS % HOUR_MS
    died = [pane(hour + i * PANE_MS, is_final=True) for i in range(3)]
    alive = [pane(hour + i * PANE_MS, value="alive", is_final=True) for i in range(12)]
    [early] = asked(stored(*died, *alive[:11]), ("window", "1h"))["windows"]
    [late] = asked(stored(*died, *alive), ("window", "1h"))["windows"]

    assert (early["is_final"], late["is_final"]) == (False, True)


@pytest.mark.parametrize(("windows", "panes"), [(7, 10_000), (10_000, 7)])
def test_a_large_answer_comes_in_bounded_parts_that_add_up(
    monkeypatch: pytest.MonkeyPatch, windows: int, panes: int
) -> None:
    monkeypatch.setattr(paging, "MAX_WINDOWS", windows)
    monkeypatch.setattr(paging, "MAX_PANES", panes)
    store = stored(*(pane(NOON_MS - i * PANE_MS, value=v) for v in ("a", "b|c", "d\n") for i in range(10)))
    seen: list[tuple[str, str]] = []
    more: Cursor | None = None
    for _ in range(20):
        after = [("after", str(more))] if more else []
        question = window_request(after, store, WORKFLOW, None, 300, NOON_MS)
        body, more = dimension_view(store, question)
        part = [(v["value"], w["window_start_at"]) for v in body["values"] for w in v["windows"]]
        assert 0 < len(part) <= 7
        seen += part
        if more is None:
            break

    assert seen == sorted(seen)
    assert len(set(seen)) == len(seen) == 30


def test_one_window_is_given_whatever_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(paging, "MAX_PANES", 2)
    store = stored(*(pane(NOON_MS - i * PANE_MS, calls=1) for i in range(5)))

    assert [n for _, n in calls(store, ("window", "all"))] == [5]


def test_a_bound_ahead_of_now_does_not_move_the_last_day() -> None:
    store = stored(pane())

    assert calls(store, ("to", "2030-01-01T00:00:00Z")) == calls(store) != []
