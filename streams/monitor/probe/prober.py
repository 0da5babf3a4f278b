"""Sends a probe every interval and follows it, as long as the monitor lives. Kafka and the gateway may come and go."""

import asyncio
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog
from prometheus_client import CollectorRegistry

from streams.errors import BrokerUnavailableError
from streams.monitor.errors import TopicsMissingError, UnsignedProbeError
from streams.monitor.faults import FaultNote
from streams.monitor.probe.arrivals import ArrivalReader
from streams.monitor.probe.callback import call_id_in, probe_body
from streams.monitor.probe.hops import GATEWAY, HOPS
from streams.monitor.probe.ledger import Probe, ProbeLedger
from streams.monitor.probe.metrics import ProbeMetrics
from streams.monitor.probe.sending import ProbeSender
from streams.monitor.settings import MonitorSettings

MAX_DEADLINE_S: Final = 10.0
READ_S: Final = 0.25
# Before a probe is sent, for finding the ends of its partitions. Without them it is looked for by its time.
WATCH_DEADLINE_S: Final = 1.0
STEP_DEADLINE_S: Final = 5.0
RETRY_S: Final = 1.0
SIGNS: Final = {hop.name: f"not in {hop.topic.name}" if hop.topic else "no answer" for hop in HOPS}

log = structlog.get_logger("monitor.probe")


class Prober:
    """Sends probes and keeps their ledger. `run` until cancelled.

    on_arrival is called with the hop and the seconds since sending, for each hop that shows a probe in time.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        registry: CollectorRegistry,
        on_arrival: Callable[[str, float], None] = lambda *_: None,
    ) -> None:
        self.interval_s = settings.probe_interval_s
        self.deadline_s = min(float(self.interval_s), MAX_DEADLINE_S)
        self.ledger = ProbeLedger()
        self._metrics = ProbeMetrics(registry, self.ledger)
        self.since_ms = now_ms()
        self.unsent = FaultNote(log, "probe.unsent", "probe.signed_again")
        self._unread = FaultNote(log, "probe.topics_unread", "probe.topics_read_again")
        self._settings = settings
        self._on_arrival = on_arrival
        self._sender = ProbeSender(settings, self.deadline_s)
        self._next: Probe | None = None  # not sent yet
        self._wanted = asyncio.Event()  # something is to be looked for
        self._watched = asyncio.Event()  # the next one is looked for
        self._partitions = 1
        self._turn = secrets.randbelow(1_000_000)  # a monitor that starts again and again visits all partitions

    async def run(self) -> None:
        """Send and look until cancelled. The first probe waits an interval: what starts with us is ready then."""
        following = asyncio.create_task(self._follow())
        try:
            await self._send_all()
        finally:
            following.cancel()
            await asyncio.gather(following, return_exceptions=True)
            await self._sender.aclose()

    # --- sending

    async def _send_all(self) -> None:
        due = time.monotonic() + self.interval_s
        while True:
            await asyncio.sleep(due - time.monotonic())
            due = max(due + self.interval_s, time.monotonic())
            try:
                await self._send_one()
            except Exception as error:  # whatever goes wrong, there is a next one
                self.unsent.set(f"the probe failed: {type(error).__name__}", error)

    async def _send_one(self) -> None:
        """One probe, until the gateway has answered. The deadline is the interval's end, so probes do not pile up."""
        loop = asyncio.get_running_loop()
        self._turn, ends_at = self._turn + 1, loop.time() + self.deadline_s
        call_id = call_id_in(self._turn % self._partitions, self._partitions, secrets.token_hex(8))
        body = probe_body(call_id, now_ms(), self._settings.timezone)
        try:
            signature = await self._sender.signed(body)
        except UnsignedProbeError as error:
            self.unsent.set(str(error))
            return
        self.unsent.clear()
        probe = self._next = Probe(call_id)
        self._watched.clear()
        self._wanted.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(WATCH_DEADLINE_S):
                await self._watched.wait()
        self.ledger.send(probe, now_ms())
        self._next = None
        loop.call_at(ends_at, self._expire, probe)
        with suppress(TimeoutError):  # it is lost then
            async with asyncio.timeout_at(ends_at):
                if fault := await self._sender.post(body, signature):
                    self._lost(probe, fault)
                else:
                    self._arrived(probe, GATEWAY)

    # --- following

    async def _follow(self) -> None:
        reader: ArrivalReader | None = None
        try:
            while True:
                try:
                    async with asyncio.timeout(STEP_DEADLINE_S):
                        if reader is None:
                            reader = ArrivalReader(self._settings.kafka)
                            await reader.open()
                            self._partitions = reader.partitions
                        await self._look(reader)
                except Exception as error:  # Kafka may be away for long; an unforeseen answer must not end this
                    self._note(error)
                    await _close(reader)
                    reader = None
                    await asyncio.sleep(RETRY_S)
        finally:
            await _close(reader)

    async def _look(self, reader: ArrivalReader) -> None:
        """Read for READ_S, or wait until there is something to look for."""
        unsent = [self._next] if self._next else []
        watched = {probe.call_id: probe for probe in [*unsent, *self.ledger.watched]}
        await reader.watch(watched.values())
        self._unread.clear()
        if self._next in unsent:
            self._watched.set()
        if not watched:
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), STEP_DEADLINE_S / 2)
            return
        for arrival in await reader.read(READ_S):
            self._arrived(watched[arrival.call_id], arrival.hop, arrival.appended_ms)

    def _note(self, error: Exception) -> None:
        if isinstance(error, BrokerUnavailableError | TopicsMissingError):
            self._unread.set(str(error))
        elif isinstance(error, TimeoutError):
            self._unread.set(f"Kafka did not answer within {STEP_DEADLINE_S:g} s")
        else:
            self._unread.set(f"the topics cannot be read: {type(error).__name__}", error)

    # --- what became of them

    def _arrived(self, probe: Probe, hop: str, appended_ms: int | None = None) -> None:
        was_lost = self.ledger.lost_in_a_row
        if self.ledger.arrive(probe, hop, now_ms(), appended_ms):
            self._metrics.observe(hop, probe.roundtrips[hop])
            self._on_arrival(hop, probe.roundtrips[hop])
        elif probe.late and probe.is_complete:
            log.info("probe.late", hop=probe.lost_at, seconds=max(probe.late.values()))
        if was_lost and not self.ledger.lost_in_a_row:
            log.info("probe.recovered", lost=was_lost)

    def _lost(self, probe: Probe, reason: str, *, is_unseen: bool = False) -> None:
        before = self.ledger.last_lost if self.ledger.lost_in_a_row else None
        self.ledger.lose(probe, reason, is_unseen=is_unseen)
        if probe.lost_at and (before is None or before.lost_at != probe.lost_at):
            log.warning("probe.lost", hop=probe.lost_at, reason=probe.reason)

    def _expire(self, probe: Probe) -> None:
        if hop := probe.expected_at:
            unread = self._unread.text if hop != GATEWAY else None
            reason = f"{SIGNS[hop]} within {self.deadline_s:g} s" + (f"; {unread}" if unread else "")
            self._lost(probe, reason, is_unseen=bool(unread))


async def _close(reader: ArrivalReader | None) -> None:
    if reader is not None:
        await reader.close()


def now_ms() -> int:
    """The wall clock, UTC epoch ms."""
    return time.time_ns() // 1_000_000
