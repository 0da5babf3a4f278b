"""The counts that a window keeps, as they grow. Pure."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct, field

from schemas.records.outcomes import CallOutcome, LineWorkflowOutcomes, QuestionOutcomes
from streams.rules.bounds import MAX_WORDS, OTHER, cut
from streams.rules.dispositions import ANSWERED, DELIVERED, PRE_ALERT_FAILURE, word_or_null

SHORT_CALL_MAX_S: Final = 6
SILENT_ANSWER_MIN_S: Final = 3
ENGAGED_MIN_ROUNDS: Final = 3
ATTEMPT_LABELS: Final = ("1", "2", "3", "4", "5+")  # the keys of answered_on_attempt and reached_attempt
_LAST_LABEL: Final = len(ATTEMPT_LABELS)
BUCKETS_S: Final = (1, 3, 6, 10, 20, 30, 60, 120, 300, 600)


def attempt_label(number: int) -> str:
    """The label of a dial by its number, from 1 on."""
    return ATTEMPT_LABELS[number - 1 if number < _LAST_LABEL else -1]


def _no_buckets() -> list[int]:
    return [0] * (len(BUCKETS_S) + 1)


# Each field of OutcomeCounts is of one kind, which says how it is shown and how windows are added up (`merging`).
SUMS: Final = (
    "calls",
    "answered",
    "attempts",
    "duration_s_sum",
    "ring_time_s_sum",
    "talk_round_sum",
    "short_calls",
    "silent_answers",
    "engaged_calls",
    "answered_duration_s_sum",
    "never_rang_conflicts",
    "call_times_conflicts",
)
MAPS: Final = (
    "results",
    "result_labels",
    "hangup_types",
    "ring_types",
    "dispositions",
    "attempt_dispositions",
    "answered_hangup_types",
    "answered_on_attempt",
    "reached_attempt",
    "overflow",
    "contradictions",
    "workflow_names",
)
HISTOGRAMS: Final = ("duration_s_histogram", "answered_ring_time_s_histogram", "unanswered_ring_time_s_histogram")
RECORD_MAPS: Final[dict[str, type[QuestionOutcomes] | type[LineWorkflowOutcomes]]] = {
    "questions": QuestionOutcomes,
    "by_workflow": LineWorkflowOutcomes,
}


class OutcomeCounts(Struct, array_like=True):
    """The counts of WindowedOutcomes, as they grow. Adding and removing the same call leaves them as they were.

    Stored: append only. The order of the fields is the format of rows on disk; a new one comes last, with a default.

    A map names MAX_WORDS words at most, each cut to a length, and counts the others as `other`; `overflow` counts those
    for which no name was left. The first words have the names, and a full map keeps them: a word's calls are all under
    its name or all in `other`, so a call is removed where it was added, in whatever order corrections come.
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
    workflow_names: dict[str, int] = field(default_factory=dict)

    def add(self, outcome: CallOutcome, *, by_workflow: bool) -> None:
        """Count one call in. by_workflow: also under its workflow, as a SIP line's windows do."""
        self._apply(outcome, 1, by_workflow)

    def remove(self, outcome: CallOutcome, *, by_workflow: bool) -> None:
        """Count one call out that was counted in before."""
        self._apply(outcome, -1, by_workflow)

    def _apply(self, outcome: CallOutcome, sign: int, by_workflow: bool) -> None:
        self.calls += sign
        self._count("results", self.results, word_or_null(outcome.result), sign)
        self._count("result_labels", self.result_labels, outcome.result_label, sign)
        self._count("hangup_types", self.hangup_types, word_or_null(outcome.hangup_type), sign)
        self._count("ring_types", self.ring_types, outcome.ring_type, sign)
        self._count("dispositions", self.dispositions, outcome.disposition, sign)
        self.duration_s_sum += sign * outcome.duration_s
        self.ring_time_s_sum += sign * outcome.ring_time_s
        self.talk_round_sum += sign * outcome.talk_round
        self.call_times_conflicts += sign * outcome.call_times_conflict
        if outcome.contradiction is not None:
            self._count("contradictions", self.contradictions, outcome.contradiction, sign)
        for position, question in enumerate(outcome.questions, start=1):
            name = question.question_name
            if name not in self.questions:
                name = self._place("questions", self.questions, name, sign)
            _bump(self.questions, name, {question.state: sign, "position_sum": sign * position})
        if outcome.workflow_name and not by_workflow:
            self._count("workflow_names", self.workflow_names, outcome.workflow_name, sign)
        self._apply_attempts(outcome, sign, by_workflow)
        self._apply_answered(outcome, sign)

    def _apply_attempts(self, outcome: CallOutcome, sign: int, by_workflow: bool) -> None:
        dials = len(outcome.attempt_dispositions)
        self.attempts += sign * dials
        self.never_rang_conflicts += sign * outcome.never_rang_conflicts
        for number in range(1, dials + 1):
            if number <= _LAST_LABEL:
                self._count("reached_attempt", self.reached_attempt, attempt_label(number), sign)
        for disposition in outcome.attempt_dispositions:
            self._count("attempt_dispositions", self.attempt_dispositions, disposition, sign)
            if by_workflow:
                self._apply_line_workflow(outcome.workflow_id, disposition, sign)

    def _apply_line_workflow(self, workflow_id: str, disposition: str, sign: int) -> None:
        if workflow_id not in self.by_workflow:
            workflow_id = self._place("by_workflow", self.by_workflow, workflow_id, sign)
        changes = {
            "attempts": sign,
            "answered": sign * (disposition == ANSWERED),
            "delivered": sign * (disposition in DELIVERED),
            "pre_alert_failure": sign * (disposition == PRE_ALERT_FAILURE),
        }
        _bump(self.by_workflow, workflow_id, changes)

    def _apply_answered(self, outcome: CallOutcome, sign: int) -> None:
        if outcome.disposition != ANSWERED:
            self.unanswered_ring_time_s_histogram[bucket_of(outcome.ring_time_s)] += sign
            return
        self.answered += sign
        self.answered_duration_s_sum += sign * outcome.duration_s
        self._count("answered_hangup_types", self.answered_hangup_types, word_or_null(outcome.hangup_type), sign)
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
        """The key for a word that is not in `counts`: its own, or `other` when no name is left."""
        key = cut(key)
        if key in counts or len(counts) < MAX_WORDS or key == OTHER:
            return key
        self.overflow[map_name] = self.overflow.get(map_name, 0) + by
        if not self.overflow[map_name]:
            del self.overflow[map_name]
        return OTHER

    def histograms(self) -> tuple[list[int], ...]:
        """The lists with one count for each of BUCKETS_S and one for the rest."""
        return tuple(getattr(self, name) for name in HISTOGRAMS)

    def fields(self) -> dict[str, object]:
        """The counts as WindowedOutcomes takes them, maps in the order of their keys: equal counts, equal bytes."""
        values: dict[str, object] = {name: getattr(self, name) for name in SUMS}
        for name in MAPS:
            counts = getattr(self, name)
            values[name] = {word: counts[word] for word in sorted(counts) if counts[word]}
        for name in HISTOGRAMS:
            values[name] = list(getattr(self, name))
        for name, record in RECORD_MAPS.items():
            inner = getattr(self, name)
            values[name] = {key: _record_of(record, inner[key]) for key in sorted(inner) if inner[key]}
        return values


def bucket_of(seconds: int) -> int:
    """Index of the histogram bucket: the first whose upper edge is not exceeded, else the last."""
    return next((index for index, edge in enumerate(BUCKETS_S) if seconds <= edge), len(BUCKETS_S))


def _bump(counts: dict[str, dict[str, int]], key: str, changes: dict[str, int]) -> None:
    if key not in counts:
        counts[key] = {}
    inner = counts[key]
    for name in changes:
        value = inner[name] + changes[name] if name in inner else changes[name]
        if value:
            inner[name] = value
        elif name in inner:
            del inner[name]
    if not inner and len(counts) < MAX_WORDS:  # a full map keeps its names
        del counts[key]


def _record_of(
    record: type[QuestionOutcomes] | type[LineWorkflowOutcomes], counts: dict[str, int]
) -> QuestionOutcomes | LineWorkflowOutcomes:
    return record(**{name: counts.get(name, 0) for name in record.__struct_fields__})
