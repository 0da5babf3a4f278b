"""The telephony KPIs of one window, each with its sample size and a 95 % interval. Pure.

Source: streams/monitor/README.md, "KPIs". ASR, NER and their kin count dials (attempts); connect rate and list badness
count calls.
"""

from collections.abc import Mapping
from math import sqrt
from typing import Any, Final

from schemas.records.outcomes import QuestionOutcomes, WindowedOutcomes
from streams.rules.counts import ATTEMPT_LABELS
from streams.rules.dispositions import (
    ANSWERED,
    BAD_NUMBER,
    DELIVERED,
    DELIVERED_STRICT,
    PRE_ALERT_FAILURE,
    SUBSCRIBER_BARRED,
    UNKNOWN,
)

MIN_SAMPLES: Final = 30  # below it a ratio is mostly chance: there is no value, only the sample size
Z_95: Final = 1.959963984540054
DIGITS: Final = 6

NOT_THE_NETWORKS: Final = (BAD_NUMBER, UNKNOWN)
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


def kpis(window: WindowedOutcomes) -> tuple[dict[str, Kpi | None], dict[str, int]]:
    """(KPI by name, sample size by name) of one window, merged or not."""
    counts = kpi_counts(window)
    return {name: kpi_of(name, *pair) for name, pair in counts.items()}, {name: n for name, (_, n) in counts.items()}


def kpi_counts(window: WindowedOutcomes) -> dict[str, tuple[int, int]]:
    """(numerator, denominator) of each KPI. Those of several windows add up to those of their sum."""
    return _proportions(window) | {
        "acd_s": (window.answered_duration_s_sum, window.answered),
        "attempts_per_answer": (window.attempts, window.answered),
    }


def kpi_of(name: str, numerator: int, denominator: int) -> Kpi | None:
    """The KPI of these counts; None below MIN_SAMPLES."""
    return (mean if name in MEANS else ratio)(numerator, denominator)


def ner_counts(window: WindowedOutcomes) -> tuple[int, int]:
    """The two counts of the NER: dials that reached a phone or its network, and all that could be judged."""
    dials = window.attempt_dispositions
    return _sum(dials, DELIVERED), window.attempts - _sum(dials, NOT_THE_NETWORKS)


def question_kpis(window: WindowedOutcomes) -> dict[str, dict[str, Any]]:
    """Per question: {"kpis": {...}, "kpi_samples": {...}} with completion, skip and break-off rates."""
    return {name: _question(outcomes) for name, outcomes in sorted(window.questions.items())}


def _proportions(window: WindowedOutcomes) -> dict[str, tuple[int, int]]:
    dials, calls = window.attempt_dispositions, window.dispositions
    attempts, answered = window.attempts, window.answered
    delivered, judged = ner_counts(window)
    lifts = {
        f"redial_lift_{number.replace('+', '_plus')}": (
            window.answered_on_attempt.get(number, 0),
            window.reached_attempt.get(number, 0),
        )
        for number in ATTEMPT_LABELS
    }
    return {
        "asr": (dials.get(ANSWERED, 0), attempts),
        "ner": (delivered, judged),
        "ner_strict": (_sum(dials, DELIVERED_STRICT), judged),
        "failure_ratio": (dials.get(PRE_ALERT_FAILURE, 0), attempts),
        "short_call_ratio": (window.short_calls, answered),
        "silent_answer_ratio": (window.silent_answers, answered),
        "engaged_ratio": (window.engaged_calls, answered),
        "list_badness": (_sum(calls, BAD_LIST), window.calls),
        "connect_rate": (answered, window.calls),
        **lifts,
    }


def _question(outcomes: QuestionOutcomes) -> dict[str, Any]:
    decided = outcomes.completed + outcomes.skipped
    reached = decided + outcomes.broke_off
    counts = {
        "completion_rate": (outcomes.completed, reached + outcomes.not_reached),
        "skip_rate": (outcomes.skipped, decided),
        "break_off_rate": (outcomes.broke_off, reached),
    }
    return {
        "kpis": {name: ratio(*pair) for name, pair in counts.items()},
        "kpi_samples": {name: n for name, (_, n) in counts.items()},
    }


def _sum(counts: Mapping[str, int], names: tuple[str, ...]) -> int:
    return sum(counts.get(name, 0) for name in names)
