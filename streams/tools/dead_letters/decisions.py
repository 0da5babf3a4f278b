"""Which dead letters a replay sends, and why it leaves the others out. Pure.

A replayed record carries the header `replayed_from`. That header is the mark. It is written with the record, so no
record is sent without its mark, and none is marked without being sent.
"""

from collections import Counter
from enum import Enum
from typing import Final, NamedTuple

from streams.tools.dead_letters.letters import LetterFilter, Origin

CLOCKS_DIFFER_MS: Final = 60 * 60 * 1000


class ReplayDecision(Enum):
    """What a replay does with a letter: it sends those that are DUE, and leaves the others out.

    UNSURE: the source topic no longer reaches back to the failure, so a mark could be gone. INTERNAL: a window change,
    which the worker could take for a repeat. IMPOSSIBLE: neither key nor value, or the partition is gone. CUT: only a
    part of the record was kept.
    """

    DUE = "due"
    REPLAYED = "replayed before"
    UNSURE = "unsure"
    INTERNAL = "internal"
    IMPOSSIBLE = "impossible"
    CUT = "cut, the whole record is at its origin only"


class Failure(NamedTuple):
    """What a decision needs of a letter. `can_be_sent`: it has a key or a value, and its partition exists.

    is_internal: it was read from a topic of window changes.
    """

    origin: Origin
    failed_at: int
    can_be_sent: bool
    is_cut: bool = False
    is_internal: bool = False


class ReplayMarks(NamedTuple):
    """The marks in one source partition, and since when (epoch ms) nothing has left it; None: nothing ever has."""

    found: frozenset[str] = frozenset()
    known_since: int | None = None


class ReplayPlan(NamedTuple):
    """What a replay does, by origin: several letters of one record are one."""

    decisions: dict[Origin, ReplayDecision]

    @property
    def due(self) -> set[Origin]:
        """What is sent."""
        return {origin for origin, decision in self.decisions.items() if decision is ReplayDecision.DUE}

    def counts(self) -> Counter[ReplayDecision]:
        """How many of each."""
        return Counter(self.decisions.values())


def decision_on(failure: Failure, marks: ReplayMarks, wanted: LetterFilter, *, again: bool) -> ReplayDecision:
    """What a replay does with a letter. marks: those of its source partition; again: send what may have been sent."""
    if failure.is_cut:
        return ReplayDecision.CUT
    if not failure.can_be_sent:
        return ReplayDecision.IMPOSSIBLE
    if failure.is_internal and wanted.topic != failure.origin.topic:
        return ReplayDecision.INTERNAL
    if again:
        return ReplayDecision.DUE
    if str(failure.origin) in marks.found:
        return ReplayDecision.REPLAYED
    is_sure = marks.known_since is None or failure.failed_at - CLOCKS_DIFFER_MS >= marks.known_since
    return ReplayDecision.DUE if is_sure else ReplayDecision.UNSURE
