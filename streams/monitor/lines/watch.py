"""Looks at all lines again and again: which are in alarm, and which workflows fell as a whole.

A look is made in a thread, at most every 10 s, and takes at most a tenth of a processor: with ten thousand lines it is
made less often.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final, Protocol

import structlog

from streams.monitor.errors import NotReadyError
from streams.monitor.faults import FaultNote
from streams.monitor.lines.alarms import SPANS_S, Behind, LineAlarms, NeverRings, SpanView
from streams.monitor.lines.notices import Notice, WorkflowNotices
from streams.monitor.lines.past import BackInTime, fell, known_dials, own_past
from streams.monitor.lines.tallies import Tallies
from streams.monitor.outcomes.reader import STALE_AFTER_S
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.windows import window_start

LOOK_EVERY_S: Final = 10.0
MAX_SHARE: Final = 0.1
CHECK_EVERY_S: Final = 1.0
# So many looks in a row that fail, or do not end, and the watch is blind.
MISSED_LOOKS: Final = 3

log = structlog.get_logger("monitor.lines")


class ReaderView(Protocol):
    """The outcome reader as the watch uses it."""

    as_of_ms: int | None

    @property
    def caught_up_store(self) -> OutcomeStore: ...


@dataclass(frozen=True)
class LineState:
    """What the last look saw. as_of_ms: when it was, epoch ms; None before the first. cost_s: how long it took."""

    as_of_ms: int | None = None
    cost_s: float = 0.0
    behind: Mapping[str, Behind] = field(default_factory=dict)
    never: Mapping[str, NeverRings] = field(default_factory=dict)
    fallen: Mapping[str, Notice] = field(default_factory=dict)
    views: tuple[SpanView, ...] = ()


def span_starts(end_ms: int, pane_ms: int, seconds: int) -> range:
    """The starts of the panes of a span that ends there, in whole panes and at least one."""
    count = max(1, seconds * 1000 // pane_ms)
    return range(end_ms - count * pane_ms, end_ms, pane_ms)


class LineWatch:
    """Owns the alarms. `run` until cancelled; `state` any time, from any thread.

    as_of_ms: when it last had looked at all there was to look at (epoch ms), if only to find nothing new.
    """

    def __init__(self, pane_s: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._pane_ms = pane_s * 1000
        self._clock = clock
        self._tallies = Tallies()
        self._alarms = LineAlarms()
        self._notices = WorkflowNotices()
        self._seen: tuple[int, int] | None = None
        self._fault = FaultNote(log, "lines.not_judged", "lines.judged")
        self.state = LineState()
        self.as_of_ms: int | None = None

    @property
    def fault(self) -> str | None:
        """Why the last look did not come to its end."""
        return self._fault.text

    @property
    def pace_s(self) -> float:
        """How long it waits between looks."""
        return max(LOOK_EVERY_S, self.state.cost_s / MAX_SHARE)

    @property
    def stale_after_s(self) -> float:
        """How old `as_of_ms` is when the watch says nothing about now."""
        return MISSED_LOOKS * self.pace_s

    async def run(self, reader: ReaderView, now_s: Callable[[], float] = time.time) -> None:
        """Look until cancelled. While the outcomes are stale nothing is looked at: old numbers raise no alarm."""
        while True:
            now_ms = int(now_s() * 1000)
            try:
                await self._look_if_fresh(reader, now_ms)
            except Exception as error:  # an unforeseen record must not end the watch
                self._fault.set(f"lines cannot be judged: {type(error).__name__}", error)
            else:
                self._fault.clear()
                self.as_of_ms = now_ms
            await asyncio.sleep(self.pace_s if self._seen or self.fault else CHECK_EVERY_S)

    async def _look_if_fresh(self, reader: ReaderView, now_ms: int) -> None:
        if reader.as_of_ms is not None and now_ms - reader.as_of_ms <= STALE_AFTER_S * 1000:
            with suppress(NotReadyError):
                await asyncio.to_thread(self.look, reader.caught_up_store, now_ms)

    def look(self, store: OutcomeStore, now_ms: int) -> LineState:
        """Judge all lines by what the store has now; nothing is done when it has nothing new. One at a time."""
        newest = window_start(now_ms, self._pane_ms)
        seen, began = (store.changes, newest), self._clock()
        if self._seen == seen:
            return self.state
        end = newest + self._pane_ms
        hour = span_starts(end, self._pane_ms, SPANS_S[-1])
        before = span_starts(hour.start, self._pane_ms, SPANS_S[-1])
        self._tallies.update(store, [*before, *hour])
        views = tuple(self._view(end, seconds) for seconds in SPANS_S)
        back = BackInTime(self._tallies, views[-1].span)
        usual = self._tallies.span(before).workflows
        self._alarms.update(
            views, own_past(store, views[-1].span, hour, self._alarms.behind), back.behind_since, back.never_since
        )
        self._notices.update(views, usual, _not_cancelled(store, views, before, end), back.fallen_since, now_ms)
        found = (self._alarms.behind, self._alarms.never, self._notices.fallen)
        self._seen, self.state = seen, LineState(now_ms, self._clock() - began, *found, views)
        return self.state

    def _view(self, end_ms: int, seconds: int) -> SpanView:
        starts = span_starts(end_ms, self._pane_ms, seconds)
        return SpanView(len(starts) * self._pane_ms // 1000, starts.start, self._tallies.span(starts))


def _not_cancelled(
    store: OutcomeStore, views: tuple[SpanView, ...], before: range, end_ms: int
) -> Callable[[str, int], bool]:
    """Whether a workflow's fall remains when its cancelled dials are left out: stopping it by hand is no fall."""

    def is_real(workflow: str, seconds: int) -> bool:
        begin = next(view.start_ms for view in views if view.seconds == seconds)
        now = known_dials(store, workflow, range(begin, end_ms, before.step))
        return fell(now, known_dials(store, workflow, before))

    return is_real
