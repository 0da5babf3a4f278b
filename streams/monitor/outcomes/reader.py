"""Keeps the outcome store current: reads the outcome topics from the beginning, then follows them."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

import structlog

from schemas.errors import DecodeError, RegistryUnavailableError
from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from streams.errors import BrokerUnavailableError
from streams.monitor.errors import ImplausibleRecordError, NotReadyError, TopicsMissingError
from streams.monitor.faults import FaultNote
from streams.monitor.outcomes.consumer import KeptRecord, WholeTopicsConsumer
from streams.monitor.outcomes.store import MAX_PANES, Observer, OutcomeStore
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import DIMENSIONS

READ_TIMEOUT_S: Final = 1.0
RETRY_S: Final = 1.0
EXPIRE_EVERY_S: Final = 600.0
CHECK_PARTITIONS_EVERY_S: Final = 30.0
STALE_AFTER_S: Final = 10.0
DAY_MS: Final = 86_400_000

log = structlog.get_logger("monitor.outcomes")


class OutcomeReader:
    """Owns the store. `run` until cancelled; `caught_up_store` any time.

    The store outlives a lost connection: records that are read again are dropped by their revisions. So windows stay
    available while the broker is away; `as_of_ms` is their age.
    """

    def __init__(self, settings: MonitorSettings, on_change: Callable[[int], None] = lambda _: None) -> None:
        self._settings = settings
        self._retention_ms = settings.history_days * DAY_MS
        self._registry = Registry(settings.registry)
        names = settings.kafka.names
        self._dimensions = {names.of(dimension.results): dimension for dimension in DIMENSIONS}
        self._on_change = on_change
        self._store = OutcomeStore()
        self._is_caught_up = False
        self._expired_at = 0.0
        self.trimmed_to_ms: int | None = None
        self.as_of_ms: int | None = None
        self._fault = FaultNote(log, "outcomes.lost", "outcomes.restored", "the outcome topics have not been read yet")
        self.undecodable = 0

    @property
    def fault(self) -> str | None:
        """What keeps us from reading, in words."""
        return self._fault.text

    @property
    def is_caught_up(self) -> bool:
        """True once all that was in the topics at the start has been read."""
        return self._is_caught_up

    @property
    def registry(self) -> Registry:
        """What decodes the records."""
        return self._registry

    def observe(self, observer: Observer) -> None:
        """See OutcomeStore.observe."""
        self._store.observe(observer)

    @property
    def caught_up_store(self) -> OutcomeStore:
        """The store. Raises: NotReadyError until all that was in the topics at the start has been read."""
        if not self._is_caught_up:
            raise NotReadyError(self.fault or "the outcome topics are still being read")
        return self._store

    async def run(self) -> None:
        """Read until cancelled; starts over after any fault."""
        try:
            while True:
                try:
                    await self._read_from_the_beginning()
                except (BrokerUnavailableError, TopicsMissingError) as error:
                    self._fault.set(str(error))
                except Exception as error:  # an unforeseen answer must not end the reading
                    self._fault.set(f"reading outcomes failed: {type(error).__name__}", error)
                await asyncio.sleep(RETRY_S)
        finally:
            await self._registry.aclose()

    async def _read_from_the_beginning(self) -> None:
        consumer = WholeTopicsConsumer(self._settings.kafka, tuple(self._dimensions))
        try:
            await consumer.open()
            self._fault.clear()
            checked_at = time.monotonic()
            while True:
                await self._step(consumer)
                if time.monotonic() - checked_at > CHECK_PARTITIONS_EVERY_S:
                    checked_at = time.monotonic()
                    if not await consumer.has_all_partitions():
                        raise TopicsMissingError("the outcome topics have other partitions now: reading starts over")
        finally:
            await consumer.close()

    async def _step(self, consumer: WholeTopicsConsumer) -> None:
        before = self._store.changes
        for record in await consumer.read(READ_TIMEOUT_S):
            await self._process(record)
        if await consumer.is_caught_up():
            self._is_caught_up = True
            self.as_of_ms = consumer.heard_at_ms() or self.as_of_ms
            self._note_held(consumer.held_back())
        self._expire()
        if self._is_caught_up and self._store.changes != before:
            self._on_change(self._store.changes)

    async def _process(self, record: KeptRecord) -> None:
        """Put one record into the store. Waits while the registry is away; counts and skips what cannot be decoded."""
        dimension = self._dimensions[record.topic]
        if record.appended_at < max(self._horizon_ms(), self.trimmed_to_ms or 0):
            return None  # it would be new again after each reconnect
        if record.value is None:
            return self._store.delete(dimension, record.key or b"")
        while True:
            try:
                outcomes = await self._registry.decode(record.value, WindowedOutcomes)
                self._fault.clear()
                return self._store.put(dimension, outcomes, record.appended_at)
            except RegistryUnavailableError as error:
                self._fault.set(str(error))
                await asyncio.sleep(RETRY_S)
            except (DecodeError, ImplausibleRecordError) as error:
                return self._skip(record, str(error))
            except Exception as error:  # one record must not stop the reading, whatever it holds
                return self._skip(record, type(error).__name__)

    def _horizon_ms(self) -> float:
        """What was appended before that is no longer kept."""
        return time.time() * 1000 - self._retention_ms

    def _skip(self, record: KeptRecord, fault: str) -> None:
        self.undecodable += 1
        log.warning(
            "outcomes.skipped", topic=record.topic, partition=record.partition, offset=record.offset, reason=fault
        )

    def _note_held(self, partitions: list[str]) -> None:
        """An open transaction holds back all records behind it; it is a fault once it lasts."""
        is_long = time.time() * 1000 - (self.as_of_ms or 0) > STALE_AFTER_S * 1000
        if partitions and is_long:
            self._fault.set(f"a transaction has not ended, and holds back what is behind it: {', '.join(partitions)}")
        elif not partitions:
            self._fault.clear()

    def _expire(self) -> None:
        """Keep to the days and to the number of panes; while a start reads much, to a tenth more."""
        is_due = time.monotonic() - self._expired_at > EXPIRE_EVERY_S
        if is_due:
            self._expired_at = time.monotonic()
            self._store.expire(int(time.time() * 1000), timedelta(days=self._settings.history_days))
            if self.trimmed_to_ms is not None and self.trimmed_to_ms < self._horizon_ms():
                self.trimmed_to_ms = None  # by now it would have gone anyway
        if is_due or self._store.count > MAX_PANES * 1.1:
            self._note_trimmed(self._store.trim())

    def _note_trimmed(self, horizon_ms: int | None) -> None:
        if horizon_ms is not None:
            self.trimmed_to_ms = horizon_ms
            log.warning("outcomes.trimmed", reason=f"more than {MAX_PANES} panes", kept=self._store.count)
