"""Partitions that wait for the schema registry, so that the others need not.

A run with a schema id nobody has told us yet cannot be decoded while the registry is away. It is put aside with all
that follows in its partition; the partition is held, so little follows. Nothing of it is acknowledged meanwhile.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import chain, repeat
from typing import Any, Final, TypeVar

import structlog
from faust.types import TP, Message

from schemas.errors import RegistryUnavailableError
from schemas.registry import Registry
from streams.worker.metrics import WorkerMetrics

log = structlog.get_logger()

T = TypeVar("T")

REGISTRY_PAUSE_S: Final = (0.2, 0.5, 1.0, 2.0, 5.0)


async def patiently(ask: Callable[[], Awaitable[T]], metrics: WorkerMetrics, place: Any) -> T:
    """What the registry answers, asked again as long as it is away. place: has the topic and partition that wait."""
    for pause_s in chain(REGISTRY_PAUSE_S, repeat(REGISTRY_PAUSE_S[-1])):
        try:
            return await ask()
        except RegistryUnavailableError as error:
            metrics.schema_registry_waits.inc()
            log.warning("registry.waiting", topic=place.topic, partition=place.partition, error=str(error))
        await asyncio.sleep(pause_s)
    raise AssertionError("repeat never ends")


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
        """Ask for every schema of a run. What is unknown still, the registry does not have: decoding says so."""
        for data in _unknown(self._registry, message):
            await patiently(partial(self._registry.learn, data), self._metrics, message)

    def _show(self) -> None:
        self._metrics.waiting_partitions.set(len(self._runs))


def _unknown(registry: Registry, message: Message) -> list[bytes]:
    """The first bytes of those records whose schema is not known, one per schema."""
    run: Any = message.value
    return [head for head in {record.value[:5] for record in run if record.value} if not registry.is_known(head)]
