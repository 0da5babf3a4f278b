"""Looks at gateways, Kafka and workers in turn, and keeps the ledger of what must be equal."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from schemas.records.outcomes import WindowedOutcomes
from streams.monitor.conservation.exposition import Scraped
from streams.monitor.conservation.ledger import Difference, Ledger
from streams.monitor.conservation.scraping import Scraper
from streams.monitor.conservation.steps import Look, terms_of
from streams.monitor.health import HealthSource
from streams.monitor.history.history import History
from streams.monitor.history.names import CONSERVATION
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.outcomes.reader import OutcomeReader
from streams.monitor.outcomes.store import StoredPane
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import WORKFLOW, Dimension

LOOK_EVERY_S: Final = 5.0
# A lag poll that began after the workers were asked comes within this, or not at all.
POLL_DEADLINE_S: Final = 8.0
# A look takes 14 s at most: two scrapes and a poll that all run into their deadlines.
STALE_AFTER_S: Final = 30.0
KEPT: Final = "conservation"

log = structlog.get_logger("monitor.conservation")


class Conservation:
    """One per process. `run` until cancelled; `differences` any time."""

    def __init__(self, settings: MonitorSettings, history: History, reader: OutcomeReader) -> None:
        self.gateways = Scraper("gateway", settings.gateway_urls)
        self.workers = Scraper("worker", settings.worker_urls)
        self.history = history
        self.as_of_ms: int | None = None
        self._newest: tuple[Difference, ...] = ()
        self._fault: str | None = None
        self._group = settings.group
        self._names = settings.kafka.names
        self._reader = reader
        self._ledger = Ledger()
        self._in_windows = 0
        self._began_ms = int(time.time() * 1000)
        self._polled: asyncio.Future[LagSnapshot] | None = None
        reader.observe(self._pane_changed)

    @property
    def is_on(self) -> bool:
        """Whether any role is looked at."""
        return self.gateways.is_on or self.workers.is_on

    def source(self, now_ms: int) -> HealthSource | None:
        """Whether the looks go on. None where no role is looked at, and while the first look may still last."""
        if not self.is_on or (self.as_of_ms is None and now_ms - self._began_ms <= STALE_AFTER_S * 1000):
            return None
        return HealthSource("conservation", self.as_of_ms, self._fault, STALE_AFTER_S, "/#conservation")

    def differences(self, now_ms: int) -> tuple[Difference, ...]:
        """Each step as the newest look has it; not known once that is stale. Empty before the first."""
        newest, source = self._newest, self.source(now_ms)
        why = source.why_stale(now_ms) if source else None
        return tuple(replace(found, value=None, is_exact=False, why=why) for found in newest) if why else newest

    def newest(self) -> Scraped:
        """What gateways and workers said last, together."""
        looks = [scraper.newest for scraper in (self.gateways, self.workers)]
        times = [look.as_of_ms for look in looks if look.as_of_ms is not None]
        faults = tuple(fault for look in looks for fault in look.faults)
        instances = {url: samples for look in looks for url, samples in look.instances.items()}
        return Scraped(min(times, default=None), instances, faults)

    def _pane_changed(self, dimension: Dimension, before: StoredPane | None, after: WindowedOutcomes | None) -> None:
        if dimension is WORKFLOW:
            gone = before.unpacked().calls if before else 0
            self._in_windows += (after.calls if after else 0) - gone

    def polled(self, snapshot: LagSnapshot) -> None:
        """A lag poll succeeded."""
        if self._polled is not None and not self._polled.done():
            self._polled.set_result(snapshot)

    async def run(self) -> None:
        """Look every LOOK_EVERY_S until cancelled; nothing to do where no role is looked at."""
        if saved := await asyncio.to_thread(self.history.kept, KEPT):
            self._ledger.restore(saved)
        if not self.is_on:
            self._note(Look(self._began_ms, None, self._began_ms, None, None, None))
        try:
            while self.is_on:
                began = time.monotonic()
                try:
                    self._note(await self._look())
                except Exception as error:  # an unforeseen answer must not end the looking
                    self._fault = f"a look failed: {type(error).__name__}"
                    log.exception("conservation.failed", reason=type(error).__name__)
                await asyncio.sleep(max(0.0, LOOK_EVERY_S - (time.monotonic() - began)))
        finally:
            await self.gateways.aclose()
            await self.workers.aclose()

    async def _look(self) -> Look:
        """Everything once, downstream first."""
        counted = self._in_windows if self._reader.is_caught_up else None
        workers = await self.workers.scrape() if self.workers.is_on else None
        lag = await self._next_poll()
        gateways = await self.gateways.scrape() if self.gateways.is_on else None
        return Look(int(time.time() * 1000), counted, self._began_ms, workers, lag, gateways)

    async def _next_poll(self) -> LagSnapshot | None:
        """The first poll that begins from now on; None when it does not succeed in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL_DEADLINE_S):
                for _ in range(2):  # one may have begun already
                    self._polled = asyncio.get_running_loop().create_future()
                    snapshot = await self._polled
                return snapshot
        return None

    def _note(self, look: Look) -> None:
        self._newest = self._ledger.update(terms_of(look, self._group, self._names), look.at_ms)
        self.as_of_ms, self._fault = look.at_ms, None
        known = [difference.value for difference in self._newest if difference.value is not None]
        if known:
            self.history.record(CONSERVATION, look.at_ms, sum(map(abs, known)))
        self.history.keep(KEPT, self._ledger.saved())
