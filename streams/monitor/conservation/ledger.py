"""Pure: the difference of each step over many looks, told apart from what is on its way.

Upstream is read after downstream, so upstream - downstream is what is on its way, and what was lost, and a constant:
counters of two processes do not begin together. The constant is the lowest value that was ever seen. While nothing
moves, nothing is on its way, and a difference is exact. While something does, it is the nearest of two minutes
to that constant, and is shown when it exceeds what is known to wait and what passes in the time that one look takes.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from streams.monitor.conservation.steps import STEPS, StepName, Term

RECENT_MS: Final = 120_000
# How long one look may take, from the first thing read to the last.
LOOK_MS: Final = 5_000


@dataclass(frozen=True)
class Difference:
    """One step now. value: None while it is not known, and why. is_exact: nothing moved. since_ms: of the constant."""

    step: StepName
    term: Term
    value: int | None = None
    is_exact: bool = False
    since_ms: int | None = None
    why: str = ""


@dataclass
class _Account:
    """What is remembered of one step."""

    epoch: str = ""
    lowest: int | None = None
    since_ms: int = 0
    recent: deque[tuple[int, int, int]] = field(default_factory=deque)
    before: Term | None = None

    def begin(self, epoch: str, at_ms: int) -> None:
        self.epoch, self.lowest, self.since_ms, self.before = epoch, None, at_ms, None
        self.recent.clear()


class Ledger:
    """One per process. `update` with each look, in order."""

    def __init__(self) -> None:
        self._accounts: dict[StepName, _Account] = {step: _Account() for step in STEPS}

    def update(self, terms: Mapping[StepName, Term], at_ms: int) -> tuple[Difference, ...]:
        """The differences after one more look."""
        return tuple(self._of(step, term, at_ms) for step, term in terms.items())

    def _of(self, step: StepName, term: Term, at_ms: int) -> Difference:
        account = self._accounts[step]
        if term.why:
            account.before = None
            return Difference(step, term, why=term.why)
        before, account.before = account.before, term
        if term.epoch != account.epoch or (before is not None and _went_back(before, term)):
            account.begin(term.epoch, at_ms)
            account.before = term
            before = None
        is_still = before == term and term.waiting == 0
        value = self._value(account, step, term, at_ms, is_still)
        return Difference(step, term, value, is_still, account.since_ms)

    def _value(self, account: _Account, step: StepName, term: Term, at_ms: int, is_still: bool) -> int:
        gap = term.upstream - term.downstream
        account.recent.append((at_ms, gap, term.upstream))
        while at_ms - account.recent[0][0] > RECENT_MS:
            account.recent.popleft()
        lowest = gap if account.lowest is None else min(account.lowest, gap)
        # two counters of one process begin together: a request has one of each
        account.lowest = lowest = 0 if step == "requests" else lowest
        if is_still:
            return gap - lowest
        (began_ms, _, began), *_ = account.recent
        passing = (term.upstream - began) * LOOK_MS // max(1, at_ms - began_ms)
        nearest = min((value - lowest for _, value, _ in account.recent), key=abs)
        return nearest if abs(nearest) > term.waiting + passing else 0

    def saved(self) -> dict[str, Any]:
        """What `restore` needs, as JSON can say it."""
        return {step: [a.epoch, a.lowest, a.since_ms] for step, a in self._accounts.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `saved` gave in an earlier process: as long as the epochs are the same."""
        for step in STEPS:
            if step in saved:
                account = self._accounts[step]
                account.epoch, account.lowest, account.since_ms = saved[step]


def _went_back(before: Term, term: Term) -> bool:
    """A counter that goes down began anew, and so did a topic."""
    return term.upstream < before.upstream or term.downstream < before.downstream
