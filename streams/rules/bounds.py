"""Bounds of a record: sizes of ids, words and lists, and possible instants. Pure.

A record over a bound becomes a dead letter, or its word is cut; no other record is affected. A window at every bound is
under 1 MiB, as a result and as a row. So is each outcome in a call's row; all of them together are under 3 MiB. Their
topics take 4 MiB.
"""

from hashlib import blake2b
from typing import Final

from msgspec import structs

from schemas.records.outcomes import CallOutcome, OutcomeChange, QuestionState
from schemas.records.webhooks import Callback, CallDetail
from streams.errors import ImpossibleCallbackError, InvalidChangeError, TooLargeError

MAX_ID_CHARS: Final = 1000  # workflow_id, sip_line, call_id; real ones have 20 to 40
MAX_WORD_BYTES: Final = 128  # of a word counted in a window, UTF-8
MAX_WORDS: Final = 500  # counted by name in one map of a window; the others count as `other`
MAX_QUESTIONS: Final = 500  # of one call
MAX_DIALS: Final = 500  # of one call
MAX_SUMMED: Final = 1_000_000_000  # no real duration comes near; keeps sums of absurd input inside 64 bits
OTHER: Final = "other"

# A smaller record has no list over its bound (an item has 9 bytes at least) and no outcome worth cutting.
SMALL_RECORD_BYTES: Final = 4 * 1024

EARLIEST_MS: Final = 1_420_070_400_000  # 2015-01-01: nothing was received before
CLOCKS_DIFFER_MS: Final = 24 * 3600 * 1000  # a receipt is never so far after the broker's own clock

_CUT_MARK: Final = "~"
_DIGEST_BYTES: Final = 4


def check_callback(callback: Callback, appended_at: int) -> None:
    """Refuse a callback whose shared fields no call can have. appended_at: by the broker, epoch ms.

    Raises: ImpossibleCallbackError, TooLargeError.
    """
    if not EARLIEST_MS <= callback.received_at <= appended_at + CLOCKS_DIFFER_MS:
        raise ImpossibleCallbackError(f"received_at {callback.received_at} is no possible instant of receipt")
    for name, value in (("workflow_id", callback.workflow_id), ("sip_line", callback.sip_line)):
        if value and len(value) > MAX_ID_CHARS:
            raise TooLargeError(f"{name} has {len(value)} characters, more than {MAX_ID_CHARS}")


def check_detail(detail: CallDetail, *, is_small: bool) -> None:
    """Refuse a detail that no call can have. is_small: it came in a small record. Raises: TooLargeError."""
    if len(detail.call_id or "") > MAX_ID_CHARS:
        raise TooLargeError(f"call_id has {len(detail.call_id or '')} characters, more than {MAX_ID_CHARS}")
    if is_small:
        return
    if len(detail.question_answer or ()) > MAX_QUESTIONS:
        raise TooLargeError(f"the call has {len(detail.question_answer or ())} questions, more than {MAX_QUESTIONS}")
    if len(detail.redial_calls or ()) >= MAX_DIALS:
        raise TooLargeError(f"the call has {len(detail.redial_calls or ())} redials, not under {MAX_DIALS}")


def check_change(change: OutcomeChange, appended_at: int, partitions: int) -> None:
    """Refuse a change that no callback can have led to. appended_at: the broker's clock, epoch ms.

    Raises: InvalidChangeError.
    """
    if not EARLIEST_MS <= change.received_at <= appended_at + CLOCKS_DIFFER_MS:
        raise InvalidChangeError(f"received_at {change.received_at} is no possible instant of receipt")
    if not 0 <= change.source_partition < partitions or change.source_offset < 0:
        raise InvalidChangeError("the source is no place in the callbacks topic")
    for outcome in (change.added, change.removed):
        if outcome is not None and not (
            0 <= outcome.ended_at <= change.received_at + CLOCKS_DIFFER_MS
            and 0 <= outcome.duration_s <= MAX_SUMMED
            and 0 <= outcome.ring_time_s <= MAX_SUMMED
            and 0 <= outcome.talk_round <= MAX_SUMMED
            and 0 <= outcome.never_rang_conflicts <= MAX_DIALS
            and len(outcome.questions) <= MAX_QUESTIONS
            and len(outcome.attempt_dispositions) <= MAX_DIALS
        ):
            raise InvalidChangeError("an instant, a number or a list of the outcome is out of bounds")


def cut(word: str) -> str:
    """A word as windows name it. A long one keeps its beginning and a digest of the whole, so that two stay two.

    Repeat: safe; a cut word stays as it is.
    """
    encoded = word.encode()
    if len(encoded) <= MAX_WORD_BYTES:
        return word
    digest = blake2b(encoded, digest_size=_DIGEST_BYTES).hexdigest()
    kept = encoded[: MAX_WORD_BYTES - len(_CUT_MARK) - len(digest)].decode(errors="ignore")
    return f"{kept}{_CUT_MARK}{digest}"


def bounded(outcome: CallOutcome) -> CallOutcome:
    """The outcome with its words cut as windows name them, for the row of a large record."""
    return structs.replace(
        outcome,
        result=cut(outcome.result),
        result_label=cut(outcome.result_label),
        hangup_type=cut(outcome.hangup_type),
        ring_type=cut(outcome.ring_type),
        workflow_name=cut(outcome.workflow_name),
        questions=[
            QuestionState(question_name=cut(question.question_name), state=question.state)
            for question in outcome.questions
        ],
    )
