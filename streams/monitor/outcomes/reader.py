"""Keeps the outcome store current: reads both outcome topics from the beginning, then follows them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta

import structlog

from schemas.errors import DecodeError, RegistryUnavailableError
from schemas.records.outcomes import WindowedOutcomes
from schemas.registry import Registry
from streams.errors import BrokerUnavailableError
from streams.monitor.errors import ImplausibleRecordError, NotReadyError, TopicsMissingError
from streams.monitor.outcomes.consumer import KeptRecord, WholeTopicsConsumer
from streams.monitor.outcomes.store import OutcomeStore
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import DIMENSIONS

READ_TIMEOUT_S = 1.0
RETRY_S = 1.0
PRUNE_EVERY_S = 600.0
CHECK_PARTITIONS_EVERY_S = 30.0
STALE_AFTER_S = 10.0
DIMENSION_OF_TOPIC = {dimension.results.name: dimension for dimension in DIMENSIONS}

log = structlog.get_logger("monitor.outcomes")


class OutcomeReader:
    """Owns the store. `run` until cancelled; `caught_up_store` any time.

    The store outlives a lost connection: what is read again is the same, and revisions sort it out. So windows stay
    available while the broker is away, with `as_of_ms` telling how old they are.
    """

    def __init__(self, settings: MonitorSettings, on_change: Callable[[int], None] = lambda _: None) -> None:
        self._settings = settings
        self._registry = Registry(settings.registry)
        self._on_change = on_change
        self._store = OutcomeStore()
        self._is_caught_up = False
        self._pruned_at = 0.0
        self.as_of_ms: int | None = None
        self.fault: str | None = "the outcome topics have not been read yet"
        self.undecodable = 0

    @property
    def caught_up_store(self) -> OutcomeStore:
        """The store once it was complete. Raises NotReadyError before: half the windows would be a lie."""
        if not self._is_caught_up:
            raise NotReadyError(self.fault or "the outcome topics are still being read")
        return self._store

    async def run(self) -> None:
        """Read for ever; starts over after any trouble."""
        try:
            while True:
                try:
                    await self._read_from_the_beginning()
                except (BrokerUnavailableError, TopicsMissingError) as error:
                    self._note(str(error))
                except Exception as error:  # an answer we did not foresee must not end the monitor's eyes
                    self._note(f"reading outcomes failed: {type(error).__name__}", error)
                await asyncio.sleep(RETRY_S)
        finally:
            await self._registry.aclose()

    async def _read_from_the_beginning(self) -> None:
        consumer = WholeTopicsConsumer(self._settings.kafka, tuple(DIMENSION_OF_TOPIC))
        try:
            await consumer.open()
            self._note(None)
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
            await self._take(record)
        if await consumer.is_caught_up():
            self._is_caught_up = True
            self.as_of_ms = consumer.heard_at_ms() or self.as_of_ms
            self._note_held(consumer.held_back())
        self._prune()
        if self._is_caught_up and self._store.changes != before:
            self._on_change(self._store.changes)

    async def _take(self, record: KeptRecord) -> None:
        """One record into the store; waits while the registry is away, counts and skips what cannot be decoded."""
        dimension = DIMENSION_OF_TOPIC[record.topic]
        if record.value is None:
            return self._store.delete(dimension, record.key or b"")
        while True:
            try:
                outcomes = await self._registry.decode(record.value, WindowedOutcomes)
                self._note(None)
                return self._store.put(dimension, outcomes, record.appended_at)
            except RegistryUnavailableError as error:
                self._note(str(error))
                await asyncio.sleep(RETRY_S)
            except (DecodeError, ImplausibleRecordError) as error:
                return self._pass_over(record, str(error))
            except Exception as error:  # one record, whatever it holds, must not keep us from the next
                return self._pass_over(record, type(error).__name__)

    def _pass_over(self, record: KeptRecord, fault: str) -> None:
        self.undecodable += 1
        log.warning("undecodable", topic=record.topic, partition=record.partition, offset=record.offset, reason=fault)

    def _note_held(self, partitions: list[str]) -> None:
        """A transaction may take a moment; one that lasts keeps everything behind it from us."""
        is_long = time.time() * 1000 - (self.as_of_ms or 0) > STALE_AFTER_S * 1000
        if partitions and is_long:
            self._note(f"a transaction has not ended, and holds back what is behind it: {', '.join(partitions)}")
        elif not partitions:
            self._note(None)

    def _prune(self) -> None:
        if time.monotonic() - self._pruned_at > PRUNE_EVERY_S:
            self._pruned_at = time.monotonic()
            self._store.prune(int(time.time() * 1000), timedelta(days=self._settings.history_days))

    def _note(self, fault: str | None, error: Exception | None = None) -> None:
        """One line per change, not per attempt."""
        if fault != self.fault:
            log.warning("outcomes_unavailable", reason=fault, exc_info=error) if fault else log.info(
                "outcomes_available"
            )
        self.fault = fault
