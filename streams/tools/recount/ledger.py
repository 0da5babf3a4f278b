"""Windows counted again from the published calls, answers and attempts. Pure.

Each call counts once per workflow and per SIP line, as its latest revision there. A revision in the late topic never
reached its workflow's windows. The worker's tables are not used.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

from msgspec import Struct, field

from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import CallOutcome, QuestionState
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import DIMENSIONS, SIP_LINE, WORKFLOW, Dimension
from streams.rules.ids import record_id
from streams.rules.outcomes import DialOutcome, dial_of, outcome_of_call, with_details
from streams.rules.windows import WindowSettings, window_start

MAX_DETAILS: Final = 10_000  # far more than one delivery within the gateway's limit can hold


class WindowKey(NamedTuple):
    """One window: dimension, workflow_id or sip_line, start in epoch ms."""

    dimension: str
    value: str
    start: int


class Scope(NamedTuple):
    """Which windows; None: any. A window is in when it starts in [from_ms, until_ms), epoch ms.

    With a workflow and no SIP line only workflows are compared, and the other way round.
    """

    from_ms: int | None = None
    until_ms: int | None = None
    workflow: str | None = None
    sip_line: str | None = None

    def covers(self, key: WindowKey) -> bool:
        """True when this window is to be compared."""
        wanted = {WORKFLOW.name: self.workflow, SIP_LINE.name: self.sip_line}
        return (
            (self.from_ms is None or key.start >= self.from_ms)
            and (self.until_ms is None or key.start < self.until_ms)
            and (wanted.get(key.dimension) == key.value if any(wanted.values()) else True)
        )


class Revision(Struct):
    """One revision of a call, from its records. `outcome` lacks what answers and attempts add."""

    number: int
    event_id: str
    record_id: str
    received_at: int
    outcome: CallOutcome
    is_late: bool = False
    dials: dict[int, DialOutcome] = field(default_factory=dict)
    questions: dict[int, QuestionState] = field(default_factory=dict)

    def value(self, dimension: Dimension) -> str:
        """The workflow_id or sip_line."""
        return dimension.value_of(self.outcome)

    def whole(self) -> CallOutcome:
        """What this revision adds to a window."""
        dials = [self.dials[number] for number in sorted(self.dials)]
        return with_details(self.outcome, dials, [self.questions[position] for position in sorted(self.questions)])


Revisions = dict[int, Revision]
IsOut = Callable[[WindowKey, Revision], bool]  # true when the revision changed nothing for this workflow or SIP line


class Ledger:
    """The calls as published: add calls first, then late calls, answers and attempts. Repeat: safe."""

    def __init__(self, settings: WindowSettings, scope: Scope | None = None) -> None:
        self.settings = settings
        self.scope = scope or Scope()
        self._calls: dict[str, Revisions] = {}

    def __len__(self) -> int:
        return len(self._calls)

    def add_call(self, call: Call) -> None:
        """Add one revision of a call."""
        revisions = self._calls.setdefault(call.call_id, {})
        if call.revision not in revisions:
            revisions[call.revision] = Revision(
                call.revision, call.event_id, call.record_id, call.received_at, outcome_of_call(call)
            )

    def add_late(self, call: Call) -> None:
        """Add one record of the late topic."""
        if revision := self._calls.get(call.call_id, {}).get(call.revision):
            revision.is_late = True

    def add_answer(self, answer: Answer) -> None:
        """Add one answer."""
        revision = self._calls.get(answer.call_id, {}).get(answer.revision)
        if revision and self._is_wanted(revision):
            state = QuestionState(question_name=answer.question_name, state=answer.state)
            revision.questions[answer.position] = state

    def add_attempt(self, attempt: CallAttempt) -> None:
        """Add one dial. It names its delivery, not its revision."""
        found = [r for r in self._calls.get(attempt.final_call_id, {}).values() if r.event_id == attempt.event_id]
        if len(found) > 1:  # one delivery with the call twice: the ids decide whose dial this is
            found = [revision for revision in found if _is_dial_of(attempt, revision)]
        for revision in filter(self._is_wanted, found):
            revision.dials[attempt.attempt_number] = dial_of(attempt)

    def windows(self) -> dict[WindowKey, OutcomeCounts]:
        """Every window in scope that counts a call."""
        counts: dict[WindowKey, OutcomeCounts] = {}
        for revisions in self._calls.values():
            for key, revision in self.standing(revisions, in_late_topic):
                if self.scope.covers(key):
                    add(counts.setdefault(key, OutcomeCounts()), key, revision)
        return counts

    def touching(self, keys: Iterable[WindowKey]) -> dict[WindowKey, list[Revisions]]:
        """The calls of which any revision falls, or once fell, into each of these windows."""
        found: dict[WindowKey, list[Revisions]] = {key: [] for key in keys}
        for revisions in self._calls.values():
            for key in {key for revision in revisions.values() for key in self.keys_of(revision.outcome)}:
                if key in found:
                    found[key].append(revisions)
        return found

    def keys_of_call(self, call_id: str) -> set[WindowKey]:
        """Every window that any revision of a call falls into."""
        return {key for r in self._calls.get(call_id, {}).values() for key in self.keys_of(r.outcome)}

    def keys_of(self, outcome: CallOutcome) -> tuple[WindowKey, ...]:
        """The window of an outcome in each dimension."""
        start = window_start(outcome.ended_at, self.settings.window_ms)
        return tuple(WindowKey(dimension.name, dimension.value_of(outcome), start) for dimension in DIMENSIONS)

    def standing(self, revisions: Revisions, is_out: IsOut) -> Iterator[tuple[WindowKey, Revision]]:
        """Where a call counts in the end, and as which revision.

        A revision removes the one before it from that one's workflow or SIP line, also when it counts under another.
        """
        ordered = [revisions[number] for number in sorted(revisions)]
        for place, dimension in enumerate(DIMENSIONS):
            for value in dict.fromkeys(revision.value(dimension) for revision in ordered):
                last = None
                for revision in ordered:
                    if not is_out(WindowKey(dimension.name, value, 0), revision):
                        last = revision if revision.value(dimension) == value else None
                if last is not None:
                    yield self.keys_of(last.outcome)[place], last

    def _is_wanted(self, revision: Revision) -> bool:
        return any(self.scope.covers(key) for key in self.keys_of(revision.outcome))


def add(counts: OutcomeCounts, key: WindowKey, revision: Revision) -> None:
    """Count a call into a window."""
    counts.add(revision.whole(), by_workflow=key.dimension == SIP_LINE.name)


def in_late_topic(key: WindowKey, revision: Revision) -> bool:
    """Whether the late topic has this revision for the workflow. For which SIP line a call was late it does not say."""
    return revision.is_late and key.dimension == WORKFLOW.name and revision.outcome.workflow_id == key.value


def _is_dial_of(attempt: CallAttempt, revision: Revision) -> bool:
    """Whether their ids name the same detail of the delivery; see `ids.record_id`."""
    for offset in range(MAX_DETAILS):
        place = (revision.event_id, offset, attempt.final_call_id, revision.number)
        if record_id("call", *place) == revision.record_id:
            return record_id("attempt", *place, attempt.attempt_number) == attempt.record_id
    return False
