"""What a call came to: the disposition rules, and the counts that windows keep. Pure.

Source of the rules and formulas: research on ITU-T E.411/E.425 and the provider's page; the README lists them.
"""

from collections.abc import Mapping
from copy import copy
from functools import lru_cache
from typing import Final

from msgspec import Struct, field

from schemas.records.outcomes import CallOutcome, LineWorkflowOutcomes, QuestionOutcomes
from streams.rules.bounds import MAX_SUMMED, MAX_WORDS, OTHER, cut

ANSWERED: Final = "answered"
USER_BUSY: Final = "user_busy"
SUBSCRIBER_ABSENT: Final = "subscriber_absent"
SUBSCRIBER_BARRED: Final = "subscriber_barred"
BAD_NUMBER: Final = "bad_number"
REJECTED: Final = "rejected"
NO_ANSWER: Final = "no_answer"
PRE_ALERT_FAILURE: Final = "pre_alert_failure"
UNKNOWN: Final = "unknown"
DISPOSITIONS: Final = (
    ANSWERED,
    USER_BUSY,
    SUBSCRIBER_ABSENT,
    SUBSCRIBER_BARRED,
    BAD_NUMBER,
    REJECTED,
    NO_ANSWER,
    PRE_ALERT_FAILURE,
    UNKNOWN,
)
TALKED_UNREACHABLE: Final = "talked_unreachable"  # a talk round, and a ring word of a number that cannot be reached
TALKED_NO_SECONDS: Final = "talked_no_seconds"  # a talk round in no seconds
SECONDS_UNREACHABLE: Final = "seconds_unreachable"  # seconds, no talk round and such a ring word: an announcement
DELIVERED: Final = frozenset((ANSWERED, USER_BUSY, REJECTED, NO_ANSWER, SUBSCRIBER_ABSENT, SUBSCRIBER_BARRED))

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
# A number that these tell of cannot have been reached: seconds without a talk round were an announcement.
_UNREACHABLE: Final = frozenset(("switchoff", "outofarea", "unregister", "cantuse", "wrongnum"))
_RANG_OR_NOT: Final = frozenset(("normal", "notmatch"))
_NEVER_RANG: Final = frozenset(("normal", "notmatch", "null"))
_NOT_DIALLED: Final = frozenset(("cancelled", "canceled", "created", "pending"))
_CANCELED: Final = "canceled"
_BY_CALLEE: Final = "bycallee"

SHORT_CALL_MAX_S: Final = 6
SILENT_ANSWER_MIN_S: Final = 3
ENGAGED_MIN_ROUNDS: Final = 3
BUCKETS_S: Final = (1, 3, 6, 10, 20, 30, 60, 120, 300, 600)

_QUESTION_STATES: Final = {"completed": "completed", "skip": "skipped"}


def word(value: str | None) -> str:
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

    The provider has no word for "answered", so talk decides, then seconds, but for those of an announcement; a line
    that never rang is told by its numbers, whatever the label says; a cancelled dial is nobody's fault.
    """
    ring = word(ring_type).lower()
    hangup = word(hangup_type).lower()
    rang = (ring_time_s or 0) > 0
    if (talk_round or 0) > 0 or ((duration_s or 0) > 0 and ring not in _UNREACHABLE):
        return ANSWERED
    if ring in _BY_RING_TYPE:
        return _BY_RING_TYPE[ring]
    if rang and ring in _RANG_OR_NOT:
        return REJECTED if hangup == _BY_CALLEE else NO_ANSWER
    if rang or ring not in _NEVER_RANG:
        return UNKNOWN
    if word(result).lower() in _NOT_DIALLED or hangup == _CANCELED:
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


def blames_callee_though_silent(disposition: str, hangup_type: str | None) -> bool:
    """True when the provider says the callee hung up on a dial that never rang."""
    return disposition == PRE_ALERT_FAILURE and word(hangup_type).lower() == _BY_CALLEE


@lru_cache(maxsize=64)  # of few words; what a stranger sends instead may have a megabyte each
def question_state(status: str | None, whether_answer: str | None) -> str:
    """completed, skipped, broke_off or not_reached: the provider's status, then who hung up."""
    state = _QUESTION_STATES.get(word(status).lower())
    if state is None:
        state = "broke_off" if word(whether_answer).lower() == "hangup" else "not_reached"
    return state


def summable(value: int | None) -> int:
    """A number of seconds or turns as it may enter a sum: absurd input is held inside [0, MAX_SUMMED]."""
    return min(max(value or 0, 0), MAX_SUMMED)


def attempt_label(number: int) -> str:
    """1, 2, 3, 4 or 5+: the keys of answered_on_attempt and reached_attempt."""
    return str(number) if number < 5 else "5+"


def _no_buckets() -> list[int]:
    return [0] * (len(BUCKETS_S) + 1)


class OutcomeCounts(Struct, array_like=True):
    """The counts of WindowedOutcomes, as they grow. Adding and removing the same call leaves them as they were.

    Stored: append only. The order of the fields is the format of rows on disk; a new one comes last, with a default.

    A map names MAX_WORDS words at most, each cut to a length, and counts the rest as `other`; `overflow` says how much
    of that is not a word "other" that was sent. The words that were there first have the names, and a map that was
    once full gives none away: a word's calls are all under its name or all in `other`, so what was added is taken
    out where it was added, in whatever order corrections come.
    """

    calls: int = 0
    answered: int = 0
    attempts: int = 0
    results: dict[str, int] = field(default_factory=dict)
    result_labels: dict[str, int] = field(default_factory=dict)
    hangup_types: dict[str, int] = field(default_factory=dict)
    ring_types: dict[str, int] = field(default_factory=dict)
    dispositions: dict[str, int] = field(default_factory=dict)
    attempt_dispositions: dict[str, int] = field(default_factory=dict)
    duration_s_sum: int = 0
    ring_time_s_sum: int = 0
    talk_round_sum: int = 0
    questions: dict[str, dict[str, int]] = field(default_factory=dict)
    short_calls: int = 0
    silent_answers: int = 0
    engaged_calls: int = 0
    answered_duration_s_sum: int = 0
    answered_hangup_types: dict[str, int] = field(default_factory=dict)
    answered_on_attempt: dict[str, int] = field(default_factory=dict)
    reached_attempt: dict[str, int] = field(default_factory=dict)
    duration_s_histogram: list[int] = field(default_factory=_no_buckets)
    answered_ring_time_s_histogram: list[int] = field(default_factory=_no_buckets)
    unanswered_ring_time_s_histogram: list[int] = field(default_factory=_no_buckets)
    never_rang_conflicts: int = 0
    call_times_conflicts: int = 0
    by_workflow: dict[str, dict[str, int]] = field(default_factory=dict)
    overflow: dict[str, int] = field(default_factory=dict)
    contradictions: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: CallOutcome, *, by_workflow: bool) -> None:
        """Count one call in. by_workflow: also under its workflow, as a SIP line's windows do."""
        self._apply(outcome, 1, by_workflow)

    def remove(self, outcome: CallOutcome, *, by_workflow: bool) -> None:
        """Count one call out that was counted in before."""
        self._apply(outcome, -1, by_workflow)

    def _apply(self, outcome: CallOutcome, sign: int, by_workflow: bool) -> None:
        self.calls += sign
        self._count("results", self.results, word(outcome.result), sign)
        self._count("result_labels", self.result_labels, outcome.result_label, sign)
        self._count("hangup_types", self.hangup_types, word(outcome.hangup_type), sign)
        self._count("ring_types", self.ring_types, outcome.ring_type, sign)
        self._count("dispositions", self.dispositions, outcome.disposition, sign)
        self.duration_s_sum += sign * outcome.duration_s
        self.ring_time_s_sum += sign * outcome.ring_time_s
        self.talk_round_sum += sign * outcome.talk_round
        self.call_times_conflicts += sign * outcome.call_times_conflict
        if outcome.contradiction is not None:
            self._count("contradictions", self.contradictions, outcome.contradiction, sign)
        for question in outcome.questions:
            name = question.question_name
            if name not in self.questions:
                name = self._place("questions", self.questions, name, sign)
            _bump(self.questions, name, question.state, sign)
        self._apply_attempts(outcome, sign, by_workflow)
        self._apply_answered(outcome, sign)

    def _apply_attempts(self, outcome: CallOutcome, sign: int, by_workflow: bool) -> None:
        dials = len(outcome.attempt_dispositions)
        self.attempts += sign * dials
        self.never_rang_conflicts += sign * outcome.never_rang_conflicts
        for number in range(1, dials + 1):
            if number <= 5:
                self._count("reached_attempt", self.reached_attempt, attempt_label(number), sign)
        for disposition in outcome.attempt_dispositions:
            self._count("attempt_dispositions", self.attempt_dispositions, disposition, sign)
            if by_workflow:
                self._apply_line_workflow(outcome.workflow_id, disposition, sign)

    def _apply_line_workflow(self, workflow_id: str, disposition: str, sign: int) -> None:
        if workflow_id not in self.by_workflow:
            workflow_id = self._place("by_workflow", self.by_workflow, workflow_id, sign)
        for name, counts in (
            ("attempts", True),
            ("answered", disposition == ANSWERED),
            ("delivered", disposition in DELIVERED),
            ("pre_alert_failure", disposition == PRE_ALERT_FAILURE),
        ):
            if counts:
                _bump(self.by_workflow, workflow_id, name, sign)

    def _apply_answered(self, outcome: CallOutcome, sign: int) -> None:
        if outcome.disposition != ANSWERED:
            self.unanswered_ring_time_s_histogram[bucket_of(outcome.ring_time_s)] += sign
            return
        self.answered += sign
        self.answered_duration_s_sum += sign * outcome.duration_s
        self._count("answered_hangup_types", self.answered_hangup_types, word(outcome.hangup_type), sign)
        attempt = attempt_label(len(outcome.attempt_dispositions))
        self._count("answered_on_attempt", self.answered_on_attempt, attempt, sign)
        self.duration_s_histogram[bucket_of(outcome.duration_s)] += sign
        self.answered_ring_time_s_histogram[bucket_of(outcome.ring_time_s)] += sign
        self.short_calls += sign * (outcome.duration_s <= SHORT_CALL_MAX_S)
        self.silent_answers += sign * (outcome.talk_round == 0 and outcome.duration_s > SILENT_ANSWER_MIN_S)
        self.engaged_calls += sign * (outcome.talk_round > ENGAGED_MIN_ROUNDS)

    def _count(self, map_name: str, counts: dict[str, int], key: str, by: int) -> None:
        if key not in counts:
            key = self._place(map_name, counts, key, by)
        value = counts[key] + by if key in counts else by
        if value or len(counts) >= MAX_WORDS:  # a full map keeps its names
            counts[key] = value
        else:
            del counts[key]

    def _place(self, map_name: str, counts: Mapping[str, object], key: str, by: int) -> str:
        """The key that a word not in `counts` is counted under. What goes to `other` for want of a name is noted."""
        key = cut(key)
        if key in counts or len(counts) < MAX_WORDS or key == OTHER:
            return key
        self.overflow[map_name] = self.overflow.get(map_name, 0) + by
        if not self.overflow[map_name]:
            del self.overflow[map_name]
        return OTHER

    def histograms(self) -> tuple[list[int], ...]:
        """The lists with one count for each of BUCKETS_S and one for the rest."""
        return self.duration_s_histogram, self.answered_ring_time_s_histogram, self.unanswered_ring_time_s_histogram

    def fields(self) -> dict[str, object]:
        """The counts as WindowedOutcomes takes them, maps in the order of their keys: equal counts, equal bytes."""
        values: dict[str, object] = {}
        for name in self.__struct_fields__:
            value = getattr(self, name)
            values[name] = {k: value[k] for k in sorted(value) if value[k]} if isinstance(value, dict) else copy(value)
        values["questions"] = {name: _question(self.questions[name]) for name in values["questions"]}  # type: ignore[attr-defined]
        values["by_workflow"] = {name: _line_workflow(self.by_workflow[name]) for name in values["by_workflow"]}  # type: ignore[attr-defined]
        return values


def bucket_of(seconds: int) -> int:
    """Index of the histogram bucket: the first whose upper edge is not exceeded, else the last."""
    return next((index for index, edge in enumerate(BUCKETS_S) if seconds <= edge), len(BUCKETS_S))


def _bump(counts: dict[str, dict[str, int]], key: str, name: str, by: int) -> None:
    if key not in counts:
        counts[key] = {}
    inner = counts[key]
    value = inner[name] + by if name in inner else by
    if value:
        inner[name] = value
    else:
        inner.pop(name, None)
        if not inner and len(counts) < MAX_WORDS:  # a full map keeps its names
            del counts[key]


def _question(counts: dict[str, int]) -> QuestionOutcomes:
    return QuestionOutcomes(
        completed=counts.get("completed", 0),
        skipped=counts.get("skipped", 0),
        broke_off=counts.get("broke_off", 0),
        not_reached=counts.get("not_reached", 0),
    )


def _line_workflow(counts: dict[str, int]) -> LineWorkflowOutcomes:
    return LineWorkflowOutcomes(
        attempts=counts.get("attempts", 0),
        answered=counts.get("answered", 0),
        delivered=counts.get("delivered", 0),
        pre_alert_failure=counts.get("pre_alert_failure", 0),
    )
