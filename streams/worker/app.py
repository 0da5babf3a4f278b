"""The worker: tables and agents bound to a Faust app, its health, and its end."""

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import structlog
from aiokafka.errors import KafkaError
from faust.types import TP, Message

from schemas.connection_faults import chain, in_words
from schemas.registry import Registry
from schemas.runtime import exits
from schemas.runtime.garbage import collect_seldom
from schemas.topics import CALLBACKS, CALLS_TABLE, REKEYED_DETAILS, TABLES, Topic
from streams.errors import StreamsError, WorkerCrashedError
from streams.rules.dimensions import DIMENSIONS, Dimension
from streams.rules.windows import WindowSettings
from streams.settings import WorkerSettings
from streams.worker.calls_agent import CallsAgent
from streams.worker.context import AgentContext
from streams.worker.faust_app import build_faust_app
from streams.worker.horizon import HorizonPoller
from streams.worker.housekeeping import Housekeeping
from streams.worker.identity import identity_of
from streams.worker.metrics import WorkerMetrics
from streams.worker.ops import WorkerState
from streams.worker.outbox import Outbox
from streams.worker.pipeline import Pipeline
from streams.worker.premises import Premises, commit_note
from streams.worker.recovery import Recovery
from streams.worker.run_agent import RunAgent
from streams.worker.spans import AgentSpans
from streams.worker.tables import StateTable
from streams.worker.transport import RunConsumer, RunSchema
from streams.worker.vitals import beat, fail_after_pause
from streams.worker.watchdog import Watchdog
from streams.worker.windows_agent import WindowsAgent

if TYPE_CHECKING:
    from schemas.runtime.spans import Spans

log = structlog.get_logger()

EXIT_FAILED: Final = exits.INTERNAL  # stopped without a commit, so that nothing is lost; start again
RESTORED_RUNS: Final = 2  # restored together; 1 means something else to Faust
STOP_TIMEOUT_S: Final = 20.0
DAY_MS: Final = 24 * 3600 * 1000
COLLECT_AFTER: Final = 50_000  # containers made and not yet freed: tens of thousands live until a run is settled


class Worker:
    """Everything one worker process holds. Build it, `run` it once."""

    def __init__(
        self,
        settings: WorkerSettings,
        partitions: dict[str, int],
        registry: Registry,
        state: WorkerState,
        metrics: WorkerMetrics,
        spans: "Spans | None" = None,
    ) -> None:
        self.settings = settings
        self.state = state
        self.metrics = metrics
        self._partitions = partitions
        self._names = settings.kafka.names
        self._registry = registry
        self._spans = spans
        self.app = build_faust_app(settings)
        calls_agent = self._calls_agent()
        self._windows_agents = {
            self._names.of(dimension.changes): self._windows_agent(dimension) for dimension in DIMENSIONS
        }
        self.agents: dict[str, RunAgent] = {self._names.of(CALLBACKS): calls_agent, **self._windows_agents}
        self.horizon = HorizonPoller(settings.kafka, settings.group, partitions, tuple(self._windows_agents))
        self.housekeeping = Housekeeping(
            self.horizon, self.agents, self._windows_agents, metrics, self._assigned, self._describe, self.fail
        )
        identity = identity_of(settings.group, settings.data_dir)
        self._premises = Premises(settings.kafka, settings.group, partitions, registry, identity)
        self._recovery = Recovery()
        self.app.on_partitions_assigned.connect(self._on_assigned)
        self.app.on_partitions_revoked.connect(self._on_revoked)
        self.app.on_rebalance_complete.connect(self._on_recovered)

    def fail(self, error: BaseException) -> None:
        """End the process now, without another commit: whatever was not settled will be read again."""
        is_ours = isinstance(error, StreamsError)  # its message is enough; any other error needs its traceback
        exit_code = error.exit_code if isinstance(error, StreamsError) else EXIT_FAILED
        trace = None if is_ours else error
        reason = self._describe(error)
        log.critical("worker.failed", error=type(error).__name__, reason=reason, exit_code=exit_code, exc_info=trace)
        os._exit(exit_code)

    def _describe(self, error: BaseException | None) -> str:
        """An error in words; one of Kafka names the right or the setting that is wrong."""
        if error is None or isinstance(error, StreamsError):
            return str(error)
        is_kafkas = any(isinstance(cause, (KafkaError, OSError)) for cause in chain(error))
        return in_words(error, self.settings.kafka) if is_kafkas else str(error)

    async def drain(self, timeout_s: float) -> bool:
        """Wait until the agents have finished what they hold. False when they did not in time."""
        try:
            async with asyncio.timeout(timeout_s):
                for agent in self.agents.values():
                    await agent.drain()
        except TimeoutError:
            return False
        return True

    def _calls_agent(self) -> CallsAgent:
        agent = CallsAgent(self._table(CALLS_TABLE), self._context(), self.settings.timezone)
        self._bind(agent, CALLS_TABLE, CALLBACKS, REKEYED_DETAILS)
        return agent

    def _windows_agent(self, dimension: Dimension) -> WindowsAgent:
        windows = WindowSettings(self.settings.window_s * 1000, self.settings.grace_s * 1000)
        agent = WindowsAgent(self._table(dimension.table), self._context(), dimension, windows)
        self._bind(agent, dimension.table, dimension.changes)
        return agent

    def _context(self) -> AgentContext:
        outbox = Outbox(lambda: self.app.producer._ensure_producer())
        return AgentContext(
            registry=self._registry,
            names=self._names,
            partitions=self._partitions,
            group=self.settings.group,
            pipeline=Pipeline(outbox, self.fail),
            metrics=self.metrics,
            settle=self._settle,
            progressed=self.state.progressed,
            fail=self.fail,
            hold=self._hold,
            release=self._release,
            spans=AgentSpans(self._spans, self._names, self.settings.group) if self._spans else None,
        )

    def _settle(self, run: Message) -> None:
        self.app.consumer.settle(run)
        self.state.progressed()

    def _hold(self, tp: TP) -> None:
        self.app.consumer.pause_partitions({tp})

    async def _release(self, tp: TP) -> None:
        await self.app.consumer.release(tp)

    def _table(self, name: str) -> StateTable:
        table: StateTable = self.app.Table(
            name,
            key_type=bytes,
            value_type=bytes,
            partitions=self._partitions[self._names.of(CALLBACKS)],
            schema=RunSchema(),
            recovery_buffer_size=RESTORED_RUNS,
            help=f"state of the {name} agent",
        )
        table.restored = partial(self._restored, name)
        return table

    def _bind(self, agent: RunAgent, name: str, *topics: Topic) -> None:
        names = [self._names.of(topic) for topic in topics]
        channel = self.app.topic(*names, schema=RunSchema(), partitions=self._partitions[names[0]])
        self.app.agent(channel, name=name)(agent.body)

    async def _on_revoked(self, app: Any, revoked: set[TP], **kwargs: Any) -> None:
        self.state.reason_not_ready = "rebalancing"
        log.info("worker.revoked", partitions=len(revoked))
        for agent in self.agents.values():
            await agent.reset()

    async def _on_assigned(self, app: Any, assigned: set[TP], **kwargs: Any) -> None:
        self._recovery.begin()

    def _restored(self, table: str) -> None:
        self._recovery.restored(table)
        self.state.progressed()

    async def _on_recovered(self, app: Any, **kwargs: Any) -> None:
        try:
            for topic, agent in self._windows_agents.items():
                await agent.load(self._assigned(topic))
        except StreamsError as error:
            self.fail(error)
        self.metrics.recoveries.inc()
        for table in TABLES:
            self.metrics.recovery_seconds.labels(table).set(self._recovery.seconds(table))
        log.info("worker.recovered", partitions=len(self.app.consumer.assignment()))
        self.state.reason_not_ready = ""

    def _assigned(self, topic: str) -> set[int]:
        return {tp.partition for tp in self.app.consumer.assignment() if tp.topic == topic}

    def _turn(self) -> None:
        """The loop is alive; how much of its work is not done yet."""
        consumer: RunConsumer = self.app.consumer
        unsettled = consumer.offsets.unsettled()
        self.metrics.unsettled_runs.set(unsettled)
        self.state.turn(is_busy=bool(unsettled or self.state.reason_not_ready) or self._is_behind(consumer))

    def _is_behind(self, consumer: RunConsumer) -> bool:
        """True when records of our own partitions wait. Clients of its own see them, also when the fetcher hangs."""
        waiting = {TP(*tp) for tp, lag in self.horizon.lags.items() if lag > 0}
        return bool(waiting) and not waiting.isdisjoint(consumer.assignment())

    async def run(self, stop: asyncio.Event) -> None:
        """Run until `stop`, or until Faust crashes, which is raised. Stops within STOP_TIMEOUT_S."""
        self.state.reason_not_ready = "recovering"
        watchdog = Watchdog(self.state, lambda reason: os._exit(EXIT_FAILED))
        watchdog.start()
        signs = (beat(self._turn), fail_after_pause(self.fail))
        watched = (stop.wait(), self._crashed(), *signs, self._watch_premises(), self._work())
        waits = [asyncio.create_task(coroutine) for coroutine in watched]
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
        self.app.consumer.commit_note = commit_note(self._partitions[self._names.of(CALLBACKS)])
        await self.app.start()
        collect_seldom(COLLECT_AFTER)
        self.app.consumer.on_drain = self.drain
        await self.housekeeping.run(lambda: not self.state.reason_not_ready, self.settings.dedup_days * DAY_MS)

    async def _watch_premises(self) -> None:
        """End the process, without another commit, when a premise of its start no longer holds."""
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
        raise WorkerCrashedError(f"Faust crashed: {self._describe(why)}") from why
