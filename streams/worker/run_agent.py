"""What both kinds of agents share: a body that never raises, decoding that waits or gives up, and counting.

Faust acknowledges a record whose agent raised. So nothing is raised: a record waits for the registry, one that cannot
be processed becomes a dead letter, and any other error ends the process without a commit.

A run is what one fetch brought of one partition: records in order, without a hole. Runs that one event brought are
processed together, as one unit of work.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any, ClassVar, Final, TypeVar

import structlog
from faust.types import TP, Message
from prometheus_client import Counter, Histogram

from schemas.errors import DecodeError, RegistryUnavailableError
from schemas.headers import Headers
from schemas.placement import partition_of
from schemas.records.record import Record
from schemas.topics import DEAD_LETTERS, Topic
from streams.errors import LostRunError, RevokedError, StateError, StreamsError, UnprocessableError
from streams.worker.context import AgentContext
from streams.worker.dead_letters import cut_letter, dead_letter, dead_letter_headers
from streams.worker.outbox import Outgoing
from streams.worker.parking import Parking, retried
from streams.worker.pipeline import UnitOfWork
from streams.worker.rows import OVERHEAD_BYTES, Rows
from streams.worker.tables import StateTable

log = structlog.get_logger()

R = TypeVar("R", bound=Record)

YIELD_EVERY: Final = 20  # records between two turns of the event loop: I/O goes on while a run is computed
# The outputs of a record cost memory until the broker has them: their bytes and, for each, headers and objects.
OUTPUT_BYTES: Final = 512
REMEMBERED_BYTES: Final = 8192  # the partition of an output's key is cached up to here: a dead letter's key may be huge
MAX_PRODUCT_BYTES: Final = 16 * 1024 * 1024
UNIT_BYTES: Final = 32 * 1024 * 1024  # a unit of work of this size is handed over before the run goes on


class RunAgent:
    """One agent: processes runs in order, and owns the pipeline that makes their effects durable."""

    stage: ClassVar[str]

    def __init__(self, table: StateTable, context: AgentContext) -> None:
        self.table = table
        self.context = context
        self.registry = context.registry
        self.metrics = context.metrics
        self._places = {
            declared: (real, context.partitions[real])
            for declared, real in context.names.all_of().items()
            if real in context.partitions
        }
        self.made_bytes = 0  # by the unit of work in hand
        self.rows = Rows(table, self.decode_row, context.metrics, context.fail)
        # Around pure code: its errors would come again. Raises: UnprocessableError, without any value in it.
        self.permanent_faults: AbstractContextManager[None] = _PermanentFaults(self.stage)
        # One at a time: what is computed first must also be submitted first.
        self.busy = asyncio.Lock()
        self._parking = Parking(context, lambda run: self._guarded(self.process_runs, [run]))
        self._last_offsets: dict[TP, int] = {}
        self._resets = 0
        self._resets_before = 0
        # Looked up once: finding a metric by its labels costs more than counting in it.
        self._counters: dict[str, Counter] = {}
        self._durations: dict[tuple[str, str, str], Histogram] = {}
        self._age = context.metrics.age.labels(self.stage)
        self.spans = context.spans
        self.process = self.spans.around(self.process_record) if self.spans else self.process_record

    async def body(self, stream: Any) -> None:
        """The Faust agent's body."""
        async for event in stream.noack().events():
            await self.receive(event.message.value)

    async def receive(self, runs: Sequence[Message]) -> None:
        """Process the runs of one event together; those that wait for the registry are parked. Never raises."""
        await self._guarded(self._receive, runs)

    async def _receive(self, runs: Sequence[Message]) -> None:
        for run in runs:
            self._check_order(run)
        if ready := [run for run in runs if not self._parking.park(run)]:
            await self.process_runs(ready)

    async def _guarded(self, process: Callable[[Sequence[Message]], Awaitable[None]], runs: Sequence[Message]) -> None:
        """Process while nothing else is processed. Never raises: an error ends the process."""
        try:
            async with self.busy:
                await process(runs)
        except Exception as error:
            self.context.fail(error)
            await asyncio.Event().wait()  # never go on to the next run: the process is ending

    def _check_order(self, message: Message) -> None:
        """No run of the partition was lost between the fetcher and here. Raises: LostRunError."""
        after, last = message.value.after, self._last_offsets.get(message.tp)  # type: ignore[union-attr]  # a Run
        if after is not None and after != last:
            raise LostRunError(f"{message.tp} goes on after offset {after}, but the last run ended at {last}")
        self._last_offsets[message.tp] = message.offset

    async def process_runs(self, runs: Sequence[Message]) -> None:
        """Process runs as one unit, and submit it: they share batches, which cost more than a few calls do."""
        unit, self._resets_before, self.made_bytes = UnitOfWork(stored=self.table.stored), self._resets, 0
        try:
            for run in runs:
                await self._process_timed(run, unit)
                self._check_still_ours()
                unit.settled.append(partial(self.context.settle, run))
        except RevokedError:
            if self.spans is not None:
                self.spans.take()
            return
        if self.spans is not None:
            unit.settled.append(self.spans.take())
        await self.submit(unit)

    async def _process_timed(self, run: Message, unit: UnitOfWork) -> None:
        began, error_type = time.perf_counter(), "revoked"  # any other error ends the process
        try:
            await self.process_run(run, unit)
            error_type = ""
        finally:
            self._took(run, time.perf_counter() - began, error_type)

    def _took(self, run: Message, seconds: float, error_type: str) -> None:
        key = (run.tp.topic, self.context.group, error_type)
        if key not in self._durations:
            self._durations[key] = self.metrics.process_duration.labels(*key)
        self._durations[key].observe(seconds)

    async def process_run(self, run: Message, unit: UnitOfWork) -> None:
        """Add the rows and outputs of one run to a unit of work. May raise RevokedError."""
        raise NotImplementedError

    async def process_record(self, state: Any, record: Any) -> list[Outgoing]:
        """The outputs of one record, with what it changes in `state`, which is the agent's own affair."""
        raise NotImplementedError

    def decode_row(self, key: bytes, row: bytes) -> Any:
        """The content of a row of the agent's table. Raises anything when it is no row."""
        raise NotImplementedError

    async def make_room(self, unit: UnitOfWork) -> None:
        """Submit what the unit holds so far, so that its memory is free before more is made.

        Raises: RevokedError.
        """
        self._check_still_ours()
        self.made_bytes = 0
        await self.submit(unit.split_off())
        self._check_still_ours()

    def _check_still_ours(self) -> None:
        if self._resets != self._resets_before:
            raise RevokedError("a rebalance took the runs away")

    async def submit(self, unit: UnitOfWork) -> None:
        """Give a unit of work to the pipeline, in order."""
        await self.context.pipeline.submit(unit)

    async def drain(self) -> None:
        """Wait until nothing is being computed or on its way."""
        async with self.busy:
            await self.context.pipeline.drain()

    async def reset(self) -> None:
        """Drop what is on its way; its runs will be read again."""
        self._resets += 1
        await self._parking.reset()
        self._last_offsets.clear()
        await self.context.pipeline.reset()

    async def expire(self, partition: int, dedup_ms: int) -> None:
        """Expire what received nothing for `dedup_ms`, by the receipt times of the partition's own records."""
        raise NotImplementedError

    async def records_of(self, message: Message) -> AsyncIterator[Any]:
        """The records of a run; the event loop turns now and then between them."""
        run: Any = message.value
        for number, record in enumerate(run, start=1):
            yield record
            if number % YIELD_EVERY == 0:
                await asyncio.sleep(0)

    async def decode(self, record: Any, kind: type[R]) -> R:
        """The record's value. Waits while the registry is away. Raises: UnprocessableError."""
        try:
            if record.value is None:
                raise DecodeError("the value is null")
            try:
                return await self.registry.decode(record.value, kind)
            except RegistryUnavailableError:
                return await retried(lambda: self.registry.decode(record.value, kind), self.context, record)
        except DecodeError as error:
            raise UnprocessableError(error.code, str(error)) from error

    def dead_letter(self, record: Any, fault: UnprocessableError) -> Outgoing:
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
        """A record for a topic, in the partition of its key. Raises: UnprocessableError when it is too large."""
        size = len(key) + len(value)
        if size > topic.max_bytes - OVERHEAD_BYTES:
            raise UnprocessableError("too_large", f"{size} bytes are too many for {self._places[topic.name][0]}")
        self.made_bytes += size + OUTPUT_BYTES
        place = partition_of if size <= REMEMBERED_BYTES else partition_of.__wrapped__
        name, partitions = self._places[topic.name]
        return Outgoing(name, place(key, partitions), key, value, headers)

    def count(self, outcome: str) -> None:
        """Count one record handled."""
        if outcome not in self._counters:
            self._counters[outcome] = self.metrics.records.labels(self.stage, outcome)
        self._counters[outcome].inc()

    def observe_age(self, received_at: int) -> None:
        """Note the age of a call that this stage is done with. received_at: UTC epoch ms."""
        self._age.observe(max(now_ms() - received_at, 0) / 1000)


def now_ms() -> int:
    """The wall clock, UTC epoch ms."""
    return time.time_ns() // 1_000_000


class _PermanentFaults(AbstractContextManager[None]):
    """See RunAgent.permanent_faults. A class, because a generator costs four times as much, once per record."""

    def __init__(self, stage: str) -> None:
        self._stage = stage

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if error is None or isinstance(error, UnprocessableError | StateError) or not isinstance(error, Exception):
            return
        if isinstance(error, StreamsError):
            raise UnprocessableError(error.code, str(error)) from error
        log.error("record.unprocessable", stage=self._stage, exc_info=error)
        raise UnprocessableError("invalid", f"{type(error).__name__} while processing") from error
