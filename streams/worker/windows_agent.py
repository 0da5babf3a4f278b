"""The agents that keep windows, one for workflows and one for SIP lines: changes in, results and late calls out."""

import asyncio
from collections import Counter
from typing import Any, ClassVar, Final

import structlog
from faust.types import Message
from msgspec import msgpack, structs

from schemas.errors import DecodeError
from schemas.headers import Headers, TraceContext, headers_for, trace_of
from schemas.records.calls import Call
from schemas.records.outcomes import OutcomeChange, WindowedOutcomes
from schemas.topics import CALLBACKS, LATE_CALLS
from streams.errors import InvalidChangeError, UnprocessableError
from streams.rules.bounds import MAX_ID_CHARS, check_change
from streams.rules.calls import NOWHERE, SourcePosition
from streams.rules.clocks import Clock, KeyState
from streams.rules.counts import BUCKETS_S
from streams.rules.dimensions import Dimension
from streams.rules.ids import SOURCE, id_of
from streams.rules.panes import Pane, PaneId
from streams.rules.windows import Effect, Windows, WindowSettings
from streams.worker.context import AgentContext
from streams.worker.outbox import Outgoing
from streams.worker.pipeline import UnitOfWork
from streams.worker.run_agent import UNIT_BYTES, RunAgent
from streams.worker.tables import StateTable

log = structlog.get_logger()

MAX_LOGGED: Final = 64  # characters of a key in a log line
_KEY: Final = b"k"
_PANE: Final = b"p"
_START_BYTES: Final = 8
MAX_KEY_BYTES: Final = 4 * MAX_ID_CHARS  # UTF-8
_OUTCOMES: Final = {Effect.APPLIED: "ok", Effect.DUPLICATE: "duplicate", Effect.LATE: "late"}


class WindowsAgent(RunAgent):
    """Counts changes into panes. State: a clock per key and a row per open pane, in memory and in the table."""

    stage: ClassVar[str] = "table"

    def __init__(
        self, table: StateTable, context: AgentContext, dimension: Dimension, settings: WindowSettings
    ) -> None:
        super().__init__(table, context)
        self._dimension = dimension
        self._settings = settings
        self._callbacks = context.partitions[context.names.of(CALLBACKS)]
        self._windows: dict[int, Windows] = {}
        self._overflow: dict[PaneId, dict[str, int]] = {}

    async def load(self, partitions: set[int]) -> None:
        """Rebuild clocks and open panes from the table; whatever was in memory is dropped. Repeat: safe."""
        self._windows = {}
        for partition in sorted(partitions):
            windows = self._windows[partition] = Windows(self._dimension, self._settings)
            for number, (key, value) in enumerate(self.table.store.scan(partition)):
                _put_in_place(windows, key, self.rows.read(partition, key, value))
                if number % 1000 == 0:
                    await asyncio.sleep(0)
        self._show_size()
        self._show_clocks()

    async def expire(self, partition: int, dedup_ms: int) -> None:
        """Expire the clocks of keys without open windows that received nothing for `dedup_ms`."""
        async with self.busy:
            windows = self._windows.get(partition)
            idle = windows.expire(windows.newest_received_at() - dedup_ms) if windows else []
            if idle:
                rows = {_KEY + value.encode(): None for value in idle}
                await self.submit(UnitOfWork(rows=self.table.put(partition, rows)))
                self._show_clocks()

    async def process_run(self, run: Message, unit: UnitOfWork) -> None:
        """Add the rows and outputs of one run to a unit of work. May raise RevokedError."""
        windows = self._windows[run.partition]
        async for record in self.records_of(run):
            unit.outputs.extend(await self.process(windows, record))
        keys, panes = windows.pop_changes()
        rows = self._key_rows(keys)
        for pane_id, pane in panes.items():
            key = _pane_key(pane_id)
            rows[key] = row = self.rows.packed(key, pane.revision, msgpack.encode(pane))
            results = self._result(windows.result(pane_id), windows.result_at(pane_id))
            if self.spans is not None:
                self.spans.result(pane_id, results)
            unit.outputs.extend(results)
            self.made_bytes += len(row)
            if self.made_bytes > UNIT_BYTES:
                unit.rows.extend(self.table.put(run.partition, rows))
                rows = {}
                await self.make_room(unit)
        unit.rows.extend(self.table.put(run.partition, rows))
        self._report_clocks(windows)
        self._show_size()

    def decode_row(self, key: bytes, row: bytes) -> KeyState | Pane:
        """A row of the table: the clock of a key, or a pane."""
        if key.startswith(_KEY):
            key[len(_KEY) :].decode()
            return msgpack.decode(row, type=KeyState)
        _pane_id(key)
        pane = msgpack.decode(row, type=Pane)
        if {len(histogram) for histogram in pane.counts.histograms()} != {len(BUCKETS_S) + 1}:
            raise ValueError("a histogram of another length")
        return pane

    async def close_due(self, partition: int, received_until: int) -> None:
        """Publish the final results of windows whose grace is over, then clear their rows.

        The clock's row goes first and says that they are closed: whatever happens, they take no more calls.
        """
        async with self.busy:
            windows = self._windows.get(partition)
            due = windows.close_due(received_until) if windows else []
            if windows is None or not due:
                return
            keys, _ = windows.pop_changes()

            finals = {
                pane_id: made
                for pane_id in due
                if (made := self._result(windows.final(pane_id), windows.result_at(pane_id)))
            }

            def clear() -> list[Outgoing]:
                for pane_id in finals:
                    windows.drop(pane_id)
                    self._overflow.pop(pane_id, None)
                self._show_size()
                return self.table.put(partition, dict.fromkeys(map(_pane_key, finals)))

            await self.submit(
                UnitOfWork(
                    rows=self.table.put(partition, self._key_rows(keys)),
                    outputs=[output for made in finals.values() for output in made],
                    clear=clear,
                    stored=self.table.stored,
                )
            )

    async def process_record(self, state: Windows, record: Any) -> list[Outgoing]:
        """The outputs of one change: a late call, or none. `state` has the windows that it changes."""
        try:
            change = await self.decode(record, OutcomeChange)
            with self.permanent_faults:
                if record.key is None or len(record.key) > MAX_KEY_BYTES:
                    raise InvalidChangeError("the key is no workflow_id or sip_line")
                check_change(change, record.timestamp, self._callbacks)
                if change.received_at > record.timestamp:
                    change = structs.replace(change, received_at=record.timestamp)
                position = SourcePosition.of(change.source_topic, change.source_partition, change.source_offset)
                removed = NOWHERE
                if change.removed_partition is not None and change.removed_offset is not None:
                    removed = SourcePosition.of(change.removed_topic, change.removed_partition, change.removed_offset)
                effect = state.apply(record.key.decode(), change, position, removed)
            late = await self._late(change, record) if effect is Effect.LATE else []
        except UnprocessableError as fault:
            return [self.dead_letter(record, fault)]
        self.count(_OUTCOMES[effect])
        if self.spans is not None and effect is Effect.APPLIED:
            self.spans.touch(state.panes_of(record.key.decode(), change))
        if effect is not Effect.LATE:
            self.observe_age(change.received_at)
        return late

    async def _late(self, change: OutcomeChange, record: Any) -> list[Outgoing]:
        """The call, for the late topic. Only the workflow's side carries it, so a call is there once.

        Raises: UnprocessableError when it is none: the topic is public, and this one is not.
        """
        self.metrics.late.labels(self.table.name).inc()
        if change.removed is not None:
            self.metrics.late_corrections.labels(self.table.name).inc()
        if change.call is None:
            return []
        try:
            await self.registry.decode(change.call, Call)
        except DecodeError as error:
            raise UnprocessableError("invalid", "the change of a late call does not have the call") from error
        late_id = id_of("late", change.record_id)  # another event than the call, of another topic
        trace = trace_of(record.headers, change.record_id)
        headers: Headers = headers_for("LateCall", late_id, SOURCE, change.received_at, trace)
        return [self.outgoing(LATE_CALLS, change.call_id.encode(), change.call, headers)]

    def _result(self, outcomes: WindowedOutcomes, result_at: int) -> list[Outgoing]:
        """The result of a window, as an output; none when it cannot be made, which is logged and counted."""
        if outcomes.overflow:
            self._report_overflow(PaneId(outcomes.value, outcomes.window_start_at), outcomes.overflow)
        try:
            return [self._output(outcomes, result_at)]
        except Exception as error:
            self.metrics.unsendable.labels(self.table.name).inc()
            log.error("window.unsendable", table=self.table.name, start=outcomes.window_start_at, exc_info=error)
            return []

    def _report_overflow(self, pane_id: PaneId, overflow: dict[str, int]) -> None:
        counted = self._overflow.setdefault(pane_id, {})
        for map_name, count in overflow.items():
            self.metrics.overflow.labels(self.table.name, map_name).inc(max(count - counted.get(map_name, 0), 0))
        counted.update(overflow)

    def _output(self, outcomes: WindowedOutcomes, result_at: int) -> Outgoing:
        key = f"{outcomes.value}|{outcomes.window_start_at}"
        result_id = id_of(self._dimension.name, key, str(outcomes.revision), str(outcomes.is_final))
        results = self._dimension.results
        headers = headers_for(results.record, result_id, SOURCE, result_at, TraceContext(result_id))
        return self.outgoing(results, key.encode(), self.registry.encode(results, outcomes), headers)

    def _key_rows(self, keys: dict[str, KeyState]) -> dict[bytes, bytes | None]:
        rows: dict[bytes, bytes | None] = {}
        for value, state in keys.items():
            key = _KEY + value.encode()
            rows[key] = self.rows.packed(key, state.version, msgpack.encode(state))
        return rows

    def _report_clocks(self, windows: Windows) -> None:
        """Log once each key whose calls are hours away from their receipt, or no longer are."""
        changes = windows.pop_clock_changes()
        for change in changes:
            log.warning(
                "clock.changed",
                table=self.table.name,
                key=change.value[:MAX_LOGGED],
                clock=change.clock.value,
                delay_s=change.delay_ms // 1000,
            )
        if changes:
            self._show_clocks()

    def _show_clocks(self) -> None:
        far = Counter(clock for windows in self._windows.values() for clock in windows.far_clocks())
        for clock in (Clock.BEHIND, Clock.AHEAD):
            self.metrics.far_keys.labels(self.table.name, clock.value).set(far[clock])

    def _show_size(self) -> None:
        self.metrics.table_keys.labels(self.table.name).set(sum(len(windows) for windows in self._windows.values()))


def _put_in_place(windows: Windows, key: bytes, row: KeyState | Pane) -> None:
    if isinstance(row, KeyState):
        windows.load_key(key[len(_KEY) :].decode(), row)
    else:
        windows.load_pane(_pane_id(key), row)


def _pane_key(pane_id: PaneId) -> bytes:
    return _PANE + pane_id.start.to_bytes(_START_BYTES) + pane_id.value.encode()


def _pane_id(key: bytes) -> PaneId:
    """Raises: ValueError when it is not the key of a pane."""
    place, value = key[len(_PANE) : len(_PANE) + _START_BYTES], key[len(_PANE) + _START_BYTES :]
    if not key.startswith(_PANE) or len(place) < _START_BYTES:
        raise ValueError("neither a clock's key nor a pane's")
    return PaneId(value.decode(), int.from_bytes(place))
