"""The dials of a range by line, from records in any order: each call as its latest revision. Pure."""

from collections import Counter
from dataclasses import dataclass

from schemas.records.calls import CallAttempt
from schemas.topics import SYNTHETIC_WORKFLOW_ID
from streams.monitor.lines.dials import Dial, dial_of


@dataclass
class Reading:
    """How the records of a range were read. fault: why they were not; cut: what was left out. Empty: nothing."""

    records: int = 0
    bytes: int = 0
    seconds: float = 0.0
    undecodable: int = 0
    cut: str = ""
    fault: str = ""


class DialLedger:
    """The dials whose start lies in [from_ms, to_ms), UTC epoch ms. One that has no time counts as it was appended."""

    def __init__(self, from_ms: int, to_ms: int) -> None:
        self._from_ms, self._to_ms = from_ms, to_ms
        self._calls: dict[str, tuple[int, dict[int, tuple[str, Dial]]]] = {}
        self._known: dict[Dial, Dial] = {}  # one object for each kind

    def put(self, attempt: CallAttempt, appended_at: int) -> None:
        """Take one dial in. Repeat: safe; what an older revision of its call said is dropped."""
        if attempt.workflow_id == SYNTHETIC_WORKFLOW_ID:
            return
        revision, dials = self._calls.get(attempt.final_call_id, (0, {}))
        if attempt.revision < revision:
            return
        if attempt.revision > revision:
            dials = {}
            self._calls[attempt.final_call_id] = attempt.revision, dials
        at_ms = appended_at if attempt.started_at is None else attempt.started_at
        if self._from_ms <= at_ms < self._to_ms:
            dial = dial_of(attempt, at_ms)
            dials[attempt.attempt_number] = attempt.sip_line, self._known.setdefault(dial, dial)

    def tally(self) -> dict[str, Counter[Dial]]:
        """How many dials of each kind each line made."""
        found: dict[str, Counter[Dial]] = {}
        for _, dials in self._calls.values():
            for line, dial in dials.values():
                found.setdefault(line, Counter())[dial] += 1
        return found
