"""What both kinds of agents share: a body that never raises, decoding that waits or gives up, and counting.

Faust takes a record for done when its agent raises. So nothing is raised: what can pass is waited for, what cannot
becomes a dead letter, and when neither works the process ends without a commit.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import structlog
from faust.types import TP, Message
from prometheus_client import Counter

from schemas.errors import DecodeError, RegistryUnavailableError
from schemas.headers import Headers
from schemas.placement import partition_of
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import DEAD_LETTERS, Topic
from streams.errors import StateError, StreamsError
from streams.worker.dead_letters import cut_letter, dead_letter, dead_letter_headers
from streams.worker.metrics import WorkerMetrics
from streams.worker.outbox import Outgoing
from streams.worker.parking import Parking, patiently
from streams.worker.pipeline import Pipeline, Work
from streams.worker.rows import OVERHEAD_BYTES, Rows
from streams.worker.tables import StateTable

log = structlog.get_logger()

R = TypeVar("R", bound=Record)

YIELD_EVERY: Final = 20  # records between two turns of the event loop: I/O goes on while a run is computed
# What one record leads to costs memory until the broker has it: its bytes and, for each output, headers and objects.
OUTPUT_BYTES: Final = 512
REMEMBERED_BYTES: Final = 8192  # of an output whose key's partition is remembered: a dead letter's key may be huge
MAX_PRODUCT_BYTES: Final = 16 * 1024 * 1024
UNIT_BYTES: Final = 32 * 1024 * 1024  # a unit of work that came to so much is handed over before the run goes on


class Permanent(Exception):
    """A record that no second try can process. `reason` is of the closed set of DeadLetter."""

    def __init__(self, reason: str, detail: str) -> None:
        self.reason = reason
        super().__init__(detail)


class RevokedError(Exception):
    """The runs being worked off were revoked: all of them will be read again, perhaps by another worker."""


class LostRunError(Exception):
    """A run that was delivered never reached the agent: going on would change the order, so the process must end."""


class RunAgent:
    """One agent: takes runs of records in order, and owns the pipeline that makes their effects durable."""

    stage: ClassVar[str]

    def __init__(
        self,
        *,
        table: StateTable,
        registry: Registry,
        partitions: Mapping[str, int],
        pipeline: Pipeline,
        metrics: WorkerMetrics,
        settle: Callable[[Message], None],
        fail: Callable[[BaseException], None],
        hold: Callable[[TP], None],
        release: Callable[[TP], Awaitable[None]],
    ) -> None:
        self.table = table
        self.registry = registry
        self.metrics = metrics
        self._settle = settle
        self._partitions = partitions
        self._pipeline = pipeline
        self._fail = fail
        self._taken: dict[TP, int] = {}
        self._resets = 0
        self._taken_at_reset = 0
        self.made_bytes = 0
        self.rows = Rows(table, self.decode_row, metrics, fail)
        # Looked up once: finding a metric by its labels costs more than counting in it.
        self._counters: dict[str, Counter] = {}
        self._age = metrics.age.labels(self.stage)
        # Around pure code: whatever it raises would be raised again. Raises: Permanent, without any value in it.
        self.permanent_faults: AbstractContextManager[None] = _PermanentFaults(self.stage)
        # One at a time: what is computed first must also be submitted first.
        self.busy = asyncio.Lock()
        self._parking = Parking(registry, metrics, lambda run: self._guarded([run]), hold, release, fail)

    async def body(self, stream: Any) -> None:
        """The Faust agent's body."""
        async for event in stream.noack().events():
            await self._guarded(event.message.value, is_new=True)

    async def _guarded(self, runs: Sequence[Message], *, is_new: bool = False) -> None:
        """Work runs off as one, or put them aside. Never raises: what goes wrong ends the process."""
        try:
            async with self.busy:
                if is_new:
                    for run in runs:
                        self._follow(run)
                    runs = [run for run in runs if not self._parking.take_over(run)]
                if runs:
                    await self.take(runs)
        except Exception as error:
            self._fail(error)
            await asyncio.Event().wait()  # never go on to the next run: the process is ending

    def _follow(self, message: Message) -> None:
        """Make sure that no run of the partition was lost between the fetcher and here. Raises: LostRunError."""
        after, taken = message.value.after, self._taken.get(message.tp)  # type: ignore[union-attr]  # a Run
        if after is not None and after != taken:
            raise LostRunError(f"{message.tp} goes on after offset {after}, but {taken} was taken last")
        self._taken[message.tp] = message.offset

    async def take(self, runs: Sequence[Message]) -> None:
        """Work runs off as one unit, up to handing it over: they share batches, which cost more than a few calls do."""
        work, self._taken_at_reset, self.made_bytes = Work(stored=self.table.stored), self._resets, 0
        try:
            for run in runs:
                await self.take_run(run, work)
                self._check_still_ours()
                work.settled.append(partial(self._settle, run))
        except RevokedError:
            return
        await self.submit(work)

    async def take_run(self, run: Message, work: Work) -> None:
        """Add the rows and outputs of one run to a unit of work. May raise RevokedError."""
        raise NotImplementedError

    def decode_row(self, key: bytes, row: bytes) -> Any:
        """What a row of the agent's table says. Raises anything when it is none."""
        raise NotImplementedError

    async def make_room(self, work: Work) -> None:
        """Hand over what a unit has come to so far, so that its memory is free before more is made.

        Raises: RevokedError.
        """
        self._check_still_ours()
        self.made_bytes = 0
        await self.submit(work.part())
        self._check_still_ours()

    def _check_still_ours(self) -> None:
        if self._resets != self._taken_at_reset:
            raise RevokedError

    async def submit(self, work: Work) -> None:
        """Hand a unit of work over, in order."""
        await self._pipeline.submit(work)

    async def drain(self) -> None:
        """Wait until nothing is being computed or on its way."""
        async with self.busy:
            await self._pipeline.drain()

    async def reset(self) -> None:
        """Drop what is on its way; its runs will be read again."""
        self._resets += 1
        await self._parking.reset()
        self._taken.clear()
        await self._pipeline.reset()

    async def forget(self, partition: int, keep_ms: int) -> None:
        """Forget what received nothing for `keep_ms`, by the receipt times of the partition's own records."""
        raise NotImplementedError

    async def records_of(self, message: Message) -> AsyncIterator[Any]:
        """The records of a run, with a turn for the event loop now and then."""
        run: Any = message.value
        for number, record in enumerate(run, start=1):
            yield record
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def decode(self, record: Any, kind: type[R]) -> R:
        """The record's value. Waits as long as the registry is away. Raises: Permanent when it cannot be decoded."""
        try:
            if record.value is None:
                raise DecodeError("the value is null")
            try:
                return await self.registry.decode(record.value, kind)
            except RegistryUnavailableError:
                return await patiently(lambda: self.registry.decode(record.value, kind), self.metrics, record)
        except DecodeError as error:
            raise Permanent(error.code, str(error)) from error

    def dead_letter(self, record: Any, fault: Permanent) -> Outgoing:
        """The dead letter of a record, as an output like any other. Any record has one that fits."""
        letter = dead_letter(record, fault.reason, str(fault))
        value = self.registry.encode(DEAD_LETTERS, letter)
        if len(letter.key or b"") + len(value) > DEAD_LETTERS.max_bytes - OVERHEAD_BYTES:
            letter = cut_letter(record, fault.reason, str(fault))
            value = self.registry.encode(DEAD_LETTERS, letter)
        self.count("dead_letter")
        self.metrics.dead_letters.labels(self.stage, fault.reason).inc()
        log.warning(
            "record.dead_letter",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            reason=fault.reason,
            detail=str(fault),
        )
        return self.outgoing(DEAD_LETTERS, letter.key or b"", value, dead_letter_headers(letter, record.headers))

    def outgoing(self, topic: Topic, key: bytes, value: bytes, headers: Headers) -> Outgoing:
        """A record for a topic, in the partition of its key. Raises: Permanent when it is too large to be taken."""
        size = len(key) + len(value)
        if size > topic.max_bytes - OVERHEAD_BYTES:
            raise Permanent("too_large", f"{size} bytes are too many for {topic.name}")
        self.made_bytes += size + OUTPUT_BYTES
        place = partition_of if size <= REMEMBERED_BYTES else partition_of.__wrapped__
        return Outgoing(topic.name, place(key, self._partitions[topic.name]), key, value, headers)

    def count(self, outcome: str) -> None:
        """Count one record handled."""
        if outcome not in self._counters:
            self._counters[outcome] = self.metrics.records.labels(self.stage, outcome)
        self._counters[outcome].inc()

    def observe_age(self, received_at: int) -> None:
        """Note the age of a call that this stage is done with. received_at: UTC epoch ms."""
        self._age.observe(max(self.now_ms() - received_at, 0) / 1000)

    @staticmethod
    def now_ms() -> int:
        """The wall clock, UTC epoch ms."""
        return time.time_ns() // 1_000_000


class _PermanentFaults(AbstractContextManager[None]):
    """See RunAgent.permanent_faults. A class, because a generator costs four times as much, once per record."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, Permanent | StateError) or not isinstance(error, Exception):
            return
        if isinstance(error, StreamsError):
            raise Permanent(error.code, str(error)) from error
        log.error("record.unprocessable", stage=self._stage, exc_info=error)
        raise Permanent("invalid", f"{type(error).__name__} while processing") from error
