"""Five shapes of traffic with real groups, what was appended and committed when, and so the true lag at any instant.

The truth comes from the producers' acknowledgements (LogAppendTime) and from the commits, not from the poller. Between
the sending of a commit and its answer both offsets may be the one that Kafka has.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from math import inf

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from schemas.topics import CALLS
from streams.errors import BrokerUnavailableError
from streams.monitor.lag.poller import LagPoller
from streams.monitor.lag.tracker import LagSnapshot
from tests.support.clients import create_topic

BURST = 600


@dataclass(frozen=True)
class Pace:
    """How the shapes move. Times in seconds, rates in records a second."""

    steady_rate: float = 50.0
    burst_every_s: float = 20.0
    burst_read_rate: float = 50.0
    rare_every_s: float = 20.0
    rare_work_s: float = 3.0


@dataclass(frozen=True)
class Commit:
    """The group's offset from its answer on; perhaps from its sending on. Epoch ms."""

    offset: int
    sent_at: float
    answered_at: float


@dataclass
class Shape:
    """One topic of one partition with one group, and everything that happened to both."""

    name: str
    topic: str
    group: str
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer
    appended_at: dict[int, int] = field(default_factory=dict)
    commits: list[Commit] = field(default_factory=list)

    async def produce(self, count: int) -> None:
        """Append these, and note when the broker did."""
        futures = [await self.producer.send(self.topic, b"x" * 100, partition=0) for _ in range(count)]
        for sent in await asyncio.gather(*futures):
            self.appended_at[sent.offset] = sent.timestamp

    async def commit(self, offset: int) -> None:
        """Commit, and note when."""
        sent_at = time.time() * 1000
        await self.consumer.commit({TopicPartition(self.topic, 0): offset})
        self.commits.append(Commit(offset, sent_at, time.time() * 1000))

    async def read(self, most: int) -> int | None:
        """Take up to so many records; the offset behind them, None when there are none."""
        found = await self.consumer.getmany(timeout_ms=100, max_records=most)
        return max((records[-1].offset + 1 for records in found.values()), default=None)

    def is_known(self, at_ms: float) -> bool:
        """Whether its group had committed by then."""
        return bool(self.commits) and self.commits[0].answered_at <= at_ms

    def error_s(self, seconds: float, from_ms: float, to_ms: float) -> float:
        """How far this age is from the truth at `to_ms`, for an offset that Kafka had at some instant since from_ms."""
        return min(abs(seconds - truth) for truth in self._truths(from_ms, to_ms))

    def _truths(self, from_ms: float, to_ms: float) -> list[float]:
        replaced = [commit.answered_at for commit in self.commits[1:]] + [inf]
        return [
            self._age_s(commit.offset, to_ms)
            for commit, until in zip(self.commits, replaced, strict=True)
            if commit.sent_at <= to_ms and until >= from_ms
        ]

    def _age_s(self, offset: int, at_ms: float) -> float:
        """Of the record that the group reads next; 0 when there was none yet."""
        appended_at = self.appended_at.get(offset)
        return 0.0 if appended_at is None or appended_at > at_ms else (at_ms - appended_at) / 1000


@dataclass
class Seen:
    """What the polls said: how many there were, how many failed, and each age beside its error."""

    polls: int = 0
    failed: int = 0
    negative: int = 0
    unknown: int = 0
    errors_s: dict[str, list[float]] = field(default_factory=dict)
    highest_s: dict[str, float] = field(default_factory=dict)

    @property
    def worst_s(self) -> dict[str, float]:
        """The largest error of each shape, seconds."""
        return {name: max(found) for name, found in self.errors_s.items()}


@contextlib.asynccontextmanager
async def flowing(bootstrap: str, pace: Pace) -> AsyncIterator[dict[str, Shape]]:
    """The shapes, by name, in motion for as long as the block lasts. Their groups begin with `truth-`."""
    movers = {"steady": _steady, "bursts": _bursts, "rare": _rare, "idle": _idle, "stopped": _stopped}
    async with contextlib.AsyncExitStack() as stack:
        shapes = await asyncio.gather(*(_shape(stack, bootstrap, name) for name in movers))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(movers[shape.name](shape, pace)) for shape in shapes]
            yield {shape.name: shape for shape in shapes}
            for task in tasks:
                task.cancel()


async def observe(poller: LagPoller, shapes: dict[str, Shape], goes_on: Callable[[Seen], bool], every_s: float) -> Seen:
    """Poll while `goes_on`, and compare each age with the truth afterwards, when all of it is known."""
    seen = Seen()
    looks: list[tuple[float, LagSnapshot]] = []
    while goes_on(seen):
        began_at = time.time() * 1000
        seen.polls += 1
        try:
            looks.append((began_at, await poller.poll_once()))
        except BrokerUnavailableError:
            seen.failed += 1
        await asyncio.sleep(every_s)
    by_group = {shape.group: shape for shape in shapes.values()}
    for began_at, snapshot in looks:
        for group in snapshot.groups:
            for row in group.partitions:
                seen.negative += (row.lag or 0) < 0 or (row.lag_seconds or 0) < 0
                shape = by_group.get(group.consumergroup)
                if shape is None or row.topic != shape.topic or not shape.is_known(began_at):
                    continue
                if row.lag_seconds is None:
                    seen.unknown += 1
                    continue
                error_s = shape.error_s(row.lag_seconds, began_at, snapshot.as_of_ms)
                seen.errors_s.setdefault(shape.name, []).append(error_s)
                seen.highest_s[shape.name] = max(seen.highest_s.get(shape.name, 0.0), row.lag_seconds)
    return seen


async def _shape(stack: contextlib.AsyncExitStack, bootstrap: str, name: str) -> Shape:
    topic = await create_topic(bootstrap, CALLS.config())
    group = f"truth-{name}-{uuid.uuid4().hex[:8]}"
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all")
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
    )
    for client in (producer, consumer):
        await client.start()
        stack.push_async_callback(_stop, client)
    return Shape(name, topic, group, producer, consumer)


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    """aiokafka's `stop` may raise the CancelledError of a fetch that it ended itself; that is not the end of ours."""
    task = asyncio.current_task()
    try:
        await client.stop()
    except asyncio.CancelledError:
        if task is None or task.cancelling():
            raise


async def _steady(shape: Shape, pace: Pace) -> None:
    """A few records at a time, read and committed at once."""

    async def produce() -> None:
        await shape.produce(max(1, round(pace.steady_rate / 10)))

    async def read() -> None:
        if (offset := await shape.read(100)) is not None:
            await shape.commit(offset)

    await asyncio.gather(_again(0.1, produce), _again(0.0, read))


async def _bursts(shape: Shape, pace: Pace) -> None:
    """BURST records at once, read slowly: a commit each half second."""

    async def read() -> None:
        if (offset := await shape.read(max(1, round(pace.burst_read_rate / 2)))) is not None:
            await shape.commit(offset)

    await asyncio.gather(_again(pace.burst_every_s, lambda: shape.produce(BURST)), _again(0.5, read))


async def _rare(shape: Shape, pace: Pace) -> None:
    """One record now and then, on which its reader works for a while before it commits."""

    async def read() -> None:
        if (offset := await shape.read(1)) is not None:
            await asyncio.sleep(pace.rare_work_s)
            await shape.commit(offset)

    await asyncio.gather(_again(pace.rare_every_s, lambda: shape.produce(1)), _again(0.0, read))


async def _idle(shape: Shape, _: Pace) -> None:
    """All was read, and nothing comes."""
    await shape.produce(20)
    await shape.commit(20)


async def _stopped(shape: Shape, _: Pace) -> None:
    """Its reader has left in the middle of a backlog."""
    await shape.produce(30)
    await shape.commit(7)
    await shape.consumer.stop()


async def _again(every_s: float, step: Callable[[], Awaitable[None]]) -> None:
    """Do it, and again after so long, whatever it took."""
    while True:
        await step()
        await asyncio.sleep(every_s)
