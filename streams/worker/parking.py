"""Partitions that wait for the schema registry, so that the others need not.

A run with an unknown schema id cannot be decoded while the registry is away. It is parked with all that follows in its
partition; the partition is held, so little follows. Nothing of it is acknowledged meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final, TypeVar

import structlog
from faust.types import TP, Message

from schemas.errors import RegistryUnavailableError
from schemas.registry import Registry
from streams.worker.context import AgentContext

log = structlog.get_logger()

T = TypeVar("T")

REGISTRY_PAUSE_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)  # the last one from then on


async def retried(request: Callable[[], Awaitable[T]], context: AgentContext, waiting: Any) -> T:
    """The registry's answer; the request is repeated for as long as it is away.

    waiting: a record or run, with its topic and partition.
    """
    attempt = 0
    while True:
        try:
            return await request()
        except RegistryUnavailableError as error:
            context.progressed()
            context.metrics.schema_registry_waits.inc()
            log.warning("registry.waiting", topic=waiting.topic, partition=waiting.partition, reason=str(error))
        await asyncio.sleep(REGISTRY_PAUSE_S[min(attempt, len(REGISTRY_PAUSE_S) - 1)])
        attempt += 1


class Parking:
    """Parked runs by partition, in order. `process` handles one run and must not raise."""

    def __init__(self, context: AgentContext, process: Callable[[Message], Awaitable[None]]) -> None:
        self._context = context
        self._process = process
        self._runs: dict[TP, deque[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def park(self, run: Message) -> bool:
        """Park a run when it must wait, or when one before it in its partition does. False when it need not."""
        parked = self._runs.get(run.tp)
        if parked is not None:
            parked.append(run)
            return True
        if not _unknown(self._context.registry, run):
            return False
        self._runs[run.tp] = deque([run])
        self._show()
        self._context.hold(run.tp)
        task = asyncio.create_task(self._process_all(run.tp, self._runs[run.tp]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def reset(self) -> None:
        """Drop every run: they will be read again. Repeat: safe."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()
        self._show()

    async def _process_all(self, tp: TP, runs: deque[Message]) -> None:
        try:
            while runs:
                await self._learn_schemas(runs[0])
                await self._process(runs.popleft())
            del self._runs[tp]
            self._show()
            await self._context.release(tp)
        except Exception as error:
            self._context.fail(error)

    async def _learn_schemas(self, run: Message) -> None:
        """Request every unknown schema of a run. One that the registry does not have stays unknown: see decoding."""
        registry = self._context.registry
        for head in _unknown(registry, run):
            await retried(partial(registry.learn, head), self._context, run)

    def _show(self) -> None:
        self._context.metrics.waiting_partitions.set(len(self._runs))


def _unknown(registry: Registry, message: Message) -> list[bytes]:
    """The first bytes of those records whose schema is not known, one per schema."""
    run: Any = message.value
    return [head for head in {record.value[:5] for record in run if record.value} if not registry.is_known(head)]
