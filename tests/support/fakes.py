"""Small, hand-written stand-ins. Each passes the same suite as the real thing, so that it cannot lie."""

from __future__ import annotations

import asyncio
from typing import NamedTuple

from gateway.errors import PublishError, RecordTooLargeError
from gateway.publishing.publisher import KafkaState, Published, SpoolState
from schemas.headers import Headers
from schemas.records.record import Record
from schemas.topics import MAX_RECORD_BYTES, Topic


class Stored(NamedTuple):
    """One record as a consumer would see it."""

    topic: str
    key: str
    record: Record
    headers: Headers


class FakePublisher:
    """A Publisher in memory: one partition per topic. `fault` makes it refuse; `hold` keeps publishes waiting."""

    def __init__(self, timeout_s: float = 3.0) -> None:
        self.stored: list[Stored] = []
        self.fault = ""
        self.spool: SpoolState | None = None
        self.is_shedding = False  # refuses before any work when there is a fault
        self.hold: asyncio.Event | None = None
        self.waiting = 0
        self._timeout_s = timeout_s

    async def start(self) -> None:
        self.fault = ""

    async def stop(self) -> None:
        self.fault = "stopped"

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        if self.fault:
            raise PublishError(self.fault)
        if len(str(record.to_datum())) > MAX_RECORD_BYTES:
            raise RecordTooLargeError("too large")
        await self._wait()
        self.stored.append(Stored(topic.name, key, record, headers))
        return Published(topic.name, 0, len(self.records(topic)) - 1)

    def admit(self) -> None:
        if self.is_shedding and self.fault:
            raise PublishError(self.fault)

    def faults(self) -> list[str]:
        return [self.fault] if self.fault else []

    def kafka_state(self) -> KafkaState:
        return KafkaState(not self.fault, float(self.waiting))

    def spool_state(self) -> SpoolState | None:
        return self.spool

    def records(self, topic: Topic) -> list[Stored]:
        """What was published to one topic, in order."""
        return [stored for stored in self.stored if stored.topic == topic.name]

    async def _wait(self) -> None:
        if self.hold is None:
            return
        self.waiting += 1
        try:
            async with asyncio.timeout(self._timeout_s):
                await self.hold.wait()
        except TimeoutError:
            raise PublishError("no acknowledgement in time") from None
        finally:
            self.waiting -= 1
