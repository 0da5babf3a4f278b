"""The telephony KPIs of one window, each with its sample size and a 95 % interval. Pure.

Source: streams/monitor/README.md, "KPIs". ASR, NER and their kin count dials (attempts); connect rate and list badness
count calls.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any, Final

from schemas.records.outcomes import QuestionOutcomes, WindowedOutcomes
from streams.rules.counts import ATTEMPT_LABELS, BUCKETS_S
from streams.rules.dispositions import (
    ANSWERED,
    BAD_NUMBER,
    DELIVERED,
    DELIVERED_STRICT,
    PRE_ALERT_FAILURE,
    SUBSCRIBER_BARRED,
    UNKNOWN,
)
from streams.rules.questions import had, last_required, reached

MIN_SAMPLES: Final = 30  # below it a ratio is mostly chance: there is no value, only the sample size
Z_95: Final = 1.959963984540054
DIGITS: Final = 6

NOT_THE_NETWORKS: Final = (BAD_NUMBER, UNKNOWN)
BY_CALLEE: Final = "ByCallee"
BAD_LIST: Final = (BAD_NUMBER, SUBSCRIBER_BARRED)

MEANS: Final = ("acd_s", "attempts_per_answer")

Kpi = dict[str, float | int | None]


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The 95 % score interval of a proportion, within [0, 1]. It is (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share, z2 = successes / n, Z_95 * Z_95
    centre = share + z2 / (2 * n)
    margin = Z_95 * sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    scale = 1 + z2 / n
    return max(0.0, (centre - margin) / scale), min(1.0, (centre + margin) / scale)


def ratio(successes: int, n: int) -> Kpi | None:
    """{"value", "n", "low", "high"}, or None below MIN_SAMPLES; a numerator beyond n counts as n."""
    if n < MIN_SAMPLES:
        return None
    inside = min(max(successes, 0), n)
    low, high = wilson(inside, n)
    return {"value": round(inside / n, DIGITS), "n": n, "low": round(low, DIGITS), "high": round(high, DIGITS)}


def mean(total: int, n: int) -> Kpi | None:
    """A mean has no interval here: windows keep sums, not squares."""
    return None if n < MIN_SAMPLES else {"value": round(total / n, DIGITS), "n": n, "low": None, "high": None}


def quantile(histogram: list[int], share: float) -> Kpi | None:
    """The seconds that this share of the calls did not exceed, by straight lines between the edges of BUCKETS_S.

    What lies beyond the last edge counts as the last edge.
    """
    n = sum(histogram)
    if n < MIN_SAMPLES:
        return None
    rank, below, lower = share * n, 0, 0
    for count, upper in zip(histogram, BUCKETS_S, strict=False):
        if count and below + count >= rank:
            seconds = lower + (upper - lower) * (rank - below) / count
            return {"value": round(seconds, DIGITS), "n": n, "low": None, "high": None}
        below, lower = below + count, upper
    return {"value": float(lower), "n": n, "low": None, "high": None}


def kpis(window: WindowedOutcomes) -> tuple[dict[str, Kpi | None], dict[str, int]]:
    """(KPI by name, sample size by name) of one window, merged or not."""
    last = last_required(window)
    counts = kpi_counts(window) | {"completion": (last.completed, window.answered) if last else (0, 0)}
    values = {name: kpi_of(name, *pair) for name, pair in counts.items()}
    samples = {name: n for name, (_, n) in counts.items()}
    for name, (histogram, share) in _quantiles(window).items():
        values[name], samples[name] = quantile(histogram, share), sum(histogram)
    return values, samples


def kpi_counts(window: WindowedOutcomes) -> dict[str, tuple[int, int]]:
    """(numerator, denominator) of each KPI that is one. Those of several windows add up to those of their sum.

    That is not so for quantiles, nor for completion: which question is the last depends on the window.
    """
    return _proportions(window) | {
        "acd_s": (window.answered_duration_s_sum, window.answered),
        "attempts_per_answer": (window.attempts, window.answered),
    }


def kpi_of(name: str, numerator: int, denominator: int) -> Kpi | None:
    """The KPI of these counts; None below MIN_SAMPLES."""
    return (mean if name in MEANS else ratio)(numerator, denominator)


def question_kpis(window: WindowedOutcomes) -> dict[str, dict[str, Any]]:
    """Per question: {"kpis": {...}, "kpi_samples": {...}} with completion, skip and break-off rates."""
    return {name: _question(outcomes) for name, outcomes in sorted(window.questions.items())}


def _proportions(window: WindowedOutcomes) -> dict[str, tuple[int, int]]:
    dials, calls = window.attempt_dispositions, window.dispositions
    attempts, answered = window.attempts, window.answered
    judged = attempts - _sum(dials, NOT_THE_NETWORKS)
    lifts = {
        f"redial_lift_{number.replace('+', '_plus')}": (
            window.answered_on_attempt.get(number, 0),
            window.reached_attempt.get(number, 0),
        )
        for number in ATTEMPT_LABELS
    }
    return {
        "asr": (dials.get(ANSWERED, 0), attempts),
        "ner": (_sum(dials, DELIVERED), judged),
        "ner_strict": (_sum(dials, DELIVERED_STRICT), judged),
        "failure_ratio": (dials.get(PRE_ALERT_FAILURE, 0), attempts),
        "short_call_ratio": (window.short_calls, answered),
        "silent_answer_ratio": (window.silent_answers, answered),
        "engaged_ratio": (window.engaged_calls, answered),
        "list_badness": (_sum(calls, BAD_LIST), window.calls),
        "connect_rate": (answered, window.calls),
        "callee_hangup_ratio": (window.answered_hangup_types.get(BY_CALLEE, 0), answered),
        **lifts,
    }


def _quantiles(window: WindowedOutcomes) -> dict[str, tuple[list[int], float]]:
    answered, others = window.answered_ring_time_s_histogram, window.unanswered_ring_time_s_histogram
    return {
        "answered_ring_p50_s": (answered, 0.5),
        "answered_ring_p95_s": (answered, 0.95),
        "unanswered_ring_p50_s": (others, 0.5),
        "unanswered_ring_p95_s": (others, 0.95),
    }


def _question(outcomes: QuestionOutcomes) -> dict[str, Any]:
    counts = {
        "completion_rate": (outcomes.completed, had(outcomes)),
        "skip_rate": (outcomes.skipped, outcomes.completed + outcomes.skipped),
        "break_off_rate": (outcomes.broke_off, reached(outcomes)),
    }
    return {
        "kpis": {name: ratio(*pair) for name, pair in counts.items()},
        "kpi_samples": {name: n for name, (_, n) in counts.items()},
    }


def _sum(counts: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counts.get(name, 0) for name in names)
