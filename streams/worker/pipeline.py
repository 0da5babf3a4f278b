"""The order in which the effects of runs become durable, which is what the worker's promises stand on.

For each unit of work, in turn:  rows -> outputs -> cleared rows -> settled (offset may be committed)

- Rows first: they hold the decisions. If the worker dies before the outputs are out, the run is read again, finds its
  decisions in the rows and sends the same outputs under the same ids.
- Outputs of one unit are handed over before those of the next, so each partition sees them in order.
- Several units may be on their way at once; they are settled in order.
- Nothing is retried here by halves: what the producer gives up on ends the process, without a commit.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from streams.worker.outbox import Handed, Outbox, Outgoing

DEPTH: Final = 3


@dataclass
class Work:
    """One unit. `clear` drops rows that the outputs made needless, and returns their changelog records.

    `stored` is told of each batch of rows that landed in a partition of the changelog: its first and last offset.
    """

    rows: list[Outgoing] = field(default_factory=list)
    outputs: list[Outgoing] = field(default_factory=list)
    clear: Callable[[], list[Outgoing]] = list
    stored: Callable[[int, int, int], None] = lambda partition, first_offset, last_offset: None
    settled: list[Callable[[], None]] = field(default_factory=list)

    def part(self) -> "Work":
        """What there is so far, as a unit of its own; this one goes on empty. What `clear` does stays with it."""
        part = Work(self.rows, self.outputs, stored=self.stored, settled=self.settled)
        self.rows, self.outputs, self.settled = [], [], []
        return part


class Pipeline:
    """Runs units of work of one agent. `submit` from one task at a time; `fail` must end the process."""

    def __init__(self, outbox: Outbox, fail: Callable[[BaseException], None], depth: int = DEPTH) -> None:
        self._make = (outbox, fail, depth)
        self._lane = _Lane(*self._make)

    async def submit(self, work: Work) -> None:
        """Take a unit, in order. Waits while as many units as `depth` are on their way."""
        await self._lane.submit(work)

    async def drain(self) -> None:
        """Wait until every unit taken is settled."""
        await self._lane.idle.wait()

    async def reset(self) -> None:
        """Drop what is on its way, as after a rebalance: its runs will be read again. Repeat: safe."""
        lane, self._lane = self._lane, _Lane(*self._make)
        await lane.close()


class _Lane:
    """The stages between two resets."""

    def __init__(self, outbox: Outbox, fail: Callable[[BaseException], None], depth: int) -> None:
        self.idle = asyncio.Event()
        self.idle.set()
        self._outbox = outbox
        self._fail = fail
        self._slots = asyncio.Semaphore(depth)
        self._rows_out: asyncio.Queue[tuple[Work, list[Handed]]] = asyncio.Queue()
        self._outputs_out: asyncio.Queue[tuple[Work, list[Handed]]] = asyncio.Queue()
        self._pending = 0
        self._tasks: list[asyncio.Task[None]] = []
        self._is_closed = False

    async def submit(self, work: Work) -> None:
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._guard(stage)) for stage in (self._emit, self._settle)]
        await self._slots.acquire()
        if self._is_closed:
            return
        self._pending += 1
        self.idle.clear()
        self._rows_out.put_nowait((work, await self._outbox.hand_over(work.rows)))

    async def close(self) -> None:
        """End the stages, and let go whoever waits to submit."""
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
            work, rows = await self._rows_out.get()
            await _stored(rows, work)
            self._outputs_out.put_nowait((work, await self._outbox.hand_over(work.outputs)))

    async def _settle(self) -> None:
        while True:
            work, outputs = await self._outputs_out.get()
            await _delivered(outputs)
            await _stored(await self._outbox.hand_over(work.clear()), work)
            for settle in work.settled:
                settle()
            self._slots.release()
            self._pending -= 1
            if not self._pending:
                self.idle.set()


async def _delivered(batches: list[Handed]) -> None:
    await asyncio.gather(*(batch.delivered for batch in batches))


async def _stored(batches: list[Handed], work: Work) -> None:
    await _delivered(batches)
    for batch in batches:
        base = batch.delivered.result().offset
        if base >= 0:  # the broker names none for a batch it already had
            work.stored(batch.partition, base, base + batch.records - 1)
