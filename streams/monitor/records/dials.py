"""Reads the dials of a time range from `airudder.call-attempts.v1`: on demand, without a group, within bounds.

A record is appended after its dial. So reading begins at the range's start and ends an hour after the range: what is
appended later (an import, a late correction) is not seen. When there are too many records, the newest are read.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition

from schemas.errors import DecodeError, SchemaError
from schemas.headers import is_synthetic
from schemas.reader import Offsets, StoredRecord, TopicReader, distance
from schemas.records.calls import CallAttempt
from schemas.registry import Registry
from schemas.topics import CALL_ATTEMPTS
from streams.errors import BrokerUnavailableError
from streams.monitor.errors import TooManyReadsError
from streams.monitor.lines.dials import Dial
from streams.monitor.records.ledger import DialLedger, Reading
from streams.monitor.settings import MonitorSettings

MAX_RECORDS: Final = 100_000
MAX_BYTES: Final = 128 * 1024 * 1024
MAX_S: Final = 6.0  # an open page waits 8 s for its next view
BEFORE_MS: Final = 60_000  # how far the broker's clock may be behind the dialler's
AFTER_MS: Final = 3_600_000  # how long after its start a dial's record may be appended
REST_EVERY: Final = 500  # records between two turns for everything else

KEPT_S: Final = 30.0
MAX_WAITING: Final = 4
MAX_WAIT_S: Final = 10.0


@dataclass(frozen=True)
class Limits:
    """How much one read may take."""

    records: int = MAX_RECORDS
    bytes: int = MAX_BYTES
    seconds: float = MAX_S


@dataclass(frozen=True)
class RangeRead:
    """The dials by line, and how they were read."""

    dials: Mapping[str, Counter[Dial]]
    reading: Reading


class DialReader:
    """One read at a time; the newest answer is kept for KEPT_S. One per process and event loop."""

    def __init__(self, settings: MonitorSettings, limits: Limits | None = None) -> None:
        self._settings = settings
        self._limits = limits or Limits()
        self._registry = Registry(settings.registry)
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._kept: tuple[tuple[int, int], float, RangeRead] | None = None

    async def aclose(self) -> None:
        """Disconnect from the registry."""
        await self._registry.aclose()

    async def read(self, from_ms: int, to_ms: int) -> RangeRead:
        """The dials that started in [from_ms, to_ms), UTC epoch ms.

        Raises: BrokerUnavailableError; TooManyReadsError when others wait already, or the wait is too long.
        """
        if (kept := self._kept_of(from_ms, to_ms)) is not None:
            return kept
        if self._waiting >= MAX_WAITING:
            raise TooManyReadsError("records are being read for others; ask again in a moment")
        self._waiting += 1
        try:
            async with asyncio.timeout(MAX_WAIT_S):
                await self._turn.acquire()
        except TimeoutError as error:
            raise TooManyReadsError("records are being read for others; ask again in a moment") from error
        finally:
            self._waiting -= 1
        try:
            if (kept := self._kept_of(from_ms, to_ms)) is not None:
                return kept
            found = await self._read(from_ms, to_ms)
            self._kept = (from_ms, to_ms), time.monotonic(), found
            return found
        finally:
            self._turn.release()

    def _kept_of(self, from_ms: int, to_ms: int) -> RangeRead | None:
        if self._kept is None:
            return None
        asked, read_at, found = self._kept
        return found if asked == (from_ms, to_ms) and time.monotonic() - read_at <= KEPT_S else None

    async def _read(self, from_ms: int, to_ms: int) -> RangeRead:
        ledger, began = DialLedger(from_ms, to_ms), time.monotonic()
        reading = Reading()
        try:
            async with asyncio.timeout(self._limits.seconds):
                async with TopicReader(self._settings.kafka) as reader:
                    starts, ends = await _bounds(reader, from_ms, to_ms)
                    starts, reading.cut = _trimmed(starts, ends, self._limits.records)
                    await self._take(reader.records(starts, ends), ledger, reading)
        except TimeoutError as error:
            if not reading.records:
                raise BrokerUnavailableError(f"no record came within {self._limits.seconds:.0f} s") from error
            reading.cut = f"reading ended after {self._limits.seconds:.0f} s"
        except SchemaError as error:
            raise BrokerUnavailableError(str(error)) from error
        reading.seconds = time.monotonic() - began
        return RangeRead(await asyncio.to_thread(ledger.tally), reading)

    async def _take(self, records: AsyncIterator[StoredRecord], ledger: DialLedger, reading: Reading) -> None:
        async for stored in records:
            reading.records += 1
            reading.bytes += len(stored.value or b"")
            if stored.value is not None and not is_synthetic(stored.headers):
                try:
                    ledger.put(await self._registry.decode(stored.value, CallAttempt), stored.timestamp)
                except DecodeError:
                    reading.undecodable += 1
            if reading.bytes >= self._limits.bytes:
                reading.cut = f"reading ended after {self._limits.bytes // 2**20} MiB"
                return
            if reading.records % REST_EVERY == 0:
                await asyncio.sleep(0)


async def _bounds(reader: TopicReader, from_ms: int, to_ms: int) -> tuple[Offsets, Offsets]:
    """Where the records of a range begin and end in each partition."""
    ends = await reader.ends(CALL_ATTEMPTS)
    since = await reader.appended_since(from_ms - BEFORE_MS, CALL_ATTEMPTS)
    until = await reader.appended_since(to_ms + AFTER_MS, CALL_ATTEMPTS)
    stops = {tp: min(end, _or(until[tp], end)) for tp, end in ends.items()}
    return {tp: min(_or(since[tp], end), stops[tp]) for tp, end in ends.items()}, stops


def _or(offset: int | None, otherwise: int) -> int:
    return otherwise if offset is None else offset


def _trimmed(starts: Offsets, ends: Offsets, most: int) -> tuple[Offsets, str]:
    """Starts so that at most so many records are read, of each partition the newest; and what was left out."""
    total = distance(starts, ends)
    if total <= most:
        return starts, ""
    later: dict[TopicPartition, int] = {
        tp: ends[tp] - (ends[tp] - start) * most // total for tp, start in starts.items()
    }
    return later, f"only the newest {most} of {total} records were read"
