"""Partitions that wait for the schema registry, so that the others need not.

A run with a schema id nobody has told us yet cannot be decoded while the registry is away. It is put aside with all
that follows in its partition; the partition is held, so little follows. Nothing of it is acknowledged meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Final

import structlog
from faust.types import TP, Message

from schemas.errors import RegistryUnavailableError
from schemas.registry import Registry
from streams.worker.metrics import WorkerMetrics

log = structlog.get_logger()

REGISTRY_PAUSE_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


class Parking:
    """Runs put aside, by partition, in order. `take` works one off and must not raise; `fail` must end the process.

    hold, release: stop and go on fetching a partition.
    """

    def __init__(
        self,
        registry: Registry,
        metrics: WorkerMetrics,
        take: Callable[[Message], Awaitable[None]],
        hold: Callable[[TP], None],
        release: Callable[[TP], Awaitable[None]],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._registry = registry
        self._metrics = metrics
        self._take = take
        self._hold = hold
        self._release = release
        self._fail = fail
        self._runs: dict[TP, deque[Message]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def take_over(self, message: Message) -> bool:
        """Put a run aside when it must wait, or when one before it in its partition does. False when it need not."""
        waiting = self._runs.get(message.tp)
        if waiting is None and not _unknown(self._registry, message):
            return False
        if waiting is not None:
            waiting.append(message)
            return True
        self._runs[message.tp] = deque([message])
        self._show()
        self._hold(message.tp)
        task = asyncio.create_task(self._work_off(message.tp, self._runs[message.tp]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return True

    async def reset(self) -> None:
        """Forget every run: they will be read again. Repeat: safe."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._runs.clear()
        self._show()

    async def _work_off(self, tp: TP, runs: deque[Message]) -> None:
        try:
            while runs:
                await self._learn(runs[0])
                await self._take(runs.popleft())
            del self._runs[tp]
            self._show()
            await self._release(tp)
        except Exception as error:
            self._fail(error)

    async def _learn(self, message: Message) -> None:
        """Ask for every schema of a run, as long as the registry is away."""
        attempt = 0
        while unknown := _unknown(self._registry, message):
            try:
                for data in unknown:
                    await self._registry.learn(data)
                return  # what is unknown still, the registry does not have: decoding says so
            except RegistryUnavailableError as error:
                self._metrics.schema_registry_waits.inc()
                log.warning("registry.waiting", topic=message.topic, partition=message.partition, error=str(error))
                await asyncio.sleep(REGISTRY_PAUSE_S[min(attempt, len(REGISTRY_PAUSE_S) - 1)])
                attempt += 1

    def _show(self) -> None:
        self._metrics.waiting_partitions.set(len(self._runs))


def _unknown(registry: Registry, message: Message) -> list[bytes]:
    """The first bytes of those records whose schema is not known, one per schema."""
    run: Any = message.value
    return [head for head in {record.value[:5] for record in run if record.value} if not registry.is_known(head)]
