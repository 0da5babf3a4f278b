"""Windows of event time for one partition of one dimension: panes, stream time, lateness, finals. Pure.

Integer milliseconds in, decisions out; the clock is an argument. One tumbling pane per STREAMS_WINDOW_S; longer
windows are sums of panes, made where they are read.

Stream time is kept per key (a workflow, a SIP line). It is the receipt clock less the smallest delay between the end
of a call and its receipt that the key has seen. So it never stands still, needs no idle rule, and follows from the
records alone: a backlog read at full speed judges each call as it was judged live. A key whose calls are years old
(a replay, a demonstration) has its own clock and closes nobody else's windows.
"""

from enum import Enum
from typing import Final, NamedTuple

from msgspec import Struct, field

from schemas.records import CallOutcome, OutcomeChange, WindowedOutcomes
from streams.calls import NOWHERE, Position
from streams.outcomes import OutcomeCounts

WORKFLOW: Final = "workflow"
SIP_LINE: Final = "sip_line"
MAX_LATE: Final = 256  # more late calls of one key than are read again after a crash


class Effect(Enum):
    """What one change did."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    LATE = "late"


class WindowSettings(NamedTuple):
    """Sizes in ms: of a pane, and for how long after its end a pane still takes calls."""

    window_ms: int
    grace_ms: int


class KeyState(Struct, array_like=True):
    """One workflow's or SIP line's clock. `closed_until`: every pane ending by then is closed for good.

    `positions` are the last seen of each source, `late` the latest that were judged late: both tell a record that is
    read again from a new one. `version` counts the changes.
    """

    min_delay_ms: int | None = None
    closed_until: int = 0
    positions: dict[int, int] = field(default_factory=dict)
    late: list[Position] = field(default_factory=list)
    received_at: int = 0
    version: int = 0

    def stream_time(self, received_at: int) -> int:
        """Event time that the key had reached when something received at `received_at` came."""
        return received_at - (self.min_delay_ms or 0)

    def observe(self, change: OutcomeChange) -> None:
        """Let a call move the clock; one whose event time is only its time of receipt does not."""
        self.received_at = max(self.received_at, change.received_at)
        if change.added is None or not change.is_event_time_trusted:
            return
        delay = max(change.received_at - change.added.ended_at, 0)
        self.min_delay_ms = delay if self.min_delay_ms is None else min(self.min_delay_ms, delay)

    def note(self, position: Position, *, is_late: bool) -> None:
        """Remember a position as seen."""
        self.positions[position.source] = position.offset
        if is_late:
            self.late = [*self.late[1 - MAX_LATE :], position]
        self.version += 1


class Pane(Struct, array_like=True):
    """One window of one key. `revision` counts the changes applied; `positions` the last applied of each source."""

    revision: int = 0
    counts: OutcomeCounts = field(default_factory=OutcomeCounts)
    positions: dict[int, int] = field(default_factory=dict)


class PaneId(NamedTuple):
    """A pane: its key and its start, UTC epoch ms."""

    value: str
    start: int


class Part(NamedTuple):
    """One half of a change: a call into (sign 1) or out of (-1) a pane."""

    pane_id: PaneId
    outcome: CallOutcome
    sign: int


class Windows:
    """The open windows of one partition of one dimension, and what changed since the rows were last taken.

    Not safe to share between tasks. After `load`, feed `apply` in the order of the partition and call `close_due`
    now and then; after each, `take_changes` tells which rows to store and which results to publish.
    """

    def __init__(self, dimension: str, settings: WindowSettings) -> None:
        self.dimension = dimension
        self._settings = settings
        self._keys: dict[str, KeyState] = {}
        self._panes: dict[PaneId, Pane] = {}
        self._open: dict[str, set[int]] = {}
        self._changed_keys: dict[str, None] = {}
        self._changed_panes: dict[PaneId, None] = {}

    def newest_received_at(self) -> int:
        """The latest receipt that any key has seen; 0 for none."""
        return max((key.received_at for key in self._keys.values()), default=0)

    def expire(self, received_before: int) -> list[str]:
        """Forget the clocks of keys without open panes that saw nothing since. Returns their values."""
        idle = [v for v, key in self._keys.items() if key.received_at < received_before and not self._open.get(v)]
        for value in idle:
            del self._keys[value]
            self._open.pop(value, None)
            self._changed_keys.pop(value, None)
        return idle

    def __len__(self) -> int:
        return len(self._panes)

    def load_key(self, value: str, state: KeyState) -> None:
        """Put a stored clock in place."""
        self._keys[value] = state

    def load_pane(self, pane_id: PaneId, pane: Pane) -> None:
        """Put a stored pane in place, open or waiting to be closed."""
        self._panes[pane_id] = pane
        self._open.setdefault(pane_id.value, set()).add(pane_id.start)

    def apply(self, value: str, change: OutcomeChange, position: Position, removed_at: Position = NOWHERE) -> Effect:
        """Apply one change of one key; `removed_at` is where the outcome it removes was added.

        A correction of what was refused as late is late too: the outcome it would remove was never counted here.
        Repeat: safe; a position already applied counts nothing, but is stored again.
        """
        key = self._keys[value] if value in self._keys else self._keys.setdefault(value, KeyState())
        self._changed_keys[value] = None
        parts = self._parts(value, change)
        if position in key.late:
            return Effect.LATE
        if position.offset <= key.positions.get(position.source, -1):
            return self._apply_again(key, parts, position)
        if change.added is not None:
            key.observe(change)
        if removed_at in key.late or self._is_late(key, parts, change.received_at):
            key.note(position, is_late=True)
            return Effect.LATE
        self._count(parts, position)
        key.note(position, is_late=False)
        return Effect.APPLIED

    def close_due(self, received_until: int) -> list[PaneId]:
        """Close every pane whose grace is over, given that all calls received until then have been applied.

        Returns the panes closed, oldest first, those included that were closed before a crash and never cleared away.
        They take no more calls; `final` gives their last result, `forget` clears them once that is published.
        """
        due: list[PaneId] = []
        for value, starts in self._open.items():
            key = self._keys.setdefault(value, KeyState())
            horizon = key.stream_time(received_until) - self._settings.grace_ms
            closed = [start for start in starts if start + self._settings.window_ms <= max(horizon, key.closed_until)]
            if closed:
                key.closed_until = max(key.closed_until, max(closed) + self._settings.window_ms)
                key.version += 1
                self._changed_keys[value] = None
                due.extend(PaneId(value, start) for start in closed)
                starts.difference_update(closed)
        return sorted(due, key=lambda pane_id: (pane_id.start, pane_id.value))

    def final(self, pane_id: PaneId) -> WindowedOutcomes:
        """The last result of a closed pane."""
        return self._result(pane_id, is_final=True)

    def forget(self, pane_id: PaneId) -> None:
        """Drop a closed pane whose final result is published. Repeat: safe."""
        self._panes.pop(pane_id, None)
        self._changed_panes.pop(pane_id, None)

    def result(self, pane_id: PaneId) -> WindowedOutcomes:
        """The result of an open pane as it stands."""
        return self._result(pane_id, is_final=False)

    def take_changes(self) -> tuple[dict[str, KeyState], dict[PaneId, Pane]]:
        """Clocks and panes changed since the last call, to be stored in this order."""
        keys = {value: self._keys[value] for value in self._changed_keys if value in self._keys}
        panes = {pane_id: self._panes[pane_id] for pane_id in self._changed_panes if pane_id in self._panes}
        self._changed_keys.clear()
        self._changed_panes.clear()
        return keys, panes

    def _result(self, pane_id: PaneId, *, is_final: bool) -> WindowedOutcomes:
        pane = self._panes[pane_id]
        return WindowedOutcomes(
            dimension=self.dimension,
            value=pane_id.value,
            window_start_at=pane_id.start,
            window_end_at=pane_id.start + self._settings.window_ms,
            revision=pane.revision,
            is_final=is_final,
            **pane.counts.fields(),  # type: ignore[arg-type]  # names and types agree by tests/contract
        )

    def _parts(self, value: str, change: OutcomeChange) -> list[Part]:
        """The panes a change touches: the old outcome out, the new one in, as far as they belong to this key."""
        parts = []
        for outcome, sign in ((change.removed, -1), (change.added, 1)):
            if outcome is not None:
                start = outcome.ended_at - outcome.ended_at % self._settings.window_ms
                parts.append(Part(PaneId(value, start), outcome, sign))
        return parts

    def _apply_again(self, key: KeyState, parts: list[Part], position: Position) -> Effect:
        """A position the clock has seen: counted only where a crash lost the pane's row after storing the clock's."""
        lost = [part for part in parts if self._end(part) > key.closed_until and not self._has(part, position)]
        self._count(lost, position)
        for part in parts:
            if part.pane_id in self._panes and self._end(part) > key.closed_until:
                self._changed_panes[part.pane_id] = None
        return Effect.APPLIED if lost else Effect.DUPLICATE

    def _has(self, part: Part, position: Position) -> bool:
        pane = self._panes.get(part.pane_id)
        return pane is not None and position.offset <= pane.positions.get(position.source, -1)

    def _is_late(self, key: KeyState, parts: list[Part], received_at: int) -> bool:
        horizon = max(key.stream_time(received_at) - self._settings.grace_ms, key.closed_until)
        return any(self._end(part) <= horizon for part in parts)

    def _end(self, part: Part) -> int:
        return part.pane_id.start + self._settings.window_ms

    def _count(self, parts: list[Part], position: Position) -> None:
        for part in parts:
            pane = self._panes.get(part.pane_id)
            if pane is None:
                self.load_pane(part.pane_id, pane := Pane())
            if part.sign > 0:
                pane.counts.add(part.outcome, by_workflow=self.dimension == SIP_LINE)
            else:
                pane.counts.remove(part.outcome, by_workflow=self.dimension == SIP_LINE)
        for pane_id in {part.pane_id for part in parts}:
            pane = self._panes[pane_id]
            pane.revision += 1
            pane.positions[position.source] = position.offset
            self._changed_panes[pane_id] = None
