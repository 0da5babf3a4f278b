"""Asks the broker for lag on the monitor's own clock, each time within a deadline; a failure keeps what was known."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from itertools import groupby

import structlog

from schemas.topics import BY_NAME
from streams.monitor.errors import KafkaUnavailableError, NotReadyError
from streams.monitor.kafka import GroupReader
from streams.monitor.lag import LagSnapshot, LagTracker, concerns
from streams.monitor.reading import GroupReading, Partition, Reading
from streams.monitor.settings import MonitorSettings

POLL_INTERVAL_S = 2.0
POLL_DEADLINE_S = 5.0
PEEK_TIMEOUT_S = 1.5
STALE_AFTER_S = 2 * POLL_INTERVAL_S + POLL_DEADLINE_S

log = structlog.get_logger("monitor.lag")


class LagPoller:
    """Keeps the newest snapshot. `run` until cancelled; `snapshot` any time.

    on_poll is called after every poll that succeeded; durations_s collects how long polls took, failed ones included.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        on_poll: Callable[[LagSnapshot], None] = lambda _: None,
        on_duration: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._tracker = LagTracker(settings.app_id)
        self._peeked: dict[tuple[Partition, int], int | None] = {}
        self._reader: GroupReader | None = None
        self._on_poll = on_poll
        self._on_duration = on_duration
        self._snapshot: LagSnapshot | None = None
        self.fault: str | None = None

    @property
    def snapshot(self) -> LagSnapshot:
        """The newest snapshot, however old. Raises NotReadyError when no poll ever succeeded."""
        if self._snapshot is None:
            raise NotReadyError(self.fault or "no lag poll has finished yet")
        return self._snapshot

    @property
    def as_of_ms(self) -> int | None:
        """When the last poll that succeeded looked, epoch ms."""
        return self._snapshot.as_of_ms if self._snapshot else None

    async def run(self) -> None:
        """Poll for ever, one poll per interval."""
        try:
            while True:
                started = time.monotonic()
                await self._try_poll()
                elapsed = time.monotonic() - started
                self._on_duration(elapsed)
                await asyncio.sleep(max(0.0, POLL_INTERVAL_S - elapsed))
        finally:
            await self._close()

    async def poll_once(self) -> LagSnapshot:
        """One look. Raises KafkaUnavailableError, also when the deadline passes; the connection is then given up."""
        try:
            async with asyncio.timeout(POLL_DEADLINE_S):
                reading = await self._read()
        except (KafkaUnavailableError, TimeoutError) as error:
            await self._close()
            message = str(error) or f"Kafka did not answer within {POLL_DEADLINE_S:g} s"
            raise KafkaUnavailableError(f"{message} ({self._settings.kafka.bootstrap_servers})") from error
        self._snapshot = self._tracker.update(reading)
        return self._snapshot

    async def aclose(self) -> None:
        """Disconnect. Safe to call twice."""
        await self._close()

    async def _try_poll(self) -> None:
        try:
            snapshot = await self.poll_once()
        except KafkaUnavailableError as error:
            self._note(str(error))
        except Exception as error:  # an answer we did not foresee must not end the monitor's eyes
            await self._close()
            self._note(f"the lag poll failed: {type(error).__name__}", error)
        else:
            self._note(None)
            self._on_poll(snapshot)

    def _note(self, fault: str | None, error: Exception | None = None) -> None:
        """One line per change, not per poll."""
        if fault is None and self.fault is not None:
            log.info("lag_poll_succeeds")
        elif fault != self.fault:
            log.warning("lag_poll_failing", fault=fault, exc_info=error)
        self.fault = fault

    async def _close(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _read(self) -> Reading:
        if self._reader is None:
            self._reader = GroupReader(self._settings.kafka)
            await self._reader.open()
        existing = await self._reader.partitions()
        groups = await self._reader.groups(self._settings.app_id)
        wanted = {partition for partition in existing if partition.topic in BY_NAME}
        wanted.update(*(concerns(group, self._settings.app_id, existing) for group in groups))
        begin, end = await self._reader.water_marks(wanted)
        await self._peek(self._reader, groups, begin, end)
        return Reading(int(time.time() * 1000), groups, begin, end, dict(self._peeked))

    async def _peek(
        self, reader: GroupReader, groups: list[GroupReading], begin: dict[Partition, int], end: dict[Partition, int]
    ) -> None:
        """Fetch the record at each lagging offset; the record at an offset never changes, so each only once."""
        lagging = {
            (partition, offset)
            for group in groups
            for partition, offset in group.committed.items()
            if offset < end.get(partition, 0)
        }
        # An offset below the low water mark is looked up again: what is first after it changes as retention goes on.
        keep = {k for k in lagging if self._peeked.get(k) is not None and k[1] >= begin[k[0]]}
        self._peeked = {key: self._peeked[key] for key in keep}
        for offsets in _rounds(lagging - keep):
            found = await reader.appended_at(offsets, PEEK_TIMEOUT_S)
            self._peeked |= {(partition, offsets[partition]): at_ms for partition, at_ms in found.items()}


def _rounds(lagging: set[tuple[Partition, int]]) -> list[dict[Partition, int]]:
    """Split into rounds that each ask a partition for one offset: two groups may stand at two offsets of the same."""
    rounds: list[dict[Partition, int]] = []
    for partition, offsets in groupby(sorted(lagging), key=lambda pair: pair[0]):
        for number, (_, offset) in enumerate(offsets):
            if number == len(rounds):
                rounds.append({})
            rounds[number][partition] = offset
    return rounds
