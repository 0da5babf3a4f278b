"""Polls the broker for lag, each time within a deadline. A poll that fails keeps the last snapshot."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from schemas.connection_faults import hidden_topic
from schemas.topics import DEAD_LETTERS
from streams.errors import BrokerUnavailableError
from streams.monitor.broker import TROUBLE, explained
from streams.monitor.errors import NotReadyError
from streams.monitor.faults import FaultNote
from streams.monitor.lag.ahead import look_ahead
from streams.monitor.lag.groups import GroupReader, Topology
from streams.monitor.lag.losses import Losses
from streams.monitor.lag.readings import RECENT_S, Ahead, GroupReading, Partition, Reading, Unseen
from streams.monitor.lag.tracker import LagSnapshot, LagTracker, Worker, concerns, effective_offset
from streams.monitor.lag.watched import MAX_GROUPS, watches
from streams.monitor.settings import MonitorSettings

POLL_INTERVAL_S: Final = 2.0
POLL_DEADLINE_S: Final = 5.0
# For the ages of all records together; lag in records and verdicts do not wait for them.
AHEAD_BUDGET_S: Final = 0.5

# An open page shows it within 12 s: this, and two beats.
STALE_AFTER_S: Final = 8.0

log = structlog.get_logger("monitor.lag")


class LagPoller:
    """Keeps the newest snapshot. `run` until cancelled; `snapshot` any time.

    on_poll is called after every poll that succeeded, on_duration with the seconds of every poll.
    """

    def __init__(
        self,
        settings: MonitorSettings,
        on_poll: Callable[[LagSnapshot], None] = lambda _: None,
        on_duration: Callable[[float], None] = lambda _: None,
    ) -> None:
        self._settings = settings
        self._names = settings.kafka.names
        self._worker = Worker.of(settings.group, self._names)
        self._tracker = LagTracker(self._worker)
        self._watches = watches(settings.groups)
        self._ahead: dict[tuple[Partition, int], Ahead] = {}
        self._waiting_for = ""
        self._reader: GroupReader | None = None
        self._on_poll = on_poll
        self._on_duration = on_duration
        self._snapshot: LagSnapshot | None = None
        self._fault = FaultNote(log, "lag.poll_failed", "lag.poll_recovered")

    @property
    def fault(self) -> str | None:
        """Why the last poll failed; None when it succeeded."""
        return self._fault.text

    @property
    def losses(self) -> Losses:
        """What retention took, counted."""
        return self._tracker.losses

    @property
    def snapshot(self) -> LagSnapshot:
        """The newest snapshot, however old. Raises NotReadyError when no poll ever succeeded."""
        if self._snapshot is None:
            raise NotReadyError(self.fault or "no lag poll has finished yet")
        return self._snapshot

    @property
    def as_of_ms(self) -> int | None:
        """When the last poll that succeeded read, epoch ms."""
        return self._snapshot.as_of_ms if self._snapshot else None

    async def run(self) -> None:
        """Poll until cancelled, once per POLL_INTERVAL_S."""
        try:
            while True:
                started = time.monotonic()
                await self._try_poll()
                elapsed = time.monotonic() - started
                self._on_duration(elapsed)
                await asyncio.sleep(max(0.0, POLL_INTERVAL_S - elapsed))
        finally:
            await self.aclose()

    async def poll_once(self) -> LagSnapshot:
        """One poll. Raises: BrokerUnavailableError, also when POLL_DEADLINE_S passes; the connection is then closed."""
        try:
            async with asyncio.timeout(POLL_DEADLINE_S):
                reading = await self._read()
        except (BrokerUnavailableError, TimeoutError) as error:
            await self.aclose()
            message = (
                str(error) or f"Kafka did not answer within {POLL_DEADLINE_S:g} s; we waited for {self._waiting_for}"
            )
            servers = self._settings.kafka.bootstrap_servers
            raise BrokerUnavailableError(message if servers in message else f"{message} ({servers})") from error
        self._snapshot = self._tracker.update(reading)
        return self._snapshot

    async def _try_poll(self) -> None:
        try:
            snapshot = await self.poll_once()
        except BrokerUnavailableError as error:
            self._fault.set(str(error))
        except Exception as error:  # an unforeseen answer must not end the polling
            await self.aclose()
            self._fault.set(f"the lag poll failed: {type(error).__name__}", error)
        else:
            self._fault.clear()
            self._on_poll(snapshot)

    async def aclose(self) -> None:
        """Disconnect. Repeat: safe."""
        reader, self._reader = self._reader, None
        if reader is not None:
            await reader.close()

    async def _read(self) -> Reading:
        self._waiting_for = "a connection"
        if self._reader is None:
            self._reader = GroupReader(self._settings.kafka)
            await self._reader.open()
        reader = self._reader
        self._waiting_for = "its topics"
        topology = await reader.topology()
        groups, unseen = await self._groups(reader, topology)
        wanted = {partition for partition in topology.leaders if self._names.topic(partition.topic)}
        wanted.update(*(concerns(group, self._worker, topology.leaders.keys()) for group in groups))
        self._waiting_for = "the ends of partitions"
        leaders = {partition: topology.leaders[partition] for partition in wanted}
        hidden = [
            Unseen(f"topic {name}", hidden_topic(name), topic=name)
            for name in sorted(self._worker.topics - {partition.topic for partition in topology.leaders})
        ]
        begin, end, no_marks = await reader.water_marks(leaders)
        if wanted and not end:
            raise BrokerUnavailableError(f"Kafka gave the end of no partition: {no_marks[0].why}")
        dead_letters = await self._dead_letters(reader, leaders, end)
        self._waiting_for = "the records that groups stand at"
        no_records = await self._look_ahead(reader, leaders, self._offsets(groups, begin, end), end)
        at_ms = int(time.time() * 1000)
        missing = (*unseen, *hidden, *no_marks, *no_records)
        return Reading(at_ms, groups, begin, end, dict(self._ahead), missing, dead_letters)

    async def _groups(self, reader: GroupReader, topology: Topology) -> tuple[list[GroupReading], list[Unseen]]:
        """The worker's group, and those that MONITOR_GROUPS names."""
        self._waiting_for = "its consumer groups"
        wanted: dict[str, int | None] = {self._worker.group: None}
        unseen: list[Unseen] = []
        if self._settings.groups:
            names, unseen = await reader.group_names(topology.brokers)
            fitting = sorted(name for name in names if self._watches(name) and name != self._worker.group)
            wanted |= {name: names[name] for name in fitting[:MAX_GROUPS]}
            if len(fitting) > MAX_GROUPS:
                beyond = f"{len(fitting)} groups fit MONITOR_GROUPS, {MAX_GROUPS} are watched: narrow it"
                unseen.append(Unseen("groups", beyond))
        groups, no_groups = await reader.groups(wanted)
        return groups, unseen + no_groups

    async def _dead_letters(
        self, reader: GroupReader, leaders: dict[Partition, int], end: dict[Partition, int]
    ) -> tuple[int, int | None]:
        """How many were appended within RECENT_S, and when the first of them was."""
        asked = {p: leaders[p] for p in end if p.topic == self._names.of(DEAD_LETTERS)}
        since, _ = await reader.offsets_at(asked, int((time.time() - RECENT_S) * 1000))
        recent = {p: (offset, at_ms) for p, (offset, at_ms) in since.items() if offset >= 0}
        first = min((at_ms for _, at_ms in recent.values()), default=None)
        return sum(max(0, end[p] - offset) for p, (offset, _) in recent.items()), first

    def _offsets(
        self, groups: list[GroupReading], begin: dict[Partition, int], end: dict[Partition, int]
    ) -> dict[Partition, list[int]]:
        """The offsets of groups with a backlog, by partition and in order."""
        offsets: dict[Partition, set[int]] = defaultdict(set)
        for group in groups:
            for partition in concerns(group, self._worker, end.keys()):
                offset = effective_offset(group, partition, begin[partition], end[partition], self._worker)
                if offset is not None and offset < end[partition]:
                    offsets[partition].add(offset)
        return {partition: sorted(found) for partition, found in offsets.items()}

    async def _look_ahead(
        self,
        reader: GroupReader,
        leaders: dict[Partition, int],
        offsets: dict[Partition, list[int]],
        end: dict[Partition, int],
    ) -> list[Unseen]:
        """Fetch the record at each of these offsets, within AHEAD_BUDGET_S in all; what is known is not fetched again.

        A record stays where it is. That there is none holds until the partition's end moves.
        """
        self._ahead = {
            (p, o): self._ahead[p, o] for p, found in offsets.items() for o in found if (p, o) in self._ahead
        }
        unseen: list[Unseen] = []

        async def look(partition: Partition) -> None:
            try:
                for offset in offsets[partition]:
                    await self._look_from(reader, leaders[partition], partition, offset, end[partition])
            except TROUBLE as error:
                what = f"records of partition {partition.partition} of {partition.topic}"
                why = explained(error, self._settings.kafka, "Read", f"topic {partition.topic}")
                unseen.append(Unseen(what, why, topic=partition.topic))

        with suppress(TimeoutError):  # the next poll fetches what is still unknown
            async with asyncio.timeout(AHEAD_BUDGET_S):
                await asyncio.gather(*(look(partition) for partition in offsets))
        return unseen

    async def _look_from(self, reader: GroupReader, broker: int, partition: Partition, offset: int, end: int) -> None:
        known = self._ahead.get((partition, offset)) or self._shared(partition, offset)
        if known is None or known.is_open or (known.appended_at is None and known.offset < end):
            start = known.offset if known else offset
            known = await look_ahead(reader, broker, partition, start, end)
        self._ahead[partition, offset] = known

    def _shared(self, partition: Partition, offset: int) -> Ahead | None:
        """What was found from an earlier offset, when it lies at or after this one."""
        found = (known for (p, o), known in self._ahead.items() if p == partition and o <= offset <= known.offset)
        return next(found, None)
