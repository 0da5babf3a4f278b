"""What a dial is compared by, from its record or from a window. Nothing of the callee. Pure."""

from collections import Counter
from collections.abc import Mapping
from typing import Final, NamedTuple

from schemas.records.calls import CallAttempt
from schemas.records.outcomes import LineWorkflowOutcomes
from streams.rules.bounds import cut
from streams.rules.counts import BUCKETS_S, attempt_label, bucket_of
from streams.rules.dispositions import ANSWERED, PRE_ALERT_FAILURE, word_or_null

HOUR_MS: Final = 3_600_000

# A caller number's first digits tell the country and the operator or area. Five are no personal number: at least five
# more are hidden, so a prefix stands for a hundred thousand numbers. A shorter number shows less, or nothing.
PREFIX_DIGITS: Final = 5
HIDDEN_DIGITS: Final = 5
NO_NUMBER: Final = "none"
SHORT_NUMBER: Final = "short number"

# What a window knows of a dial's end, and what is told of one that its record describes.
REACHED: Final = "reached, not answered"
UNDECIDED: Final = "bad number or unknown"


class Dial(NamedTuple):
    """One kind of dial. None: not known from this source. is_failed: the network did not deliver it."""

    workflow: str
    hour: int
    is_failed: bool
    outcome: str | None = None
    ring: str | None = None
    ring_time: str | None = None
    hangup_type: str | None = None
    result_label: str | None = None
    caller_prefix: str | None = None
    attempt: str | None = None


# How many dials of each kind each line made.
Tally = Mapping[str, Counter[Dial]]


def caller_prefix(number: str | None) -> str:
    """The first digits of a line's own number, without spaces and signs."""
    digits = [character for character in number or "" if character.isascii() and character.isdigit()]
    shown = min(PREFIX_DIGITS, len(digits) - HIDDEN_DIGITS)
    if not digits:
        return NO_NUMBER
    return "".join(digits[:shown]) if shown > 0 else SHORT_NUMBER


def dial_of(attempt: CallAttempt, at_ms: int) -> Dial:
    """The kind of a dial by its record. at_ms: when it was made."""
    seconds = attempt.ring_time_s or 0
    ring = cut(word_or_null(attempt.ring_type))
    return Dial(
        workflow=attempt.workflow_id,
        hour=hour_of(at_ms),
        is_failed=attempt.disposition == PRE_ALERT_FAILURE,
        ring=f"ring type {ring} and " + ("rang" if seconds > 0 else "never rang"),
        ring_time=ring_time_label(seconds),
        hangup_type=cut(word_or_null(attempt.hangup_type)),
        result_label=cut(word_or_null(attempt.result_label)),
        caller_prefix=caller_prefix(attempt.caller_number),
        attempt=attempt_label(max(attempt.attempt_number, 1)),
    )


def dials_of(start_ms: int, by_workflow: Mapping[str, LineWorkflowOutcomes]) -> Counter[Dial]:
    """The dials of one pane of a line. start_ms: its start, UTC epoch ms."""
    found: Counter[Dial] = Counter()
    for workflow, counts in by_workflow.items():
        for outcome, count in (
            (ANSWERED, counts.answered),
            (REACHED, counts.delivered - counts.answered),
            (PRE_ALERT_FAILURE, counts.pre_alert_failure),
            (UNDECIDED, counts.attempts - counts.delivered - counts.pre_alert_failure),
        ):
            if count > 0:
                found[Dial(workflow, hour_of(start_ms), outcome == PRE_ALERT_FAILURE, outcome)] += count
    return found


def hour_of(at_ms: int) -> int:
    """The start of the hour that holds an instant, UTC epoch ms."""
    return at_ms - at_ms % HOUR_MS


def ring_time_label(seconds: int) -> str:
    """The span of seconds that a ring time lies in, as the histograms of windows have it."""
    if seconds <= 0:
        return "0 s"
    index = bucket_of(seconds)
    low = BUCKETS_S[index - 1] + 1 if index else 1
    if index == len(BUCKETS_S):
        return f"over {BUCKETS_S[-1]} s"
    high = BUCKETS_S[index]
    return f"{low} s" if low == high else f"{low} to {high} s"
