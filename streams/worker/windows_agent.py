"""The agents that keep windows, one for workflows and one for SIP lines: changes in, results and late calls out."""

import asyncio
from typing import Any, ClassVar, Final

from faust.types import Message
from msgspec import msgpack

from schemas.headers import Headers, headers_for, trace_id_of
from schemas.records import OutcomeChange, WindowedOutcomes
from schemas.topics import LATE_CALLS, REKEYED_DETAILS, Topic
from streams.calls import NOWHERE, Position, source_of
from streams.ids import id_of
from streams.windows import Effect, KeyState, Pane, PaneId, Windows, WindowSettings
from streams.worker.dead_letters import SOURCE
from streams.worker.outbox import Outgoing
from streams.worker.pipeline import Work
from streams.worker.run_agent import Permanent, RunAgent
from streams.worker.tables import pack_row, unpack_row

_KEY: Final = b"k"
_PANE: Final = b"p"
_START_BYTES: Final = 8
_OUTCOMES: Final = {Effect.APPLIED: "ok", Effect.DUPLICATE: "duplicate", Effect.LATE: "late"}


class WindowsAgent(RunAgent):
    """Counts changes into panes. State: a clock per key and a row per open pane, in memory and in the table."""

    stage: ClassVar[str] = "table"

    def __init__(self, *, dimension: str, results: Topic, settings: WindowSettings, **shared: Any) -> None:
        super().__init__(**shared)
        self._dimension = dimension
        self._results = results
        self._settings = settings
        self._windows: dict[int, Windows] = {}

    async def load(self, partitions: set[int]) -> None:
        """Rebuild clocks and open panes from the table; whatever was in memory is dropped. Repeat: safe."""
        self._windows = {}
        for partition in sorted(partitions):
            windows = self._windows[partition] = Windows(self._dimension, self._settings)
            for number, (key, value) in enumerate(self.table.store.scan(partition)):
                _load_row(windows, key, unpack_row(value))
                if number % 1000 == 0:
                    await asyncio.sleep(0)
        self._show_size()

    async def forget(self, partition: int, keep_ms: int) -> None:
        """Drop the clocks of keys without open windows that received nothing for long."""
        async with self.busy:
            windows = self._windows.get(partition)
            idle = windows.expire(windows.newest_received_at() - keep_ms) if windows else []
            if idle:
                rows = {_KEY + value.encode(): None for value in idle}
                await self.submit(Work(rows=self.table.put(partition, rows)))

    async def take_run(self, run: Message, work: Work) -> None:
        """Add the rows and outputs of one run to a unit of work."""
        windows = self._windows[run.partition]
        async for record in self.records_of(run):
            work.outputs.extend(await self._take_record(windows, record))
        keys, panes = windows.take_changes()
        work.rows.extend(self.table.put(run.partition, {**_key_rows(keys), **_pane_rows(panes)}))
        work.outputs.extend(self._result(windows.result(pane_id)) for pane_id in panes)
        self._show_size()

    async def close_due(self, partition: int, received_until: int) -> None:
        """Publish the final results of windows whose grace is over, then clear their rows.

        The clock's row goes first and says that they are closed: whatever happens, they take no more calls.
        """
        async with self.busy:
            windows = self._windows.get(partition)
            due = windows.close_due(received_until) if windows else []
            if windows is None or not due:
                return
            keys, _ = windows.take_changes()

            def clear() -> list[Outgoing]:
                for pane_id in due:
                    windows.forget(pane_id)
                self._show_size()
                return self.table.put(partition, dict.fromkeys(map(_pane_key, due)))

            await self.submit(
                Work(
                    rows=self.table.put(partition, _key_rows(keys)),
                    outputs=[self._result(windows.final(pane_id)) for pane_id in due],
                    clear=clear,
                    stored=self.table.stored,
                )
            )

    async def _take_record(self, windows: Windows, record: Any) -> list[Outgoing]:
        try:
            change = await self.decode(record, OutcomeChange)
            with self.permanent_faults():
                value = record.key.decode()
                position = _position(change.source_topic, change.source_partition, change.source_offset)
                removed = _position(change.removed_topic, change.removed_partition, change.removed_offset)
                effect = windows.apply(value, change, position, removed)
        except Permanent as fault:
            return [self.dead_letter(record, fault)]
        self.count(_OUTCOMES[effect])
        if effect is Effect.LATE:
            return self._late(change, record)
        self.observe_age(change.received_at)
        return []

    def _late(self, change: OutcomeChange, record: Any) -> list[Outgoing]:
        """The call, for the late topic. Only the workflow's side carries it, so a call is there once."""
        self.metrics.late.labels(self.table.name).inc()
        if change.call is None:
            return []
        trace = trace_id_of(record.headers, change.record_id)
        headers: Headers = headers_for("Call", change.record_id, SOURCE, change.received_at, trace)
        return [self.outgoing(LATE_CALLS, change.call_id.encode(), change.call, headers)]

    def _result(self, outcomes: WindowedOutcomes) -> Outgoing:
        key = f"{outcomes.value}|{outcomes.window_start_at}"
        result_id = id_of(self._dimension, key, str(outcomes.revision), str(outcomes.is_final))
        headers = headers_for("WindowedOutcomes", result_id, SOURCE, outcomes.window_end_at, result_id)
        return self.outgoing(self._results, key.encode(), self.registry.encode(self._results, outcomes), headers)

    def _show_size(self) -> None:
        self.metrics.table_keys.labels(self.table.name).set(sum(len(windows) for windows in self._windows.values()))


def _position(topic: str | None, partition: int | None, offset: int | None) -> Position:
    """A position as windows know it; (-1, -1), which no record has, for none."""
    if partition is None or offset is None:
        return NOWHERE
    return Position(source_of(topic == REKEYED_DETAILS.name, partition), offset)


def _load_row(windows: Windows, key: bytes, row: bytes) -> None:
    if key.startswith(_KEY):
        windows.load_key(key[1:].decode(), msgpack.decode(row, type=KeyState))
    else:
        start = int.from_bytes(key[1 : 1 + _START_BYTES])
        windows.load_pane(PaneId(key[1 + _START_BYTES :].decode(), start), msgpack.decode(row, type=Pane))


def _key_rows(keys: dict[str, KeyState]) -> dict[bytes, bytes | None]:
    return {_KEY + value.encode(): pack_row(state.version, msgpack.encode(state)) for value, state in keys.items()}


def _pane_rows(panes: dict[PaneId, Pane]) -> dict[bytes, bytes | None]:
    return {_pane_key(pane_id): pack_row(pane.revision, msgpack.encode(pane)) for pane_id, pane in panes.items()}


def _pane_key(pane_id: PaneId) -> bytes:
    return _PANE + pane_id.start.to_bytes(_START_BYTES) + pane_id.value.encode()
