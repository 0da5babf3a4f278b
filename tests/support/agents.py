"""The worker's three agents without Kafka: topics, changelogs and tables in memory, each record held to its limit.

Everything between a record read and a record written is the product's own; only RocksDB, broker and registry are away.
Whatever leaves an agent as an exception is raised here.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

from aiokafka.producer.message_accumulator import BatchBuilder
from faust.types import TP

from schemas import codec
from schemas.placement import partition_of
from schemas.records.record import Record
from schemas.records.types import TYPES
from schemas.registry import Registry
from schemas.runtime.spans import Spans
from schemas.topic_names import DECLARED
from schemas.topics import (
    BY_NAME,
    CALLBACKS,
    CALLS_TABLE,
    CO_PARTITIONED,
    MAX_RECORD_BYTES,
    REKEYED_DETAILS,
    TABLES,
    TOPICS,
    Topic,
)
from streams.rules.dimensions import DIMENSIONS
from streams.rules.windows import WindowSettings
from streams.worker.calls_agent import CallsAgent
from streams.worker.context import AgentContext
from streams.worker.metrics import WorkerMetrics
from streams.worker.outbox import Outgoing
from streams.worker.pipeline import UnitOfWork
from streams.worker.run_agent import RunAgent
from streams.worker.spans import AgentSpans
from streams.worker.transport import Run
from streams.worker.windows_agent import WindowsAgent
from tests.support.topics import Read

NOW_MS: Final = 1_710_163_600_000
ZSTD: Final = 4
WINDOWS: Final = WindowSettings(300_000, 30 * 86_400_000)


class Table:
    """A StateTable without RocksDB. `log` is its changelog, by partition: key and value."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.store = self
        self.rows: dict[int, dict[bytes, bytes]] = {}
        self.log: dict[int, list[tuple[bytes | None, bytes | None]]] = {}
        self.accepts: Any = None

    def read(self, partition: int, key: bytes) -> bytes | None:
        return self.rows.get(partition, {}).get(key)

    def scan(self, partition: int) -> list[tuple[bytes, bytes]]:
        return sorted(self.rows.get(partition, {}).items())

    def put(self, partition: int, rows: dict[bytes, bytes | None]) -> list[Outgoing]:
        self._store(partition, rows)
        return [Outgoing(self.name, partition, key, value, []) for key, value in rows.items()]

    def stored(self, partition: int, first_offset: int, last_offset: int) -> None:
        """Nobody asks."""

    def _store(self, partition: int, rows: dict[bytes, bytes | None]) -> None:
        for key, value in rows.items():
            if value is None:
                self.rows.setdefault(partition, {}).pop(key, None)
            else:
                self.rows.setdefault(partition, {})[key] = value

    def restore(self) -> None:
        """Read the changelog again, as a worker without a disk does."""
        self.rows = {}
        for partition, records_of in self.log.items():
            for offset, (key, value) in enumerate(records_of):
                record = SimpleNamespace(topic=self.name, partition=partition, offset=offset, key=key, value=value)
                if self.accepts(record):
                    self._store(partition, {key or b"": value})


class Agents:
    """Three agents and their topics. `append` a record, then `process_all` all there is."""

    def __init__(self, partitions: int = 2, max_units: int | None = None, spans: Spans | None = None) -> None:
        self.partitions = partitions
        self._spans = spans
        self.topics: dict[str, dict[int, list[Any]]] = {topic.name: {} for topic in TOPICS}
        self.tables = {name: Table(name) for name in TABLES}
        self.metrics = WorkerMetrics()
        self.largest: Counter[str] = Counter()
        self.units = 0
        self._reached: dict[tuple[str, int], int] = {}
        self.registry = Registry("http://127.0.0.1:1")
        for schema_id, topic in enumerate(TOPICS, start=1):
            self.registry._ids[topic.name] = schema_id
            self.registry._writers[schema_id] = codec.parsed_schema(topic.record)

    async def start(self) -> None:
        """New agents, their state from the changelogs."""
        partitions = {topic.name: self.partitions for topic in TOPICS}
        spans = AgentSpans(self._spans, DECLARED, "group") if self._spans else None
        context = context_of(self, self.registry, partitions, self.metrics, spans=spans)
        tables: Any = self.tables
        calls = CallsAgent(tables[CALLS_TABLE], context, ZoneInfo("UTC"))
        windows = {
            dimension.changes.name: WindowsAgent(tables[dimension.table], context, dimension, WINDOWS)
            for dimension in DIMENSIONS
        }
        self.agents: dict[str, RunAgent] = {CALLBACKS.name: calls, REKEYED_DETAILS.name: calls, **windows}
        for table in self.tables.values():
            table.restore()
        for agent in windows.values():
            await agent.load(set(range(self.partitions)))

    def append(
        self,
        topic: str,
        partition: int,
        key: bytes | None,
        value: bytes | None,
        headers: Any = (),
        timestamp: int = NOW_MS,
    ) -> None:
        """One record more, as aiokafka would hand it out."""
        there = self.topics[topic].setdefault(partition, [])
        there.append(
            SimpleNamespace(
                topic=topic,
                partition=partition,
                offset=len(there),
                key=key,
                value=value,
                headers=tuple(headers),
                timestamp=timestamp,
            )
        )

    def write(self, topic: Topic, key: bytes, record: Record, **more: Any) -> None:
        """One record of ours, in the partition of its key."""
        self.append(topic.name, partition_of(key, self.partitions), key, self.registry.encode(topic, record), **more)

    async def process_all(self) -> None:
        """Every agent takes all that is there, until nothing more comes."""
        while runs := self._runs():
            for name, messages in runs.items():
                await self.agents[name].process_runs(messages)

    def read_again(self, topic: str, partition: int, offset: int = 0) -> None:
        """Go back in a topic, as after a crash."""
        self._reached[topic, partition] = offset

    def _runs(self) -> dict[str, list[Any]]:
        runs: dict[str, list[Any]] = {}
        for topic in CO_PARTITIONED:
            for partition, there in self.topics[topic.name].items():
                reached = self._reached.get((topic.name, partition), 0)
                if reached < len(there):
                    self._reached[topic.name, partition] = len(there)
                    tp = TP(topic.name, partition)
                    message = SimpleNamespace(tp=tp, partition=partition, offset=len(there), value=Run(there[reached:]))
                    runs.setdefault(topic.name, []).append(message)
        return runs

    # --- what the agents take for a pipeline -------------------------------------------------------------------------

    async def submit(self, work: UnitOfWork) -> None:
        """Deliver a unit at once, in the pipeline's order."""
        self.units += 1
        for row in work.rows:
            self._log(row)
        for output in work.outputs:
            self._hold_to_limit(output, BY_NAME[output.topic].max_bytes)
            self.append(output.topic, output.partition, output.key, output.value, output.headers)
        for row in work.clear() if work.clear else ():
            self._log(row)
        for settle in work.settled:
            settle()

    async def reset(self) -> None:
        """Nothing is ever on its way."""

    def _log(self, row: Outgoing) -> None:
        self._hold_to_limit(row, MAX_RECORD_BYTES)
        self.tables[row.topic].log.setdefault(row.partition, []).append((row.key, row.value))

    def _hold_to_limit(self, output: Outgoing, limit: int) -> None:
        size = len(output.key) + len(output.value or b"")
        if size > limit // 2:  # the batch itself, as the broker would see it
            batch = BatchBuilder(1, ZSTD, is_transactional=False)
            batch.append(timestamp=None, key=output.key, value=output.value, headers=output.headers)
            assert len(batch._build()) <= limit, f"{output.topic} takes {limit} bytes"
        assert size < limit, f"{size} bytes for {output.topic}, which takes {limit}"
        self.largest[output.topic] = max(self.largest[output.topic], size)

    # --- what a subscriber sees --------------------------------------------------------------------------------------

    def outputs(self, *topics: Topic) -> dict[str, list[Read]]:
        """Topics as subscribers read them."""
        return {topic.name: [self._read(topic, record) for record in self._all(topic)] for topic in topics}

    def _all(self, topic: Topic) -> list[Any]:
        return [record for _, there in sorted(self.topics[topic.name].items()) for record in there]

    def _read(self, topic: Topic, record: Any) -> Read:
        kind = TYPES[topic.record]
        value = None if record.value is None else codec.decode(record.value, codec.parsed_schema(topic.record), kind)
        headers = dict(record.headers)
        return Read(record.topic, record.partition, record.offset, _text(record.key), value, record.value, headers)


def context_of(
    pipeline: Any, registry: Any, partitions: Mapping[str, int], metrics: WorkerMetrics | None = None, **more: Any
) -> AgentContext:
    """A context for agents without a Faust app: nothing is held, and what fails is raised."""

    async def release(tp: TP) -> None:
        raise AssertionError("nothing is ever held here")

    defaults: dict[str, Any] = {
        "settle": lambda run: None,
        "progressed": lambda: None,
        "fail": _fail,
        "hold": lambda tp: None,
        "release": release,
        "group": "my-streams",
    }
    return AgentContext(registry, DECLARED, partitions, pipeline, metrics or WorkerMetrics(), **defaults | more)


def _text(key: bytes) -> str:
    return key.decode("utf-8", "surrogateescape")


def _fail(error: BaseException) -> None:
    raise AssertionError("the worker would have ended") from error
