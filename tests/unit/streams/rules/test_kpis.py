"""Ratios are honest: with their sample size and interval, and none at all below thirty samples."""

from __future__ import annotations

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from schemas.records.outcomes import QuestionOutcomes
from streams.rules.counts import BUCKETS_S, bucket_of
from streams.rules.kpis import kpis, quantile, question_kpis, ratio, wilson
from tests.support.panes import pane, question

# Newcombe (1998), Statistics in Medicine 17, table I, method 3: score without continuity correction
KNOWN = [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)]


@pytest.mark.parametrize(("successes", "n", "low", "high"), KNOWN)
def test_the_interval_is_wilsons(successes: int, n: int, low: float, high: float) -> None:
    assert (low, high) == pytest.approx(wilson(successes, n), abs=5e-5)


def test_no_samples_tell_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


def test_one_of_one_is_never_a_hundred_percent() -> None:
    values, samples = kpis(pane(calls=1, answered=1, attempts=1, attempt_dispositions={"answered": 1}))

    assert values["asr"] is None
    assert samples["asr"] == 1


def test_thirty_samples_are_enough_and_twenty_nine_are_not() -> None:
    assert ratio(1, 29) is None
    assert ratio(3, 30) == {"value": 0.1, "n": 30, "low": 0.0346, "high": 0.256211}


def placed(place: int, **states: int) -> QuestionOutcomes:
    """A question that stood at this place in all its calls."""
    return structs.replace(question(**states), position_sum=place * sum(states.values()))


def test_each_kpi_follows_its_formula() -> None:
    window = pane(
        calls=100,
        answered=50,
        attempts=200,
        dispositions={"bad_number": 6, "subscriber_barred": 4},
        attempt_dispositions={
            "answered": 50,
            "user_busy": 20,
            "rejected": 10,
            "no_answer": 40,
            "subscriber_absent": 25,
            "subscriber_barred": 5,
            "bad_number": 30,
            "unknown": 10,
            "pre_alert_failure": 10,
        },
        short_calls=5,
        silent_answers=2,
        engaged_calls=30,
        answered_duration_s_sum=2100,
        answered_on_attempt={"1": 30, "2": 20},
        reached_attempt={"1": 100, "2": 60, "5+": 3},
        answered_hangup_types={"ByCallee": 20, "ByRobot": 30},
        questions={"greeting": placed(1, completed=48, skipped=2), "consent": placed(2, completed=40, skipped=10)},
        answered_ring_time_s_histogram=[0, 0, 0, 0, 50, 0, 0, 0, 0, 0, 0],
    )
    values, samples = kpis(window)

    expected = {
        "asr": (0.25, 200),
        "ner": (0.9375, 160),
        "ner_strict": (0.75, 160),
        "failure_ratio": (0.05, 200),
        "short_call_ratio": (0.1, 50),
        "silent_answer_ratio": (0.04, 50),
        "engaged_ratio": (0.6, 50),
        "list_badness": (0.1, 100),
        "connect_rate": (0.5, 100),
        "redial_lift_1": (0.3, 100),
        "redial_lift_2": (0.333333, 60),
        "acd_s": (42.0, 50),
        "attempts_per_answer": (4.0, 50),
        "callee_hangup_ratio": (0.4, 50),
        "completion": (0.8, 50),
        "answered_ring_p50_s": (15.0, 50),
        "answered_ring_p95_s": (19.5, 50),
    }
    assert expected == {name: (kpi["value"], kpi["n"]) for name, kpi in values.items() if kpi is not None}
    unknown = {"redial_lift_3", "redial_lift_4", "redial_lift_5_plus", "unanswered_ring_p50_s", "unanswered_ring_p95_s"}
    assert unknown == {name for name, kpi in values.items() if kpi is None}
    assert samples["redial_lift_5_plus"] == 3


def test_skips_and_break_offs_are_distinguished() -> None:
    found = question_kpis(pane(questions={"q": question(completed=40, skipped=10, broke_off=50, not_reached=100)}))

    rates = {name: kpi["value"] for name, kpi in found["q"]["kpis"].items()}
    assert rates == {"completion_rate": 0.2, "skip_rate": 0.2, "break_off_rate": 0.5}
    assert found["q"]["kpi_samples"] == {"completion_rate": 200, "skip_rate": 50, "break_off_rate": 100}


def test_a_quantile_needs_thirty_samples_and_ends_at_the_last_edge() -> None:
    assert quantile([29] + [0] * 10, 0.5) is None
    assert quantile([0] * 10 + [30], 0.5) == {"value": 600.0, "n": 30, "low": None, "high": None}


@given(st.lists(st.integers(0, 900), min_size=30, max_size=90), st.sampled_from([0.05, 0.5, 0.95]))
def test_a_quantile_is_within_its_bucket(seconds: list[int], share: float) -> None:
    histogram = [0] * (len(BUCKETS_S) + 1)
    for one in seconds:
        histogram[bucket_of(one)] += 1
    found = quantile(histogram, share)
    true = bucket_of(sorted(seconds)[ceil(share * len(seconds)) - 1])

    edges = (0, *BUCKETS_S, BUCKETS_S[-1])
    assert found is not None
    assert edges[true] <= (found["value"] or 0) <= edges[true + 1]
