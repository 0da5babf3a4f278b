"""A windows agent on a real RocksDB store, with a producer that takes everything: no broker, no registry."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import faust
from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from schemas import codec
from schemas.records.outcomes import OutcomeChange
from schemas.records.record import Record
from schemas.topics import CALLBACKS, LATE_CALLS, OUTCOMES_BY_WORKFLOW, WORKFLOW_OUTCOMES, Topic
from streams.rules.dimensions import WORKFLOW
from streams.rules.windows import WindowSettings
from streams.worker.outbox import Outbox
from streams.worker.pipeline import Pipeline
from streams.worker.tables import StateTable
from streams.worker.transport import Run
from streams.worker.windows_agent import WindowsAgent
from tests.support.agents import context_of

TABLE = "workflow-windows"
BATCH_BYTES = 512 * 1024


class Metadata(NamedTuple):
    """What a delivery tells of itself, as far as we look."""

    offset: int


class CountingProducer:
    """Takes batches, keeps none, and counts the records of each topic."""

    def __init__(self) -> None:
        self.records: dict[str, int] = {}

    def create_batch(self) -> BatchBuilder:
        return BatchBuilder(BATCH_BYTES, 0)

    async def send_batch(self, batch: BatchBuilder, topic: str, *, partition: int) -> asyncio.Future[Metadata]:
        offset = self.records.get(topic, 0)
        self.records[topic] = offset + batch.record_count()
        delivered: asyncio.Future[Metadata] = asyncio.get_running_loop().create_future()
        delivered.set_result(Metadata(offset))
        return delivered


class LocalRegistry:
    """Our own schemas under the id 1, without a registry."""

    async def decode(self, data: bytes, kind: type[Any]) -> Any:
        return codec.decode(data, codec.parsed_schema(kind.__name__), kind)

    def is_known(self, data: bytes) -> bool:
        return True

    def encode(self, topic: Topic, record: Record) -> bytes:
        return codec.encode(1, record)


class Change(NamedTuple):
    """As much of aiokafka's ConsumerRecord as is looked at."""

    offset: int
    key: bytes
    value: bytes
    timestamp: int
    topic: str = OUTCOMES_BY_WORKFLOW.name
    partition: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


class WindowsBench:
    """One partition of the workflow windows. `take` works one run off, up to its last effect."""

    def __init__(self, directory: Path, settings: WindowSettings) -> None:
        app = faust.App("bench", broker="kafka://127.0.0.1:1", datadir=directory, store="rocksdb://", Table=StateTable)
        table: Any = app.Table(TABLE, key_type=bytes, value_type=bytes, partitions=1)
        self.table: StateTable = table
        self.producer = CountingProducer()
        self.settled = 0
        self.failures: list[BaseException] = []
        self._offset = 0
        context = context_of(
            Pipeline(Outbox(lambda: self.producer), self.failures.append),
            LocalRegistry(),
            {WORKFLOW_OUTCOMES.name: 1, LATE_CALLS.name: 1, CALLBACKS.name: 12},
            settle=self._settle,
            fail=self.failures.append,
        )
        self.agent = WindowsAgent(table, context, WORKFLOW, settings)

    def _settle(self, message: Any) -> None:
        self.settled += 1

    async def take(self, changes: Sequence[tuple[str, OutcomeChange]]) -> None:
        """One run of changes, each under the key of its workflow."""
        run = Run(
            Change(self._offset + number, key.encode(), codec.encode(1, change), change.received_at)
            for number, (key, change) in enumerate(changes)
        )
        self._offset += len(changes)
        message: Any = SimpleNamespace(
            tp=TP(OUTCOMES_BY_WORKFLOW.name, 0), partition=0, offset=self._offset - 1, value=run
        )
        await self.agent.process_runs([message])
        await self.agent.drain()
        assert not self.failures, self.failures

    async def open(self) -> None:
        """Load what the store holds."""
        await self.agent.load({0})

    async def close(self) -> None:
        """End the pipeline and let go of the store."""
        await self.agent.reset()
        await self.table.store.stop()
