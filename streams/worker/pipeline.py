"""The order in which the effects of runs become durable, which the worker's promises stand on.

For each unit of work, in turn:  rows -> outputs -> cleared rows -> settled (offset may be committed)

- Rows first: they hold the decisions. If the worker dies before the outputs are out, the run is read again, finds its
  decisions in the rows and sends the same outputs under the same ids.
- Outputs of one unit are handed over before those of the next, so each partition sees them in order.
- Several units may be on their way at once; they are settled in order.
- A unit that the producer gives up on ends the process, without a commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from streams.worker.outbox import Outbox, Outgoing, SentBatch

DEPTH: Final = 3


@dataclass
class UnitOfWork:
    """The effects of one or more runs.

    `stored` is called for each batch of rows that landed in the changelog: its partition, first and last offset.
    `clear` drops the rows that the outputs made needless, and returns their changelog records.
    """

    rows: list[Outgoing] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    clear: Callable[[], list[Outgoing]] | None = None
    stored: Callable[[int, int, int], None] | None = None
    settled: list[Callable[[], None]] = field(default_factory=list)

    def split_off(self) -> "UnitOfWork":
        """The effects so far, as a unit of its own; this one goes on empty, and keeps its `clear`."""
        part = UnitOfWork(self.rows, self.outputs, stored=self.stored, settled=self.settled)
        self.rows, self.outputs, self.settled = [], [], []
        return part


class Pipeline:
    """The units of work of one agent. `submit` from one task at a time; `fail` must end the process."""

    def __init__(self, outbox: Outbox, fail: Callable[[BaseException], None], depth: int = DEPTH) -> None:
        self._outbox = outbox
        self._fail = fail
        self._depth = depth
        self._stages = self._new_stages()

    async def submit(self, unit: UnitOfWork) -> None:
        """Take a unit, in order. Waits while as many units as `depth` are on their way."""
        await self._stages.submit(unit)

    async def drain(self) -> None:
        """Wait until every unit is settled."""
        await self._stages.idle.wait()

    async def reset(self) -> None:
        """Drop what is on its way, as after a rebalance: its runs will be read again. Repeat: safe."""
        old, self._stages = self._stages, self._new_stages()
        await old.close()

    def _new_stages(self) -> "_Stages":
        return _Stages(self._outbox, self._fail, self._depth)


class _Stages:
    """The stages between two resets."""

    def __init__(self, outbox: Outbox, fail: Callable[[BaseException], None], depth: int) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._outbox = outbox
        self._fail = fail
        self._slots = asyncio.Semaphore(depth)
        self._rows_out: asyncio.Queue[tuple[UnitOfWork, list[SentBatch]]] = asyncio.Queue()
        self._outputs_out: asyncio.Queue[tuple[UnitOfWork, list[SentBatch]]] = asyncio.Queue()
        self._pending = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    async def submit(self, unit: UnitOfWork) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._guard(stage)) for stage in (self._emit, self._settle)]
        await self._slots.acquire()
        if self._is_closed:
            return
        self._pending += 1
        self.idle.clear()
        self._rows_out.put_nowait((unit, await self._outbox.hand_over(unit.rows)))

    async def close(self) -> None:
        """End the stages, and let a waiting `submit` return."""
        self._is_closed = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._slots.release()
        self.idle.set()

    async def _guard(self, stage: Callable[[], Awaitable[None]]) -> None:
        try:
            await stage()
        except Exception as error:
            self._fail(error)

    async def _emit(self) -> None:
        while True:
            unit, rows = await self._rows_out.get()
            await _rows_delivered(rows, unit)
            self._outputs_out.put_nowait((unit, await self._outbox.hand_over(unit.outputs)))

    async def _settle(self) -> None:
        while True:
            unit, outputs = await self._outputs_out.get()
            await _delivered(outputs)
            if unit.clear is not None:
                await _rows_delivered(await self._outbox.hand_over(unit.clear()), unit)
            for settle in unit.settled:
                settle()
            self._slots.release()
            self._pending -= 1
            if not self._pending:
                self.idle.set()


async def _delivered(batches: list[SentBatch]) -> None:
    await asyncio.gather(*(batch.delivered for batch in batches))


async def _rows_delivered(batches: list[SentBatch], unit: UnitOfWork) -> None:
    await _delivered(batches)
    if unit.stored is None:
        return
    for batch in batches:
        first_offset = batch.delivered.result().offset
        if first_offset >= 0:  # the broker names none for a batch that it already had
            unit.stored(batch.partition, first_offset, first_offset + batch.records - 1)
