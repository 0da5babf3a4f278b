"""Counters of calls: as exact as the windows, and never lower than before."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.outcomes.counters import MAX_QUESTIONS, CallCounters
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW, Dimension
from streams.rules.labels import OTHER, Labels
from tests.support.panes import NOON_MS, PANE_MS, pane, question


@dataclass
class Counting:
    """A store, and the counters that are told of it."""

    caps: dict[Dimension, int] = field(default_factory=dict)
    is_counting: bool = True

    def __post_init__(self) -> None:
        self.labels = {one: Labels(self.caps.get(one, one.max_labels)) for one in DIMENSIONS}
        self.counters = CallCounters(self.labels, lambda: self.is_counting)
        self.store = OutcomeStore()
        self.store.observe(self.counters.observe)
        self.revision = 0

    def put(self, dimension: Dimension = SIP_LINE, value: str = "line", start: int = NOON_MS, **counts: Any) -> None:
        self.revision += 1
        record = pane(start, dimension=dimension.name, value=value, revision=self.revision, **counts)
        self.store.put(dimension, record, NOON_MS)

    def samples(self) -> dict[str, float]:
        for dimension in DIMENSIONS:
            self.labels[dimension].keep(self.store.values(dimension))
            self.counters.drop_gone(dimension)
        return {
            " ".join([sample.name, *sample.labels.values()]): sample.value
            for family in self.counters.families()
            for sample in family.samples
        }


def test_a_counter_grows_by_what_a_pane_grew() -> None:
    counting = Counting()
    counting.put(attempt_dispositions={"answered": 3, "no_answer": 2})
    counting.put(attempt_dispositions={"answered": 4, "no_answer": 2})
    counting.put(start=NOON_MS + PANE_MS, attempt_dispositions={"answered": 1})
    found = counting.samples()

    assert found["call_attempts_total line answered"] == 5
    assert found["call_attempts_total line no_answer"] == 2
    assert found["call_attempts_total line user_busy"] == 0, "there from the start, for increase() to see the first"


def test_a_counter_stands_still_after_a_correction_until_it_is_true_again() -> None:
    counting, seen = Counting(), []
    for answered in (10, 7, 8, 10, 11):
        counting.put(attempt_dispositions={"answered": answered})
        seen.append(counting.samples()["call_attempts_total line answered"])

    assert seen == [10, 10, 10, 10, 11]


def test_what_was_there_before_is_not_counted_but_its_growth_is() -> None:
    counting = Counting(is_counting=False)
    counting.put(attempt_dispositions={"answered": 1000})
    counting.is_counting = True
    counting.put(attempt_dispositions={"answered": 1002})

    assert counting.samples()["call_attempts_total line answered"] == 2


def test_a_pane_that_is_deleted_or_expires_takes_nothing_away() -> None:
    counting = Counting()
    counting.put(ring_types={"busy": 4})
    counting.put(start=NOON_MS - PANE_MS, ring_types={"busy": 3, "new-word": 2})
    counting.store.delete(SIP_LINE, f"line|{NOON_MS}".encode())

    assert counting.samples()["call_ring_type_total line busy"] == 7
    assert counting.samples()["call_ring_type_total line other"] == 2


def test_the_series_of_a_value_that_is_gone_vanish_and_begin_anew() -> None:
    counting = Counting()
    counting.put(attempt_dispositions={"answered": 5})
    counting.store.expire(NOON_MS + 31 * 86_400_000)
    assert counting.samples() == {}
    counting.put(start=NOON_MS + PANE_MS, attempt_dispositions={"answered": 2})

    assert counting.samples()["call_attempts_total line answered"] == 2


def test_values_and_questions_beyond_the_cap_are_counted_as_others() -> None:
    counting = Counting(caps={WORKFLOW: 1})
    names = {f"q{number:03}": question(completed=2) for number in range(MAX_QUESTIONS + 3)}
    counting.put(WORKFLOW, "wf-1", questions=names)
    counting.put(WORKFLOW, "wf-2", calls=3, dispositions={"bad_number": 1})
    counting.put(WORKFLOW, "wf-3", calls=4, answered=4)
    found = counting.samples()

    assert len({series.split()[2] for series in found if series.startswith("answer_total wf-1")}) == MAX_QUESTIONS + 1
    assert found[f"answer_total wf-1 {OTHER} answered"] == 6
    assert found[f"call_contacts_total {OTHER} unreached"] == 2
    assert found[f"call_contacts_total {OTHER} bad_number"] == 1
    assert found[f"call_contacts_total {OTHER} answered"] == 4
    assert not [series for series in found if " wf-2" in series or " wf-3" in series]
    assert counting.counters.questions_dropped == 3


def test_a_histogram_has_the_windows_buckets_its_sum_and_its_count() -> None:
    counting = Counting()
    counting.put(duration_s_histogram=[1, 0, 2, *[0] * 7, 4], answered_duration_s_sum=5000)
    found = counting.samples()

    assert [found[f"call_duration_seconds_bucket line {edge}"] for edge in ("1.0", "3.0", "6.0", "600.0")] == [
        1,
        1,
        3,
        3,
    ]
    assert found["call_duration_seconds_bucket line +Inf"] == found["call_duration_seconds_count line"] == 7
    assert found["call_duration_seconds_sum line"] == 5000


def test_every_count_of_the_catalogue_is_there() -> None:
    counting = Counting()
    counting.put(
        never_rang_conflicts=3,
        call_times_conflicts=2,
        contradictions={"talked_no_seconds": 1},
        answered_ring_time_s_histogram=[0, 1, *[0] * 9],
        unanswered_ring_time_s_histogram=[0, 2, *[0] * 9],
        ring_time_s_sum=9,
    )
    counting.put(
        WORKFLOW,
        "wf",
        answered_on_attempt={"1": 4, "5+": 1},
        questions={"q": question(completed=1, skipped=2, broke_off=3, not_reached=4)},
    )
    found = counting.samples()

    assert [found[f"call_class_conflict_total line {rule}"] for rule in ("never_rang", "call_times")] == [3, 2]
    assert found["call_class_conflict_total line talked_no_seconds"] == 1
    assert (found["call_ring_seconds_count line"], found["call_ring_seconds_sum line"]) == (3, 9)
    assert [found[f"call_answered_on_attempt_total wf {number}"] for number in ("1", "2", "5+")] == [4, 0, 1]
    states = ("answered", "skipped", "broke_off", "not_reached")
    assert [found[f"answer_total wf q {state}"] for state in states] == [1, 2, 3, 4]


def test_a_record_of_others_with_too_few_buckets_breaks_nothing() -> None:
    counting = Counting()
    counting.put(duration_s_histogram=[5])

    assert counting.samples()["call_duration_seconds_count line"] == 5


@given(st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 9), min_size=11, max_size=11)), max_size=12))
def test_no_counter_ever_goes_down_and_no_bucket_below_a_smaller_one(history: list[tuple[int, list[int]]]) -> None:
    counting, seen = Counting(), [dict[str, float]()]
    for number, buckets in history:
        start = NOON_MS + number * PANE_MS
        counting.put(start=start, duration_s_histogram=buckets, answered_duration_s_sum=sum(buckets))
        seen.append(counting.samples())

    for before, after in pairwise(seen):
        assert all(after[series] >= value for series, value in before.items())
    edges = [value for series, value in seen[-1].items() if series.startswith("call_duration_seconds_bucket")]
    assert edges == sorted(edges)


def recount(store: OutcomeStore, panes: int) -> int:
    starts = range(NOON_MS, NOON_MS + panes * PANE_MS, PANE_MS)
    windows: list[WindowedOutcomes] = store.trailing(SIP_LINE, "line", starts)
    return sum(window.attempt_dispositions.get("answered", 0) for window in windows)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 50)), max_size=20))
def test_after_growth_a_counter_is_what_a_recount_of_the_windows_gives(history: list[tuple[int, int]]) -> None:
    counting = Counting()
    for number, answered in history:
        counting.put(start=NOON_MS + number * PANE_MS, attempt_dispositions={"answered": answered})
    counting.put(start=NOON_MS + 4 * PANE_MS, attempt_dispositions={"answered": 1000})

    assert counting.samples()["call_attempts_total line answered"] == recount(counting.store, 5)
