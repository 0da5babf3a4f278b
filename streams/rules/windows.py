"""Windows of event time for one partition of one dimension: panes, stream time, lateness, finals. Pure.

Integer milliseconds in, decisions out; the clock is an argument. One tumbling pane per STREAMS_WINDOW_S; a reader adds
panes up to longer windows (`merging`).

Stream time is kept per key, a workflow or a SIP line (`clocks`), and follows from the records alone. When a pane opens,
the receipt until which it takes calls is fixed: its end, plus the key's delay, plus the grace. So a backlog that is
read at full speed judges each call as it was judged live.
"""

from collections.abc import Iterable
from enum import Enum
from typing import NamedTuple

from schemas.records.outcomes import OutcomeChange, WindowedOutcomes
from streams.rules.calls import NOWHERE, SourcePosition
from streams.rules.clocks import FAR_MS, Clock, KeyState, delay_of
from streams.rules.dimensions import Dimension
from streams.rules.panes import Pane, PaneId, Part


def window_start(at_ms: int, window_ms: int) -> int:
    """The start of the window around an instant; windows are aligned to the epoch."""
    return at_ms - at_ms % window_ms


class Effect(Enum):
    """What one change did."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    LATE = "late"


class WindowSettings(NamedTuple):
    """Sizes in ms: of a pane, and for how long after its end a pane still takes calls."""

    window_ms: int
    grace_ms: int


class ClockChange(NamedTuple):
    """A key whose clock went far from its receipts, or came near again. `delay_ms`: what its calls agree on."""

    value: str
    clock: Clock
    delay_ms: int


class Windows:
    """The open windows of one partition of one dimension, and what changed since the rows were last taken.

    Not safe to share between tasks. After `load`, feed `apply` in the order of the partition and call `close_due`
    now and then; after each, `pop_changes` gives the rows to store and the results to publish.
    """

    def __init__(self, dimension: Dimension, settings: WindowSettings) -> None:
        self.dimension = dimension
        self._settings = settings
        self._keys: dict[str, KeyState] = {}
        self._panes: dict[PaneId, Pane] = {}
        self._open: dict[str, dict[int, Pane]] = {}
        self._changed_keys: dict[str, None] = {}
        self._changed_panes: dict[PaneId, None] = {}
        self._far: dict[str, Clock] = {}
        self._clock_changes: list[ClockChange] = []

    def newest_received_at(self) -> int:
        """The latest receipt that any key has seen; 0 for none."""
        return max((key.received_at for key in self._keys.values()), default=0)

    def expire(self, received_before: int) -> list[str]:
        """Expire the clocks of keys without open panes that received nothing since. Returns their values."""
        idle = [v for v, key in self._keys.items() if key.received_at < received_before and not self._open.get(v)]
        for value in idle:
            del self._keys[value]
            self._open.pop(value, None)
            self._far.pop(value, None)
            self._changed_keys.pop(value, None)
        return idle

    def __len__(self) -> int:
        return len(self._panes)

    def load_key(self, value: str, state: KeyState) -> None:
        """Put a stored clock in place."""
        self._keys[value] = state
        if (clock := state.clock(Clock.BEHIND)) is not Clock.NEAR:
            self._far[value] = clock

    def load_pane(self, pane_id: PaneId, pane: Pane) -> None:
        """Put a stored pane in place, open or waiting to be closed."""
        if not pane.closes_at:  # a row of a release that did not settle it
            key = self._keys.get(pane_id.value, KeyState())
            pane.closes_at = self._end(pane_id.start) + (key.delay_ms or 0) + self._settings.grace_ms
        self._panes[pane_id] = pane
        self._open.setdefault(pane_id.value, {})[pane_id.start] = pane

    def apply(
        self, value: str, change: OutcomeChange, position: SourcePosition, removed_at: SourcePosition = NOWHERE
    ) -> Effect:
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
            return self._apply_again(key, parts, position, change.received_at)
        is_late = removed_at in key.late or self._is_late(key, parts, change.received_at)
        if not is_late:
            self._count(key, parts, position, change.received_at)
        key.observe(change)  # a call is not judged by the clock it sets itself
        if key.ahead or (key.delay_ms or 0) >= FAR_MS or value in self._far:
            self._note_clock(value, key)
        key.note(position, is_late=is_late)
        return Effect.LATE if is_late else Effect.APPLIED

    def panes_of(self, value: str, change: OutcomeChange) -> list[PaneId]:
        """The panes that a change of one key touches."""
        return [part.pane_id for part in self._parts(value, change)]

    def close_due(self, received_until: int) -> list[PaneId]:
        """Close every pane whose grace is over, given that all calls received until then have been applied.

        Returns the panes closed, oldest first, those included that were closed before a crash and never cleared away.
        They take no more calls; `final` gives their last result, `drop` clears them once that is published.
        """
        due: list[PaneId] = []
        for value, panes in self._open.items():
            key = self._keys.setdefault(value, KeyState())
            closed = [
                start
                for start, pane in panes.items()
                if pane.closes_at <= received_until or key.is_closed(start, self._end(start))
            ]
            if closed:
                for start in closed:
                    key.close(start, self._end(start))
                    del panes[start]
                key.version += 1
                self._changed_keys[value] = None
                due.extend(PaneId(value, start) for start in closed)
        return sorted(due, key=lambda pane_id: (pane_id.start, pane_id.value))

    def result_at(self, pane_id: PaneId) -> int:
        """The instant of a pane's result: its end, or the latest receipt counted if that is earlier."""
        return min(self._end(pane_id.start), self._panes[pane_id].received_at)

    def far_clocks(self) -> Iterable[Clock]:
        """One for each key whose clock is hours away from its receipts."""
        return self._far.values()

    def pop_clock_changes(self) -> list[ClockChange]:
        """The keys whose clock went far or came near again since the last call."""
        changes, self._clock_changes = self._clock_changes, []
        return changes

    def final(self, pane_id: PaneId) -> WindowedOutcomes:
        """The last result of a closed pane."""
        return self._result(pane_id, is_final=True)

    def drop(self, pane_id: PaneId) -> None:
        """Drop a closed pane whose final result is published. Repeat: safe."""
        self._panes.pop(pane_id, None)
        self._changed_panes.pop(pane_id, None)

    def result(self, pane_id: PaneId) -> WindowedOutcomes:
        """The result of an open pane as it stands."""
        return self._result(pane_id, is_final=False)

    def pop_changes(self) -> tuple[dict[str, KeyState], dict[PaneId, Pane]]:
        """Clocks and panes changed since the last call, to be stored in this order."""
        keys = {value: self._keys[value] for value in self._changed_keys if value in self._keys}
        panes = {pane_id: self._panes[pane_id] for pane_id in self._changed_panes if pane_id in self._panes}
        self._changed_keys.clear()
        self._changed_panes.clear()
        return keys, panes

    def _result(self, pane_id: PaneId, *, is_final: bool) -> WindowedOutcomes:
        pane = self._panes[pane_id]
        return WindowedOutcomes(
            dimension=self.dimension.name,
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
                start = window_start(outcome.ended_at, self._settings.window_ms)
                parts.append(Part(PaneId(value, start), outcome, sign))
        return parts

    def _apply_again(self, key: KeyState, parts: list[Part], position: SourcePosition, received_at: int) -> Effect:
        """A position the clock has seen: counted only where a crash lost the pane's row after storing the clock's."""
        still_open = [part for part in parts if not self._is_closed(key, part)]
        lost = [part for part in still_open if not self._has(part, position)]
        self._count(key, lost, position, received_at)
        for part in still_open:
            if part.pane_id in self._panes:
                self._changed_panes[part.pane_id] = None
        return Effect.APPLIED if lost else Effect.DUPLICATE

    def _has(self, part: Part, position: SourcePosition) -> bool:
        pane = self._panes.get(part.pane_id)
        return pane is not None and position.offset <= pane.positions.get(position.source, -1)

    def _is_late(self, key: KeyState, parts: list[Part], received_at: int) -> bool:
        """True when a pane takes no more calls: it is closed, or this call came too late for it, open or not."""
        for part in parts:
            start = part.pane_id.start
            end = start + self._settings.window_ms
            if part.pane_id in self._panes:
                closes_at = self._panes[part.pane_id].closes_at
            elif key.delay_ms is None:
                closes_at = received_at + 1
            else:
                closes_at = end + key.delay_ms + self._settings.grace_ms
            if received_at >= closes_at or key.is_closed(start, end):
                return True
        return False

    def _is_closed(self, key: KeyState, part: Part) -> bool:
        return key.is_closed(part.pane_id.start, self._end(part.pane_id.start))

    def _end(self, start: int) -> int:
        return start + self._settings.window_ms

    def _opened(self, key: KeyState, part: Part, received_at: int) -> Pane:
        wait_ms = key.wait_ms(delay_of(received_at, part.outcome)) + self._settings.grace_ms
        start = part.pane_id.start
        pane = Pane(closes_at=key.open(start, self._end(start) + wait_ms))
        self.load_pane(part.pane_id, pane)
        return pane

    def _count(self, key: KeyState, parts: list[Part], position: SourcePosition, received_at: int) -> None:
        for part in parts:
            pane = self._panes[part.pane_id] if part.pane_id in self._panes else self._opened(key, part, received_at)
            if part.sign > 0:
                pane.counts.add(part.outcome, by_workflow=self.dimension.by_workflow)
            else:
                pane.counts.remove(part.outcome, by_workflow=self.dimension.by_workflow)
        for pane_id in {part.pane_id for part in parts}:
            pane = self._panes[pane_id]
            pane.revision += 1
            pane.positions[position.source] = position.offset
            if received_at > pane.received_at:
                pane.received_at = received_at
            self._changed_panes[pane_id] = None

    def _note_clock(self, value: str, key: KeyState) -> None:
        before = self._far.get(value, Clock.NEAR)
        clock = key.clock(before)
        if clock is before:
            return
        if clock is Clock.NEAR:
            del self._far[value]
        else:
            self._far[value] = clock
        self._clock_changes.append(ClockChange(value, clock, key.delay_ms or 0))
