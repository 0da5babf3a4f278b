"""The worker: tables and agents bound to a Faust app, its health, and its end."""

import asyncio
import os
import time
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.types import TP

from schemas.connection_faults import chain, in_words
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.runtime.garbage import collect_seldom
from schemas.runtime.logs import Told
from schemas.topics import CALLBACKS, CALLS_TABLE, REKEYED_DETAILS
from streams.errors import StreamsError, TopicsError
from streams.rules.dimensions import DIMENSIONS
from streams.rules.windows import WindowSettings
from streams.settings import WorkerSettings
from streams.worker.calls_agent import CallsAgent
from streams.worker.faust_app import SESSION_TIMEOUT_S, build_faust_app
from streams.worker.horizon import HorizonPoller
from streams.worker.identity import identity_of
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import WorkerState
from streams.worker.outbox import Outbox
from streams.worker.pipeline import Pipeline
from streams.worker.premises import Premises, commit_note
from streams.worker.run_agent import RunAgent
from streams.worker.tables import StateTable
from streams.worker.transport import RunConsumer, RunSchema
from streams.worker.watchdog import Watchdog
from streams.worker.windows_agent import WindowsAgent

log = structlog.get_logger()

EXIT_FAILED: Final = exits.INTERNAL  # stopped without a commit, so that nothing is lost; start again
RESTORED_RUNS: Final = 2  # written together on recovery; 1 means something else to Faust
STOP_TIMEOUT_S: Final = 20.0
SWEEP_INTERVAL_S: Final = 3600.0
BEAT_S: Final = 0.5
PAUSE_LIMIT_S: Final = SESSION_TIMEOUT_S * 2 / 3
CLOSE_INTERVAL_S: Final = 1.0
DAY_MS: Final = 24 * 3600 * 1000
# Transactions are open for some seconds, as a rule; what is held back for longer somebody should hear of.
HELD_MS: Final = 5_000
COLLECT_AFTER: Final = 50_000  # containers made and not yet freed: tens of thousands live until a run is settled


class WorkerCrashedError(StreamsError):
    """Faust gave up. Nothing that was not settled is committed; start again."""

    code = "crashed"
    exit_code = EXIT_FAILED


class WorkerPausedError(StreamsError):
    """The process stood still for longer than its group may wait for it."""

    code = "paused"
    exit_code = EXIT_FAILED


class Worker:
    """Everything one worker process holds. Build it, `run` it once."""

    def __init__(
        self,
        settings: WorkerSettings,
        partitions: dict[str, int],
        registry: Registry,
        state: WorkerState,
        metrics: WorkerMetrics,
    ) -> None:
        self.settings = settings
        self.state = state
        self.metrics = metrics
        self._partitions = partitions
        self._registry = registry
        self.app = build_faust_app(settings)
        self._tables: list[StateTable] = []
        self._horizon_told = Told()
        self._told_held: set[TopicPartition] = set()
        self.agents = self._bind_agents()
        window_topics = tuple(dimension.changes.name for dimension in DIMENSIONS)
        self.horizon = HorizonPoller(settings.kafka, settings.app_id, partitions, window_topics)
        identity = identity_of(settings.app_id, settings.data_dir)
        self._premises = Premises(settings.kafka, settings.app_id, partitions, registry, identity)
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self.app.on_rebalance_complete.connect(self._on_recovered)

    def fail(self, error: BaseException) -> None:
        """End the process now, without another commit: whatever was not settled will be read again."""
        is_ours = isinstance(error, StreamsError)  # which says what to do; anything else, where it came from
        exit_code = error.exit_code if isinstance(error, StreamsError) else EXIT_FAILED
        trace = None if is_ours else error
        reason = self._in_words(error)
        log.critical("worker.failed", error=type(error).__name__, reason=reason, exit_code=exit_code, exc_info=trace)
        os._exit(exit_code)

    def _in_words(self, error: BaseException | None) -> str:
        """Why, with the right or the setting where it is Kafka's trouble."""
        if error is None or isinstance(error, StreamsError):
            return str(error)
        is_kafkas = any(isinstance(cause, (KafkaError, OSError)) for cause in chain(error))
        return in_words(error, self.settings.kafka) if is_kafkas else str(error)

    async def drain(self, timeout_s: float) -> bool:
        """Let the agents finish what they hold. False when they did not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                for agent in self.agents.values():
                    await agent.drain()
        except TimeoutError:
            return False
        return True

    def _bind_agents(self) -> dict[str, RunAgent]:
        windows = WindowSettings(self.settings.window_s * 1000, self.settings.grace_s * 1000)
        calls = CallsAgent(table=self._table(CALLS_TABLE), zone=self.settings.timezone, **self._shared())
        self._bind(calls, CALLS_TABLE, CALLBACKS.name, REKEYED_DETAILS.name)
        agents: dict[str, RunAgent] = {CALLBACKS.name: calls}
        for dimension in DIMENSIONS:
            agent = WindowsAgent(
                table=self._table(dimension.table), dimension=dimension, settings=windows, **self._shared()
            )
            self._bind(agent, dimension.table, dimension.changes.name)
            agents[dimension.changes.name] = agent
        return agents

    def _shared(self) -> dict[str, Any]:
        outbox = Outbox(lambda: self.app.producer._ensure_producer())
        return {
            "registry": self._registry,
            "partitions": self._partitions,
            "pipeline": Pipeline(outbox, self.fail),
            "metrics": self.metrics,
            "settle": lambda message: self.app.consumer.settle(message),
            "fail": self.fail,
            "hold": lambda tp: self.app.consumer.pause_partitions({tp}),
            "release": lambda tp: self.app.consumer.release(tp),
        }

    def _table(self, name: str) -> StateTable:
        table: StateTable = self.app.Table(
            name,
            key_type=bytes,
            value_type=bytes,
            partitions=self._partitions[CALLBACKS.name],
            schema=RunSchema(),
            recovery_buffer_size=RESTORED_RUNS,
            help=f"state of the {name} agent",
        )
        self._tables.append(table)
        return table

    def _bind(self, agent: RunAgent, name: str, *topics: str) -> None:
        channel = self.app.topic(*topics, schema=RunSchema(), partitions=self._partitions[topics[0]])
        self.app.agent(channel, name=name)(agent.body)

    async def _on_revoked(self, app: Any, revoked: set[TP], **kwargs: Any) -> None:
        self.state.reason_not_ready = "rebalancing"
        log.info("worker.revoked", partitions=len(revoked))
        for agent in self.agents.values():
            await agent.reset()

    async def _on_recovered(self, app: Any, **kwargs: Any) -> None:
        try:
            for topic, agent in self.agents.items():
                if isinstance(agent, WindowsAgent):
                    await agent.load(self._assigned(topic))
        except StreamsError as error:
            self.fail(error)
        self.metrics.recoveries.inc()
        log.info("worker.recovered", partitions=len(self.app.consumer.assignment()))
        self.state.reason_not_ready = ""

    def _assigned(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic}

    async def watch(self) -> None:
        """Close windows as the horizon moves and forget old calls, for as long as the worker runs."""
        sweep_at = time.monotonic() + SWEEP_INTERVAL_S
        while True:
            if not self.state.reason_not_ready:
                await self._close_due()
                if time.monotonic() > sweep_at:
                    await self._sweep()
                    sweep_at = time.monotonic() + SWEEP_INTERVAL_S
            await asyncio.sleep(CLOSE_INTERVAL_S)

    async def _show_life(self) -> None:
        """Tell the watchdog, from before the start on, that the loop turns and how far it has come."""
        while True:
            self._turn()
            await asyncio.sleep(BEAT_S)

    def _turn(self) -> None:
        consumer: RunConsumer = self.app.consumer
        unsettled = consumer.offsets.unsettled()
        restored = sum(table.store.restored_rows for table in self._tables)
        waits = self.metrics.schema_registry_waits._value.get()
        self.metrics.unsettled_runs.set(unsettled)
        is_busy = bool(unsettled or self.state.reason_not_ready) or self._is_behind(consumer)
        self.state.turn(consumer.settled_runs + restored + int(waits), is_busy=is_busy)

    def _is_behind(self, consumer: RunConsumer) -> bool:
        """Whether records of our own partitions wait: seen by clients of its own, so also when the fetcher hangs."""
        waiting = {TP(*tp) for tp, lag in self.horizon.lags.items() if lag > 0}
        return bool(waiting) and not waiting.isdisjoint(consumer.assignment())

    async def _close_due(self) -> None:
        try:
            reached = await self.horizon.poll(RunAgent.now_ms())
        except TopicsError as error:
            self.fail(error)
            return
        except (KafkaError, OSError, TimeoutError) as error:
            reason = self._in_words(error)
            if self._horizon_told.is_due(reason):
                log.warning("horizon.unknown", error=type(error).__name__, reason=reason)
            return
        self._horizon_told.is_due("")
        self._tell_held()
        for tp, received_until in reached.items():
            agent = self.agents[tp.topic]
            if isinstance(agent, WindowsAgent) and tp.partition in self._assigned(tp.topic):
                await agent.close_due(tp.partition, received_until)

    def _tell_held(self) -> None:
        """Tell of partitions that cannot be read on: no fault of the worker's, but no window gets final meanwhile."""
        now_ms = RunAgent.now_ms()
        held = {tp for tp, since_ms in self.horizon.held_since.items() if now_ms - since_ms >= HELD_MS}
        self.metrics.held_partitions.set(len(held))
        for topic, partition in sorted(held - self._told_held):
            log.warning(
                "partition.held",
                topic=topic,
                partition=partition,
                detail="a transaction of another producer is open: what follows it cannot be read, and windows stay "
                "open; end it there, or by kafka-transactions.sh abort",
            )
        self._told_held = held

    async def _sweep(self) -> None:
        for topic, agent in self.agents.items():
            for partition in self._assigned(topic):
                await agent.forget(partition, self.settings.dedup_days * DAY_MS)

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, or until Faust crashes, which is raised. Stops within STOP_TIMEOUT_S."""
        self.state.reason_not_ready = "recovering"
        watchdog = Watchdog(self.state, lambda reason: os._exit(EXIT_FAILED))
        watchdog.start()
        watched = (self._crashed(), self._show_life(), self._notice_pauses(), self._watch_premises())
        waits = [asyncio.create_task(coroutine) for coroutine in (stop.wait(), *watched, self._work())]
        try:
            done, _ = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            self.state.reason_not_ready = "stopping"
            watchdog.stop()
            for task in waits:
                task.cancel()
            await self._stop()

    async def _work(self) -> None:
        self.app.consumer.commit_note = commit_note(self._partitions)
        await self.app.start()
        collect_seldom(COLLECT_AFTER)
        self.app.consumer.on_drain = self.drain
        await self.watch()

    async def _notice_pauses(self) -> None:
        """End the process when it was stopped for so long that others may have its partitions.

        It could not know yet, and would send the outputs of decisions that are no longer its own.
        """
        beat_at = _clock()
        while True:
            await asyncio.sleep(BEAT_S)
            paused_s, beat_at = _clock() - beat_at, _clock()
            if paused_s > PAUSE_LIMIT_S:
                self.fail(WorkerPausedError(f"stopped for {paused_s:.0f} s"))

    async def _watch_premises(self) -> None:
        """End the process, without another commit, when what it was started on is so no more."""
        try:
            await self._premises.watch()
        except StreamsError as error:
            self.fail(error)

    async def _stop(self) -> None:
        try:
            async with asyncio.timeout(STOP_TIMEOUT_S):
                await self.app.stop()
                await self.horizon.stop()
        except TimeoutError:
            self.fail(TimeoutError(f"not stopped within {STOP_TIMEOUT_S} s"))
        except Exception as error:
            self.fail(error)

    async def _crashed(self) -> None:
        await self.app._crashed.wait()
        why: BaseException | None = self.app.crash_reason
        raise WorkerCrashedError(f"Faust crashed: {self._in_words(why)}") from why


def _clock() -> float:
    """Seconds that also pass while the machine sleeps, where the system can tell."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))
