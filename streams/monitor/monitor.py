"""The monitor's parts that live as long as the process, and whether it is ready."""

import asyncio
import json
import time
from collections.abc import Iterable
from functools import partial
from typing import Any, Final

import structlog

from schemas.runtime import instants
from schemas.topics import CALLBACKS
from streams.monitor.conservation.conservation import Conservation
from streams.monitor.conservation.metrics import ConservationMetrics
from streams.monitor.conservation.problems import conservation_problems
from streams.monitor.events import EventHub
from streams.monitor.health import MAX_NAMED, Health, HealthSource, HealthTracker, Problem, health_view
from streams.monitor.history.memory import Memory
from streams.monitor.history.names import PROBE_ROUNDTRIP, of_hop
from streams.monitor.history.problems import history_problems, windows_problems
from streams.monitor.lag.poller import STALE_AFTER_S as LAG_STALE_AFTER_S
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.lag.views import lag_view
from streams.monitor.lines.metrics import LineFamilies
from streams.monitor.lines.problems import line_problems
from streams.monitor.lines.watch import LineState, LineWatch
from streams.monitor.losses.watch import LossWatch
from streams.monitor.metrics import MonitorMetrics
from streams.monitor.outcomes.reader import STALE_AFTER_S as OUTCOMES_STALE_AFTER_S
from streams.monitor.outcomes.reader import OutcomeReader
from streams.monitor.outcomes.store import MAX_PANES
from streams.monitor.outcomes.totals import Totals
from streams.monitor.probe.hops import LAST
from streams.monitor.probe.prober import Prober
from streams.monitor.probe.problems import probe_problems
from streams.monitor.records.dials import DialReader
from streams.monitor.records.one import RecordReader
from streams.monitor.settings import MonitorSettings

BEAT_S: Final = 2.0
# Large answers are made in threads; further ones wait, and everything else goes on.
ANSWERS_AT_ONCE: Final = 2

STOP_DEADLINE_S: Final = 5.0
CANCEL_AGAIN_S: Final = 0.5

log = structlog.get_logger("monitor")


class Monitor:
    """Owns the poller, the reader and the events. `start` and `stop` once each, in one event loop."""

    def __init__(self, settings: MonitorSettings) -> None:
        self.settings = settings
        self.events = EventHub()
        self.metrics = MonitorMetrics(settings.window_s)
        self.poller = LagPoller(settings, self._lag_polled, self.metrics.poll_duration.observe)
        self.reader = OutcomeReader(settings, self._outcomes_changed)
        self.memory = Memory(settings, self.poller.losses)
        self.history = self.memory.history
        self.dials = DialReader(settings)
        self.records = RecordReader(settings)
        self.prober = Prober(settings, self.metrics.registry, self._probe_arrived) if settings.has_probe else None
        self.totals = Totals(settings.history_days)
        self.reader.observe(self.totals.observe)
        self.history.derive("ner", self.totals.ner)
        self.conservation = Conservation(settings, self.history, self.reader)
        self.metrics.registry.register(ConservationMetrics(self.conservation))
        self.losses = LossWatch(self.history, self._snapshot, self.conservation.newest)
        self.metrics.watch(self.poller, self.reader)
        self.metrics.schema_registry.watch(self.reader.registry)
        self.lines = LineWatch(settings.window_s)
        self.metrics.registry.register(LineFamilies(self.line_state, self.metrics.outcomes.labels))
        self.room_for_answers = asyncio.Semaphore(ANSWERS_AT_ONCE)
        self._health = HealthTracker(self.memory.problems)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Open the history, then begin to poll and read. Does not wait for Kafka."""
        await self.memory.open()
        loops = [self.poller.run(), self.reader.run(), self.history.run(), self.metrics.run(), self._beat()]
        loops.append(self.lines.run(self.reader))
        loops += [self.conservation.run(), self.losses.run()]
        if self.prober:
            loops.append(self.prober.run())
        self._tasks = [asyncio.create_task(loop) for loop in loops]

    async def stop(self) -> None:
        """Cancel what `start` began, within STOP_DEADLINE_S."""
        deadline = time.monotonic() + STOP_DEADLINE_S
        pending = set(self._tasks)
        while pending and time.monotonic() < deadline:
            for task in pending:
                # again and again: in Python 3.11 wait_for, which aiokafka uses, swallows a cancellation that comes
                # in the moment its own wait ends
                task.cancel()
            _, pending = await asyncio.wait(pending, timeout=CANCEL_AGAIN_S)
        await self.dials.aclose()
        await self.records.aclose()
        await self.history.aclose()

    def health(self, now_ms: int | None = None) -> Health:
        """The health now."""
        now_ms = _now_ms() if now_ms is None else now_ms
        found = [
            *(probe_problems(self.prober) if self.prober else ()),
            *self._line_problems(now_ms),
            *conservation_problems(self.conservation.differences(now_ms)),
            *history_problems(self.history),
            *windows_problems(self.reader.trimmed_to_ms, MAX_PANES),
        ]
        return self._health.update(self._sources(now_ms), self._snapshot(), self.settings.group, now_ms, found)

    def _line_problems(self, now_ms: int) -> Iterable[Problem]:
        state = self.line_state(now_ms)
        return line_problems(state, self.reader.caught_up_store.names.of) if state.as_of_ms is not None else ()

    def line_state(self, now_ms: int | None = None) -> LineState:
        """What the last look at all lines saw; empty while it or the outcomes are stale: it says nothing of now."""
        now_ms = _now_ms() if now_ms is None else now_ms
        is_stale = any(source.is_stale(now_ms) for source in self._line_sources(now_ms))
        return LineState() if is_stale else self.lines.state

    def reasons_not_ready(self, now_ms: int | None = None) -> list[str]:
        """Empty when everything watched was read lately and whole; else what is missing, and why."""
        now_ms = _now_ms() if now_ms is None else now_ms
        snapshot = self._snapshot()
        unseen = [] if snapshot is None else snapshot.unseen
        return [
            *(f"{source.name}: {why}" for source in self._sources(now_ms) if (why := source.why_stale(now_ms))),
            *(f"lag: {missing.what} cannot be seen: {missing.why}" for missing in unseen[:MAX_NAMED]),
        ]

    def _sources(self, now_ms: int) -> tuple[HealthSource, ...]:
        """Lag first, then the outcomes and what is made of them, then conservation."""
        conservation = self.conservation.source(now_ms)
        return self.lag_source, *self._line_sources(now_ms), *([conservation] if conservation else ())

    def _line_sources(self, now_ms: int) -> tuple[HealthSource, ...]:
        """The outcomes, then what is made of them while they are fresh."""
        outcomes = HealthSource(
            "outcomes", self.reader.as_of_ms, self.reader.fault, OUTCOMES_STALE_AFTER_S, "/#problems"
        )
        return (outcomes,) if outcomes.is_stale(now_ms) else (outcomes, self._lines_source)

    @property
    def _lines_source(self) -> HealthSource:
        return HealthSource("lines", self.lines.as_of_ms, self.lines.fault, self.lines.stale_after_s, "/lines")

    @property
    def lag_source(self) -> HealthSource:
        """Whether lag was read lately, and why not."""
        return HealthSource("lag", self.poller.as_of_ms, self.poller.fault, LAG_STALE_AFTER_S, "/lag")

    def _snapshot(self) -> LagSnapshot | None:
        return self.poller.snapshot if self.poller.as_of_ms is not None else None

    async def _beat(self) -> None:
        """Publish the health every BEAT_S, whether polls succeed or not: no beat means that the monitor is gone."""
        while True:
            try:
                pulse = json.dumps(self._pulse())
                self.events.publish("beat", partial(str, pulse))
            except Exception as error:  # without a beat every open page says that we are gone
                log.exception("beat.failed", reason=type(error).__name__)
            await asyncio.sleep(BEAT_S)

    def _pulse(self) -> dict[str, Any]:
        now_ms = _now_ms()
        return {
            "now": now_ms,
            "lag_as_of": self.poller.as_of_ms,
            "outcomes_as_of": self.reader.as_of_ms,
            "health": health_view(self.health(now_ms)),
        }

    def _lag_polled(self, snapshot: LagSnapshot) -> None:
        self.memory.add(snapshot, self.prober.ledger.shown[CALLBACKS.short_name] if self.prober else 0)
        self.conservation.polled(snapshot)
        self.events.publish("lag", lambda: json.dumps(lag_view(snapshot)))

    def _probe_arrived(self, hop: str, seconds: float) -> None:
        self.history.record(of_hop(hop), _now_ms(), seconds)
        if hop == LAST:
            self.history.record(PROBE_ROUNDTRIP, _now_ms(), seconds)

    def _outcomes_changed(self, changes: int) -> None:
        as_of_ms = self.reader.as_of_ms or _now_ms()
        self.events.publish("outcomes", lambda: json.dumps({"changes": changes, "as_of": instants.text(as_of_ms)}))


def _now_ms() -> int:
    return int(time.time() * 1000)
