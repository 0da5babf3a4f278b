"""The clock of one key, a workflow or a SIP line: how far its calls lie behind their receipt. Pure.

Stream time is the receipt clock minus a delay: the time between end and receipt that several of the key's latest calls
agree on. So it never stands still, needs no idle rule, and no single call with a wrong clock moves it. A key whose
calls are years old (a replay, a demonstration) has its own clock, and closes no window of another key.
"""

from enum import Enum
from typing import Final

from msgspec import Struct, field

from schemas.records.outcomes import CallOutcome, OutcomeChange
from streams.rules.calls import SourcePosition

MAX_LATE: Final = 256  # no more late calls of one key are read again after a crash
CLOCK_CALLS: Final = 32  # the latest calls that a clock is taken from
CLOCK_AGREES: Final = 2  # calls that must agree on it, at least
MAX_CLOSED: Final = 32  # ranges of closed panes; a key with calls every day has one a day
MAX_OPENED: Final = 32  # one key opens fewer panes between two commits, except in a backlog
FAR_MS: Final = 30 * 60 * 1000  # the smallest mistake in a time zone
FARTHEST_ZONES_MS: Final = 26 * 3600 * 1000  # the largest one: from UTC-12 to UTC+14


class Clock(Enum):
    """How far a key's clock is from the receipt of its calls."""

    NEAR = "near"
    BEHIND = "behind"
    AHEAD = "ahead"


class KeyState(Struct, array_like=True):
    """One workflow's or SIP line's clock. Stored: append only, a new field comes last, with a default.

    `delay_ms` is what the latest `delays` between end and receipt agree on. `closed` are ranges of event time whose
    panes are closed for good, and so is what ends by `closed_until`. `positions` are the last seen of each source,
    `late` the latest that were judged late: both show whether a record is read again. `version` counts the
    changes, `ahead` the latest calls dated after their receipt. `opened` is until when the latest panes take calls, by
    their start, in case a crash loses a pane's row.
    """

    delay_ms: int | None = None
    closed_until: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    late: list[SourcePosition] = field(default_factory=list)
    received_at: int = 0
    version: int = 0
    delays: list[int] = field(default_factory=list)
    closed: list[tuple[int, int]] = field(default_factory=list)
    ahead: int = 0
    opened: dict[int, int] = field(default_factory=dict)

    def observe(self, change: OutcomeChange) -> None:
        """Move the clock by a call; one whose event time is its receipt does not move it."""
        if change.received_at > self.received_at:
            self.received_at = change.received_at
        if change.added is None:
            return
        if change.is_event_time_trusted:
            self.delays = [*self.delays[1 - CLOCK_CALLS :], delay_of(change.received_at, change.added)]
            self.delay_ms = agreed_delay_ms(self.delays)
            self.ahead = 0
        elif change.ended_at_source == "future":
            self.ahead = min(self.ahead + 1, CLOCK_CALLS)

    def wait_ms(self, delay_ms: int) -> int:
        """How long after its end a new pane waits for calls. delay_ms: from end to receipt of the call that opens it.

        A call that came far sooner than the others belongs to another time: none of them will follow it.
        """
        if self.delay_ms is None or self.delay_ms - delay_ms > FARTHEST_ZONES_MS:
            return delay_ms
        return self.delay_ms

    def open(self, start: int, closes_at: int) -> int:
        """Fix the receipt until which a pane takes calls; a pane that a crash lost keeps it."""
        settled = self.opened.setdefault(start, closes_at)
        if len(self.opened) > MAX_OPENED:
            del self.opened[next(iter(self.opened))]
        return settled

    def close(self, start: int, end: int) -> None:
        """Close a pane for good. Beyond MAX_CLOSED ranges everything up to the end of the earliest is closed."""
        self.opened.pop(start, None)
        self.closed = _joined([*self.closed, (start, end)])
        while len(self.closed) > MAX_CLOSED:
            self.closed_until = max(self.closed_until, self.closed.pop(0)[1])

    def is_closed(self, start: int, end: int) -> bool:
        """True when a pane takes no more calls, whenever they were received."""
        if end <= self.closed_until:
            return True
        for first, last in self.closed:  # noqa: SIM110  # a generator costs more, once per record
            if first <= start < last:
                return True
        return False

    def clock(self, before: Clock) -> Clock:
        """Whether the clock is far from receipts; a far one must come much nearer to be near again."""
        if self.ahead >= CLOCK_AGREES:
            return Clock.AHEAD
        far = FAR_MS // 2 if before is Clock.BEHIND else FAR_MS
        is_behind = len(self.delays) >= CLOCK_AGREES and (self.delay_ms or 0) >= far
        return Clock.BEHIND if is_behind else Clock.NEAR

    def note(self, position: SourcePosition, *, is_late: bool) -> None:
        """Remember a position as seen."""
        self.positions[position.source] = position.offset
        if is_late:
            self.late = [*self.late[1 - MAX_LATE :], position]
        self.version += 1


def agreed_delay_ms(delays: list[int]) -> int:
    """A small delay that at least two of them do not exceed, and an eighth of many; a single one stands for itself."""
    count = len(delays)
    place = count // 8 if count // 8 > CLOCK_AGREES else CLOCK_AGREES
    return sorted(delays)[(place if place < count else count) - 1]


def delay_of(received_at: int, outcome: CallOutcome) -> int:
    """From the end of a call to its receipt."""
    return received_at - outcome.ended_at if received_at > outcome.ended_at else 0


def _joined(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ranges in order, those that meet as one."""
    joined: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if joined and first <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined
