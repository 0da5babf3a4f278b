"""The state of each call, by which a repeat changes nothing and a correction moves the counts. Pure.

Each record of the callbacks topic gets one decision, which is stored before anything is sent. When the same record is
read again after a crash, it gets the same decision, so the same records go out again under the same ids.
"""

from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct, field

from schemas.records.outcomes import CallOutcome
from schemas.topics import CALLBACKS, REKEYED_DETAILS

# Far more corrections than one call sees between two commits: no older record is read again.
MAX_DECISIONS: Final = 32
MAX_DELIVERIES: Final = 64
_DELIVERY_DIGITS: Final = 16


class SourcePosition(NamedTuple):
    """Where a record of a call was read. Stored.

    `source` is one number for the topic and the partition: even for the callbacks topic, odd for that of re-keyed
    details.
    """

    source: int
    offset: int

    @classmethod
    def of(cls, topic: str | None, partition: int, offset: int) -> "SourcePosition":
        """The position of a record that was read from `topic`."""
        return cls(partition * 2 + (topic == REKEYED_DETAILS.name), offset)

    @property
    def topic(self) -> str:
        """The name of the topic."""
        return REKEYED_DETAILS.name if self.source % 2 else CALLBACKS.name

    @property
    def partition(self) -> int:
        """The partition of the topic."""
        return self.source // 2


NOWHERE: Final = SourcePosition(-1, -1)  # what no record has


class Ignored(Enum):
    """Why a record changes nothing."""

    DUPLICATE = "duplicate"
    STALE = "stale"


class Decision(Struct, array_like=True):
    """The decision on the record at one position: its revision, the outcome replaced, and where that was read.

    Stored: append only. The order of the fields is the format of rows on disk; a new one comes last, with a default.
    """

    source: int
    offset: int
    revision: int
    replaced: CallOutcome | None
    replaced_at: SourcePosition | None = None


class CallState(Struct, array_like=True):
    """One call: its latest revision, content and outcome, the deliveries seen, the latest decisions.

    `call_times` is the highest number of dials in a counted report.

    Stored: append only. The order of the fields is the format of rows on disk; a new one comes last, with a default.
    """

    revision: int = 0
    digest: bytes = b""
    outcome: CallOutcome | None = None
    received_at: int = 0
    deliveries: list[str] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    version: int = 0
    call_times: int = 0


def delivery_of(event_id: str, detail_offset: int) -> str:
    """A short name of a detail: its delivery and its place in it. A second reading has the same."""
    return f"{event_id[:_DELIVERY_DIGITS]}.{detail_offset}"


def decide(
    state: CallState, position: SourcePosition, delivery: str, digest: bytes, call_times: int | None = None
) -> Decision | Ignored:
    """The decision on one record, or why the record changes nothing.

    The decision of an earlier reading of this position is returned as it was. A new one is not yet in `state`.
    A report with fewer dials than a counted one is older by its own words; one without a number, or with a negative
    one, is not.
    """
    for known in state.decisions:
        if known.source == position.source and known.offset == position.offset:
            return known
    if delivery in state.deliveries or digest == state.digest:
        return Ignored.DUPLICATE
    if call_times is not None and 0 <= call_times < state.call_times:
        return Ignored.STALE
    replaced_at = SourcePosition(state.decisions[-1].source, state.decisions[-1].offset) if state.decisions else None
    return Decision(position.source, position.offset, state.revision + 1, state.outcome, replaced_at)


def remember(
    state: CallState,
    decision: Decision,
    delivery: str,
    digest: bytes,
    outcome: CallOutcome,
    received_at: int,
    call_times: int | None = None,
) -> None:
    """Put a new decision into the state. Repeat: safe."""
    if decision.revision <= state.revision:
        return
    state.revision = decision.revision
    state.digest = digest
    state.outcome = outcome
    state.received_at = max(state.received_at, received_at)
    if call_times is not None and call_times > state.call_times:
        state.call_times = call_times
    state.decisions = [*state.decisions[1 - MAX_DECISIONS :], decision]
    note_delivery(state, delivery)


def note_delivery(state: CallState, delivery: str) -> None:
    """Remember a delivery, also one whose content is not new. Repeat: safe."""
    if delivery not in state.deliveries:
        state.deliveries = [*state.deliveries[1 - MAX_DELIVERIES :], delivery]
        state.version += 1
