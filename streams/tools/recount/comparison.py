"""Recounted and published windows side by side, cell by cell, and what explains a difference. Pure.

Two facts are published nowhere: which revisions were late for a SIP line, and which came too late to take a call out of
a workflow that it left. So a window is `late` when it is exactly right without the last revisions received after its
grace. Any other difference is a difference.
"""

from collections import Counter
from collections.abc import Mapping
from enum import Enum
from typing import Any, Final, NamedTuple

from msgspec import to_builtins

from schemas.records.outcomes import WindowedOutcomes
from streams.rules.counts import OutcomeCounts
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from streams.rules.times import FUTURE_TOLERANCE_MS
from streams.tools.recount.ledger import Ledger, Revision, Revisions, WindowKey, add, in_late_topic

MAX_CUTS: Final = 1000  # more possibly late revisions of one window than are tried
_NOT_COUNTS: Final = frozenset(("dimension", "value", "window_start_at", "window_end_at", "revision", "is_final"))
_ANY_WORD: Final = "*"
_FEWER: Final = (
    "fewer calls published: perhaps late for the SIP line alone, which is published nowhere (streams/README.md, Limits)"
)


class WindowState(Enum):
    """The result of comparing one window. Only DIFFERENT means that something is wrong.

    LATE: calls that came after the grace explain the difference. MOVING: the worker was changing the window, or had
    changes to it unread. PARTIAL: some of its calls, or its result, may have left their topic.
    """

    EQUAL = "equal"
    DIFFERENT = "different"
    LATE = "late"
    MOVING = "moving"
    PARTIAL = "partial"


class Cell(NamedTuple):
    """One count that differs, e.g. `dispositions.answered`."""

    field: str
    recounted: int
    published: int


class WindowComparison(NamedTuple):
    """One window compared. `cells` are empty only when it is equal."""

    key: WindowKey
    state: WindowState
    cells: list[Cell]
    remark: str = ""


class Evidence(NamedTuple):
    """What a comparison needs besides the calls. `moving`: windows with changes on their way.

    calls_since, results_since: everything appended from then on (epoch ms) is still in the topics of calls, answers,
    attempts and late calls, or of results; None when nothing has left them.
    """

    published: Mapping[WindowKey, WindowedOutcomes]
    moving: frozenset[WindowKey] = frozenset()
    calls_since: int | None = None
    results_since: int | None = None


def compare(ledger: Ledger, evidence: Evidence) -> list[WindowComparison]:
    """Every window in scope that is recounted or published, compared, oldest first."""
    recounted = ledger.windows()
    keys = recounted.keys() | {key for key in evidence.published if ledger.scope.covers(key)}
    cells = {key: differences(recounted.get(key), evidence.published.get(key)) for key in keys}
    touching = ledger.touching(key for key in keys if cells[key])
    windows = [_compared(ledger, evidence, key, cells[key], touching.get(key, [])) for key in keys]
    return sorted(windows, key=lambda window: (window.key.start, window.key))


def differences(recounted: OutcomeCounts | None, published: WindowedOutcomes | None) -> list[Cell]:
    """The cells that differ, in the order of their names; a missing window counts as zeros.

    A map with more words than a window names is compared by its sums: which words have names depends on who came first.
    """
    counted = to_builtins((recounted or OutcomeCounts()).fields())
    stated = {k: v for k, v in published.to_datum().items() if k not in _NOT_COUNTS} if published else {}
    over = counted.pop("overflow").keys() | stated.pop("overflow", {}).keys()
    ours, theirs = (
        _flat({**some, **{name: _summed(some.get(name, {})) for name in over}}) for some in (counted, stated)
    )
    names = sorted(ours.keys() | theirs.keys())
    return [Cell(n, ours.get(n, 0), theirs.get(n, 0)) for n in names if ours.get(n, 0) != theirs.get(n, 0)]


def _summed(words: dict[str, Any]) -> dict[str, int]:
    """The counts of a map without its words, as one: by name where each word has several."""
    total: Counter[str] = Counter()
    for count in words.values():
        total.update(count if isinstance(count, dict) else {_ANY_WORD: count})
    return dict(total)


def _flat(counts: Any, path: str = "") -> dict[str, int]:
    """Counts by dotted name."""
    if isinstance(counts, int):
        return {path: counts}
    inner = counts.items() if isinstance(counts, dict) else enumerate(counts)
    flat: dict[str, int] = {}
    for name, value in inner:
        flat.update(_flat(value, f"{path}.{name}" if path else str(name)))
    return flat


def _compared(
    ledger: Ledger, evidence: Evidence, key: WindowKey, cells: list[Cell], touching: list[Revisions]
) -> WindowComparison:
    if not cells:
        return WindowComparison(key, WindowState.EQUAL, cells)
    if evidence.calls_since is not None and key.start < evidence.calls_since + FUTURE_TOLERANCE_MS:
        return WindowComparison(key, WindowState.PARTIAL, cells, "some of its calls may have left their topics")
    if key not in evidence.published and _result_may_be_gone(evidence, touching):
        return WindowComparison(key, WindowState.PARTIAL, cells, "its result may have left its topic")
    if key in evidence.moving:
        return WindowComparison(key, WindowState.MOVING, cells, "the worker has changes to it on their way")
    if late := late_revisions(ledger, key, evidence.published.get(key), touching):
        remark = f"equal without {late} received after the grace (streams/README.md, Limits)"
        return WindowComparison(key, WindowState.LATE, cells, remark)
    return WindowComparison(key, WindowState.DIFFERENT, cells, _remark(key, cells, key in evidence.published))


def _result_may_be_gone(evidence: Evidence, touching: list[Revisions]) -> bool:
    received = [revision.received_at for revisions in touching for revision in revisions.values()]
    return evidence.results_since is not None and max(received, default=0) < evidence.results_since


def _remark(key: WindowKey, cells: list[Cell], is_published: bool) -> str:
    if not is_published:
        return "no result published"
    is_fewer = any(cell.field == "calls" and cell.published < cell.recounted for cell in cells)
    return _FEWER if is_fewer and key.dimension == SIP_LINE.name else ""


def late_revisions(
    ledger: Ledger, key: WindowKey, published: WindowedOutcomes | None, touching: list[Revisions]
) -> int:
    """How many of the last revisions must have been late to make the published window right; 0 when that fails."""
    doubtful = sorted(
        (r for revisions in touching for r in revisions.values() if _could_be_late(ledger, key, r, revisions)),
        key=lambda revision: revision.received_at,
        reverse=True,
    )
    for cut in range(1, min(len(doubtful), MAX_CUTS) + 1):
        late = {revision.record_id for revision in doubtful[:cut]}
        if not differences(_recount_without(ledger, key, touching, late), published):
            return cut
    return 0


def _recount_without(ledger: Ledger, key: WindowKey, touching: list[Revisions], late: set[str]) -> OutcomeCounts:
    def is_out(of: WindowKey, revision: Revision) -> bool:
        is_late_here = revision.record_id in late and (of.dimension, of.value) == (key.dimension, key.value)
        return is_late_here or in_late_topic(of, revision)

    counts = OutcomeCounts()
    for revisions in touching:
        for place, revision in ledger.standing(revisions, is_out):
            if place == key:
                add(counts, key, revision)
    return counts


def _could_be_late(ledger: Ledger, key: WindowKey, revision: Revision, revisions: Revisions) -> bool:
    """Whether this revision may have changed nothing under the window's workflow or SIP line.

    It is late as a whole when the window it enters or the one it leaves is past its grace, which cannot be before
    that much time has passed since the window's end. For the workflow it enters, the late topic knows.
    """
    if key.dimension == WORKFLOW.name and WORKFLOW.value_of(revision.outcome) == key.value:
        return False
    sides = (revision, revisions.get(revision.number - 1))
    ends = [
        place.start + ledger.settings.window_ms
        for side in sides
        if side is not None
        for place in ledger.keys_of(side.outcome)
        if (place.dimension, place.value) == (key.dimension, key.value)
    ]
    return bool(ends) and revision.received_at >= min(ends) + ledger.settings.grace_ms
