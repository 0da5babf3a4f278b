"""What a worker does besides reading: it closes windows as the horizon moves, and expires old rows every hour."""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError

from schemas.runtime.logs import StateReports
from streams.errors import TopicsError
from streams.worker.horizon import HorizonPoller
from streams.worker.metrics import WorkerMetrics
from streams.worker.run_agent import RunAgent, now_ms
from streams.worker.windows_agent import WindowsAgent

log = structlog.get_logger()

CLOSE_INTERVAL_S: Final = 1.0
EXPIRE_INTERVAL_S: Final = 3600.0
HELD_MS: Final = 5_000  # transactions are open for some seconds, as a rule; one that lasts longer is logged


class Housekeeping:
    """The duties of one worker. Agents by the topic that they read; `assigned`: its partitions of a topic.

    `describe`: an error in words; `fail` ends the process.
    """

    def __init__(
        self,
        horizon: HorizonPoller,
        agents: Mapping[str, RunAgent],
        windows_agents: Mapping[str, WindowsAgent],
        metrics: WorkerMetrics,
        assigned: Callable[[str], set[int]],
        describe: Callable[[BaseException], str],
        fail: Callable[[BaseException], None],
    ) -> None:
        self._horizon = horizon
        self._agents = agents
        self._windows_agents = windows_agents
        self._metrics = metrics
        self._assigned = assigned
        self._describe = describe
        self._fail = fail
        self._unknown = StateReports()
        self._held: set[TopicPartition] = set()

    async def run(self, is_ready: Callable[[], bool], dedup_ms: int) -> None:
        """Do the duties for as long as the worker runs, while it is ready."""
        expire_at = time.monotonic() + EXPIRE_INTERVAL_S
        while True:
            if is_ready():
                await self._close_due()
                if time.monotonic() > expire_at:
                    await self._expire(dedup_ms)
                    expire_at = time.monotonic() + EXPIRE_INTERVAL_S
            await asyncio.sleep(CLOSE_INTERVAL_S)

    async def _close_due(self) -> None:
        try:
            reached = await self._horizon.poll(now_ms())
        except TopicsError as error:
            self._fail(error)
            return
        except (KafkaError, OSError, TimeoutError) as error:
            reason = self._describe(error)
            if self._unknown.is_due(reason):
                log.warning("horizon.unknown", error=type(error).__name__, reason=reason)
            return
        self._unknown.is_due("")
        self._report_held()
        for tp, received_until in reached.items():
            if tp.partition in self._assigned(tp.topic):
                await self._windows_agents[tp.topic].close_due(tp.partition, received_until)

    def _report_held(self) -> None:
        """Log partitions that cannot be read on: no fault of the worker, but no window becomes final meanwhile."""
        now = now_ms()
        held = {tp for tp, since_ms in self._horizon.held_since.items() if now - since_ms >= HELD_MS}
        self._metrics.held_partitions.set(len(held))
        for topic, partition in sorted(held - self._held):
            log.warning(
                "partition.held",
                topic=topic,
                partition=partition,
                reason="a transaction of another producer is open: what follows it cannot be read, and windows stay "
                "open; end it there, or by kafka-transactions.sh abort",
            )
        self._held = held

    async def _expire(self, dedup_ms: int) -> None:
        for topic, agent in self._agents.items():
            for partition in self._assigned(topic):
                await agent.expire(partition, dedup_ms)
