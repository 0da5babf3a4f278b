"""What a dial came to, and a question: the rules that class the provider's words. Pure.

Sources: ITU-T E.411 and E.425, and the provider's page. streams/README.md has the rules as tables.
"""

from functools import lru_cache
from typing import Final

ANSWERED: Final = "answered"
USER_BUSY: Final = "user_busy"
SUBSCRIBER_ABSENT: Final = "subscriber_absent"
SUBSCRIBER_BARRED: Final = "subscriber_barred"
BAD_NUMBER: Final = "bad_number"
REJECTED: Final = "rejected"
NO_ANSWER: Final = "no_answer"
PRE_ALERT_FAILURE: Final = "pre_alert_failure"
UNKNOWN: Final = "unknown"

# The network delivered the dial: strictly where the callee answered or could have; widely also where the subscriber's
# own state kept it away.
DELIVERED_STRICT: Final = (ANSWERED, USER_BUSY, NO_ANSWER, REJECTED)
DELIVERED: Final = (*DELIVERED_STRICT, SUBSCRIBER_ABSENT, SUBSCRIBER_BARRED)
DISPOSITIONS: Final = (*DELIVERED, BAD_NUMBER, PRE_ALERT_FAILURE, UNKNOWN)  # in the order that the page shows

TALKED_UNREACHABLE: Final = "talked_unreachable"  # a talk round, and a ring word of a number that cannot be reached
TALKED_NO_SECONDS: Final = "talked_no_seconds"  # a talk round in no seconds
SECONDS_UNREACHABLE: Final = "seconds_unreachable"  # seconds, no talk round and such a ring word: an announcement

# The ring word alone decides these.
_BY_RING_TYPE: Final = {
    "busy": USER_BUSY,
    "holdline": USER_BUSY,
    "switchoff": SUBSCRIBER_ABSENT,
    "outofarea": SUBSCRIBER_ABSENT,
    "unregister": SUBSCRIBER_ABSENT,
    "cantuse": SUBSCRIBER_BARRED,
    "wrongnum": BAD_NUMBER,
}
# A number with such a word cannot have been reached: seconds without a talk round were an announcement.
_UNREACHABLE: Final = frozenset(("switchoff", "outofarea", "unregister", "cantuse", "wrongnum"))
_RANG_OR_NOT: Final = frozenset(("normal", "notmatch"))
_NEVER_RANG: Final = frozenset(("normal", "notmatch", "null"))
_NOT_DIALLED: Final = frozenset(("cancelled", "canceled", "created", "pending"))
_CANCELED: Final = "canceled"
_BY_CALLEE: Final = "bycallee"

_QUESTION_STATES: Final = {"completed": "completed", "skip": "skipped"}


def word_or_null(value: str | None) -> str:
    """A provider's word as a key of counts: JSON null, a missing field and the word 'null' are one."""
    return value if value else "null"


def disposition_of(
    result: str | None,
    ring_type: str | None,
    hangup_type: str | None,
    ring_time_s: int | None,
    duration_s: int | None,
    talk_round: int | None,
) -> str:
    """The outcome class of one dial: the first rule that holds. Total: every input has exactly one class.

    The provider has no word for "answered": a talk round decides, then seconds, except those of an announcement. A line
    that never rang is recognised by its numbers, whatever the label says. A cancelled dial counts against no party.
    """
    ring = word_or_null(ring_type).lower()
    hangup = word_or_null(hangup_type).lower()
    rang = (ring_time_s or 0) > 0
    if (talk_round or 0) > 0 or ((duration_s or 0) > 0 and ring not in _UNREACHABLE):
        return ANSWERED
    if ring in _BY_RING_TYPE:
        return _BY_RING_TYPE[ring]
    if rang and ring in _RANG_OR_NOT:
        return REJECTED if hangup == _BY_CALLEE else NO_ANSWER
    if rang or ring not in _NEVER_RANG:
        return UNKNOWN
    if word_or_null(result).lower() in _NOT_DIALLED or hangup == _CANCELED:
        return UNKNOWN
    return PRE_ALERT_FAILURE


def contradiction_of(ring_type: str | None, duration_s: int | None, talk_round: int | None) -> str | None:
    """How the fields of the final dial contradict each other, or None; `disposition_of` says which is believed."""
    is_unreachable = ring_type is not None and ring_type.lower() in _UNREACHABLE
    if (talk_round or 0) > 0:
        if is_unreachable:
            return TALKED_UNREACHABLE
        return TALKED_NO_SECONDS if (duration_s or 0) <= 0 else None
    return SECONDS_UNREACHABLE if is_unreachable and (duration_s or 0) > 0 else None


def is_never_rang_conflict(disposition: str, hangup_type: str | None) -> bool:
    """True when the provider says the callee hung up on a dial that never rang."""
    return disposition == PRE_ALERT_FAILURE and word_or_null(hangup_type).lower() == _BY_CALLEE


@lru_cache(maxsize=64)  # few words are valid; a foreign one may have a megabyte
def question_state(status: str | None, whether_answer: str | None) -> str:
    """completed, skipped, broke_off or not_reached: the provider's status, then who hung up."""
    state = _QUESTION_STATES.get(word_or_null(status).lower())
    if state is None:
        state = "broke_off" if word_or_null(whether_answer).lower() == "hangup" else "not_reached"
    return state
