"""How much work one callback is, counted and not timed, so that a slow machine changes nothing.

A run of callbacks goes through the real agents and the real outbox; only broker, registry and RocksDB are away. The
ceilings lie a little above what was counted when they were set: lower them when work is saved, and think before raising
them. A second encoding of a record, a lookup per record or a smaller batch is over them.
"""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from aiokafka import TopicPartition as TP
from aiokafka.producer.message_accumulator import BatchBuilder

from schemas import codec
from schemas.headers import TraceContext, headers_for
from schemas.placement import partition_of
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import (
    CALLBACKS,
    TOPICS,
    Topic,
)
from streams.rules.dimensions import DIMENSIONS, Dimension
from streams.rules.windows import Windows, WindowSettings
from streams.worker.calls_agent import CallsAgent
from streams.worker.context import AgentContext
from streams.worker.faust_app import BATCH_BYTES
from streams.worker.outbox import Outbox, Outgoing
from streams.worker.pipeline import UnitOfWork
from streams.worker.windows_agent import WindowsAgent
from tests.benchmarks.worker import one
from tests.support.agents import context_of
from tests.support.topics import callback_of

CALLBACKS_IN_RUN = 250
ANSWERS_EACH = 8
PARTITIONS, FEW = 4, 12
RECEIVED_AT = 1_710_163_600_000
ZSTD = 4
WINDOWS = WindowSettings(300_000, 3_600_000)

# One Call, eight Answers, two CallAttempts, two OutcomeChanges.
RECORDS_PER_CALLBACK = 13

MAX_CALLS_PER_CALLBACK = 745
MAX_CALLS_PER_CHANGE = 232  # a share of 50 results for 250 changes included
MAX_WIRE_BYTES_PER_CALLBACK = 770
MAX_BATCHES_PER_THOUSAND = 28  # runs of 250; fewer when runs are longer


class RowsInMemory:
    """A StateTable without RocksDB and changelog topic."""

    name = "rows"

    def __init__(self) -> None:
        self.store = self

    def read(self, partition: int, key: bytes) -> bytes | None:
        """Nothing is stored yet."""
        return None

    def scan(self, partition: int) -> list[tuple[bytes, bytes]]:
        """No rows."""
        return []

    def put(self, partition: int, rows: dict[bytes, bytes | None]) -> list[Outgoing]:
        """The changelog records."""
        return [Outgoing("changelog", partition, key, value, []) for key, value in rows.items()]

    def stored(self, partition: int, first_offset: int, last_offset: int) -> None:
        """Nobody asks."""


@dataclass
class Pipe:
    """A Pipeline that keeps what it is given."""

    works: list[UnitOfWork] = field(default_factory=list)

    async def submit(self, work: UnitOfWork) -> None:
        """Keep one unit of work."""
        self.works.append(work)


@dataclass
class Broker:
    """A producer that counts batches and their bytes."""

    sizes: list[int] = field(default_factory=list)

    def create_batch(self) -> Any:
        """aiokafka's own, as the worker sets it up."""
        return BatchBuilder(BATCH_BYTES, ZSTD, is_transactional=False)

    async def send_batch(self, batch: Any, topic: str, partition: int) -> asyncio.Future[None]:
        """Count one batch as sent."""
        self.sizes.append(len(batch._build()))
        delivered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        delivered.set_result(None)
        return delivered


@pytest.fixture
async def context() -> AsyncIterator[AgentContext]:
    registry = Registry("http://127.0.0.1:1")
    for schema_id, topic in enumerate(TOPICS, start=1):
        registry._ids[topic.name] = schema_id
        registry._writers[schema_id] = codec.parsed_schema(topic.record)
    yield context_of(Pipe(), registry, {topic.name: 1 for topic in TOPICS})
    await registry.aclose()


def run_of(topic: Topic, values: list[tuple[bytes, bytes]], first: int = 0) -> Any:
    """A message with one run of records from offset `first` on, keys and values given."""
    headers = headers_for(topic.record, "a" * 32, "/x", RECEIVED_AT, TraceContext("b" * 32))
    records = [
        SimpleNamespace(
            topic=topic.name, partition=0, offset=offset, key=key, value=value, headers=headers, timestamp=RECEIVED_AT
        )
        for offset, (key, value) in enumerate(values, start=first)
    ]
    return SimpleNamespace(tp=TP(topic.name, 0), partition=0, offset=records[-1].offset, value=records)


def callbacks(first: int = 0, count: int = CALLBACKS_IN_RUN) -> Any:
    """A run of callbacks."""
    numbers = range(first, first + count)
    some = [callback_of(one(number, ANSWERS_EACH), RECEIVED_AT) for number in numbers]
    schema_id = TOPICS.index(CALLBACKS) + 1
    return run_of(
        CALLBACKS, [((one.details[0].call_id or "").encode(), codec.encode(schema_id, one)) for one in some], first
    )


async def counted(agent: Any, first: Any, second: Any) -> tuple[UnitOfWork, int]:
    """What the agent submits for the second run, and how many calls of functions, C's included, that took."""
    await agent.process_runs([first])  # fills every cache
    calls = [0]

    def count(frame: Any, event: str, argument: Any) -> None:
        if event in ("call", "c_call"):
            calls[0] += 1

    sys.setprofile(count)
    try:
        await agent.process_runs([second])
    finally:
        sys.setprofile(None)
    return agent.context.pipeline.works[-1], calls[0]


def calls_agent(context: AgentContext) -> CallsAgent:
    """The agent of callbacks."""
    table: Any = RowsInMemory()
    return CallsAgent(table, of_its_own(context), ZoneInfo("UTC"))


def of_its_own(context: AgentContext) -> AgentContext:
    """The context with a pipeline for one agent."""
    pipe: Any = Pipe()
    return replace(context, pipeline=pipe)


async def test_a_callback_takes_so_many_calls_of_functions(context: AgentContext) -> None:
    work, calls = await counted(calls_agent(context), callbacks(), callbacks(CALLBACKS_IN_RUN))

    assert len(work.outputs) == RECORDS_PER_CALLBACK * CALLBACKS_IN_RUN
    assert calls / CALLBACKS_IN_RUN <= MAX_CALLS_PER_CALLBACK


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.name)
async def test_a_change_takes_so_many_calls_of_functions(dimension: Dimension, context: AgentContext) -> None:
    """Of two runs one after the other: the same changes again would be duplicates, which count nothing."""
    calls_of: Any = calls_agent(context)
    await counted(calls_of, callbacks(), callbacks(CALLBACKS_IN_RUN))
    first, second = (
        [(o.key, o.value or b"") for o in w.outputs if o.topic == dimension.changes.name]
        for w in calls_of.context.pipeline.works
    )
    table: Any = RowsInMemory()
    agent = WindowsAgent(table, of_its_own(context), dimension, WINDOWS)
    agent._windows[0] = Windows(dimension, WINDOWS)

    _, calls = await counted(
        agent, run_of(dimension.changes, first), run_of(dimension.changes, second, CALLBACKS_IN_RUN)
    )

    assert len(second) == CALLBACKS_IN_RUN
    assert sum(pane.revision for pane in agent._windows[0]._panes.values()) == 2 * CALLBACKS_IN_RUN
    assert calls / CALLBACKS_IN_RUN <= MAX_CALLS_PER_CHANGE


async def test_each_record_is_encoded_once_and_never_by_fastavro(
    context: AgentContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded, encode = Counter[str](), codec.encode

    def counting(schema_id: int, record: Record) -> bytes:
        encoded[type(record).__name__] += 1
        return encode(schema_id, record)

    message = callbacks()
    monkeypatch.setattr(codec, "encode", counting)
    monkeypatch.setattr(codec, "encode_by_fastavro", pytest.fail)
    monkeypatch.setattr(codec, "decode_by_fastavro", pytest.fail)
    await calls_agent(context).process_runs([message])

    assert {name: number / CALLBACKS_IN_RUN for name, number in encoded.items()} == {
        "Call": 1,
        "Answer": ANSWERS_EACH,
        "CallAttempt": 2,
        "OutcomeChange": 2,
    }


async def test_a_callback_is_so_many_bytes_on_the_wire_in_so_many_batches(context: AgentContext) -> None:
    work, _ = await counted(calls_agent(context), callbacks(), callbacks(CALLBACKS_IN_RUN))
    broker = Broker()
    outbox = Outbox(lambda: broker)

    await outbox.hand_over(work.rows)
    await outbox.hand_over(work.outputs)

    assert sum(broker.sizes) / CALLBACKS_IN_RUN <= MAX_WIRE_BYTES_PER_CALLBACK
    assert len(broker.sizes) * 1000 / CALLBACKS_IN_RUN <= MAX_BATCHES_PER_THOUSAND


async def test_small_runs_of_one_event_share_the_batches_of_what_is_keyed_anew(context: AgentContext) -> None:
    """At a few calls each, batches are what costs: four partitions' runs come to half of what they would apart."""
    context = replace(context, partitions={topic.name: PARTITIONS for topic in TOPICS})
    of_partition: list[list[Any]] = [[] for _ in range(PARTITIONS)]
    for record in callbacks(0, 5 * PARTITIONS * FEW).value:
        record.partition = partition_of(record.key, PARTITIONS)
        of_partition[record.partition].append(record)
    runs: list[Any] = [
        SimpleNamespace(
            tp=TP(CALLBACKS.name, partition),
            partition=partition,
            offset=records[FEW - 1].offset,
            value=records[:FEW],
        )
        for partition, records in enumerate(of_partition)
    ]
    agent, together, apart = calls_agent(context), Broker(), Broker()

    works: list[UnitOfWork] = agent.context.pipeline.works  # type: ignore[attr-defined]  # a Pipe

    await agent.process_runs(runs)
    [work] = works
    assert len(work.outputs) == RECORDS_PER_CALLBACK * PARTITIONS * FEW
    await Outbox(lambda: together).hand_over([*work.rows, *work.outputs])
    for run in runs:
        await agent.process_runs([run])
    for work in works[1:]:
        await Outbox(lambda: apart).hand_over([*work.rows, *work.outputs])

    keyed_as_read, keyed_anew = 4, 2  # rows, calls, answers and attempts; changes by workflow and by SIP line
    assert len(together.sizes) <= PARTITIONS * (keyed_as_read + keyed_anew)
    assert len(together.sizes) * 2 <= len(apart.sizes)
