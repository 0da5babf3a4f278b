"""What the counters of calls count of one pane: by metric and labels, cumulative where it is a histogram. Pure.

A pane is one workflow's or one line's, never of a line and a workflow, so no counter has both labels. A new counter is
a line of COUNTERS or HISTOGRAMS and its row in the README.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final

from schemas.records.outcomes import WindowedOutcomes
from streams.rules.counts import ATTEMPT_LABELS, BUCKETS_S
from streams.rules.dimensions import SIP_LINE, WORKFLOW, Dimension
from streams.rules.dispositions import (
    BAD_NUMBER,
    DISPOSITIONS,
    SECONDS_UNREACHABLE,
    TALKED_NO_SECONDS,
    TALKED_UNREACHABLE,
    UNKNOWN,
)

OTHER_WORD: Final = "other"
# The provider's words, `null` for none. streams/README.md has what each of them says.
RING_TYPES: Final = (
    "busy",
    "cantuse",
    "holdline",
    "switchoff",
    "outofarea",
    "unregister",
    "wrongnum",
    "notmatch",
    "normal",
    "null",
)
EDGES: Final = (*(f"{edge}.0" for edge in BUCKETS_S), "+Inf")
SUM: Final = "sum"
STATES: Final = ("answered", "skipped", "broke_off", "not_reached")

# The labels of one series behind the pane's own, with the count.
Amounts = Mapping[tuple[str, ...], int]


@dataclass(frozen=True)
class Counted:
    """One counter, or one histogram.

    name: without `_total`. labels: those behind the pane's own. words: the closed set of a label that is alone; its
    series are there from the start. of: the amounts of a pane; of a histogram they are cumulative, and SUM has the sum.
    """

    name: str
    help: str
    dimension: Dimension
    labels: tuple[str, ...]
    words: tuple[str, ...]
    of: Callable[[WindowedOutcomes], Amounts]

    @property
    def is_histogram(self) -> bool:
        """True for a histogram: its words are the edges of buckets."""
        return self.labels == ("le",)


def _by_word(counts: Mapping[str, int], words: tuple[str, ...]) -> Amounts:
    """Counts by word; a word beyond `words` is the last of them."""
    found: dict[tuple[str, ...], int] = {}
    for word, count in counts.items():
        key = (word if word in words else words[-1],)
        found[key] = found.get(key, 0) + count
    return found


def _histogram(total: int, *counts: list[int]) -> Amounts:
    together = [sum(one[bucket] for one in counts if bucket < len(one)) for bucket in range(len(EDGES))]
    by_word = dict(zip(EDGES, accumulate(together), strict=True)) | {SUM: total}
    return {(word,): count for word, count in by_word.items()}


def _contacts(window: WindowedOutcomes) -> Amounts:
    bad, unknown = window.dispositions.get(BAD_NUMBER, 0), window.dispositions.get(UNKNOWN, 0)
    unreached = window.calls - window.answered - bad - unknown
    return {("answered",): window.answered, ("unreached",): unreached, ("bad_number",): bad, ("unknown",): unknown}


def _conflicts(window: WindowedOutcomes) -> Amounts:
    never_rang = {"never_rang": window.never_rang_conflicts, "call_times": window.call_times_conflicts}
    return _by_word({**window.contradictions, **never_rang}, CONFLICTS)


def _answers(window: WindowedOutcomes) -> Amounts:
    return {
        (name, state): count
        for name, question in window.questions.items()
        for state, count in zip(
            STATES, (question.completed, question.skipped, question.broke_off, question.not_reached), strict=True
        )
    }


CONFLICTS: Final = (
    "never_rang",
    "call_times",
    TALKED_NO_SECONDS,
    TALKED_UNREACHABLE,
    SECONDS_UNREACHABLE,
    OTHER_WORD,
)
OUTCOMES: Final = ("answered", "unreached", "bad_number", "unknown")
ANSWERS: Final = Counted(
    "answer", "Answers, by question and what came of it.", WORKFLOW, ("question", "state"), (), _answers
)


def _of_both(
    name: str, text: str, labels: tuple[str, ...], words: tuple[str, ...], of: Callable[[WindowedOutcomes], Amounts]
) -> Iterator[Counted]:
    yield Counted(name, f"{text} By SIP line.", SIP_LINE, labels, words, of)
    yield Counted(f"workflow_{name}", f"{text} By workflow.", WORKFLOW, labels, words, of)


COUNTED: Final = (
    *_of_both(
        "call_attempts",
        "Dials, redials included, by disposition.",
        ("class",),
        DISPOSITIONS,
        lambda window: _by_word(window.attempt_dispositions, DISPOSITIONS),
    ),
    *_of_both(
        "call_duration_seconds",
        "Answered calls by duration.",
        ("le",),
        EDGES,
        lambda window: _histogram(window.answered_duration_s_sum, window.duration_s_histogram),
    ),
    *_of_both(
        "call_ring_seconds",
        "Calls by seconds of ringing of the final dial.",
        ("le",),
        EDGES,
        lambda window: _histogram(
            window.ring_time_s_sum, window.answered_ring_time_s_histogram, window.unanswered_ring_time_s_histogram
        ),
    ),
    Counted(
        "call_ring_type",
        "Calls by the provider's ring word.",
        SIP_LINE,
        ("ring_type",),
        (*RING_TYPES, OTHER_WORD),
        lambda window: _by_word(window.ring_types, (*RING_TYPES, OTHER_WORD)),
    ),
    Counted(
        "call_class_conflict",
        "Calls or dials whose numbers contradict the provider's label.",
        SIP_LINE,
        ("rule",),
        CONFLICTS,
        _conflicts,
    ),
    Counted(
        "call_contacts", "Calls, one for each callee, by what came of it.", WORKFLOW, ("outcome",), OUTCOMES, _contacts
    ),
    Counted(
        "call_answered_on_attempt",
        "Answered calls by the number of the dial that was answered.",
        WORKFLOW,
        ("attempt",),
        ATTEMPT_LABELS,
        lambda window: _by_word(window.answered_on_attempt, ATTEMPT_LABELS),
    ),
    ANSWERS,
)
