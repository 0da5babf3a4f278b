"""The agent that reads callbacks: each gets one decision, its records, and what it changes in the windows."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar, Final
from zoneinfo import ZoneInfo

from faust.types import Message
from msgspec import msgpack, structs

from schemas.headers import Headers, TraceContext, headers_for, is_synthetic, trace_of
from schemas.placement import partition_of
from schemas.records.calls import Answer, Call, CallAttempt
from schemas.records.outcomes import OutcomeChange
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    REKEYED_DETAILS,
    SYNTHETIC_WORKFLOW_ID,
    Topic,
)
from streams.errors import TooLargeError, UnprocessableError
from streams.rules.bounds import MAX_ID_CHARS, SMALL_RECORD_BYTES, bounded, check_callback, check_detail
from streams.rules.calls import (
    CallState,
    Decision,
    Ignored,
    SourcePosition,
    decide,
    delivery_of,
    note_delivery,
    remember,
)
from streams.rules.dimensions import DIMENSIONS
from streams.rules.fanout import FanOut, check, content_digest, fan_out
from streams.rules.ids import SOURCE, id_of
from streams.worker.context import AgentContext
from streams.worker.outbox import Outgoing
from streams.worker.pipeline import UnitOfWork
from streams.worker.run_agent import MAX_PRODUCT_BYTES, UNIT_BYTES, RunAgent
from streams.worker.tables import StateTable

SCANNED_AT_ONCE: Final = 500
# Probes have rows of their own, so that a probe and a call of one id never meet. No call_id in UTF-8 begins so.
PROBE_ROW: Final = b"\xff"
PROBES_KEPT_MS: Final = 3_600_000
PROBE: Final = "probe"  # the outcome of a probe, whatever became of it: no other outcome counts probes


class CallsAgent(RunAgent):
    """Fans callbacks out. State: one row per call_id in the calls table, in the partition where the call is read."""

    stage: ClassVar[str] = "call"

    def __init__(self, table: StateTable, context: AgentContext, zone: ZoneInfo) -> None:
        super().__init__(table, context)
        self._zone = zone
        self._partitions = context.partitions[context.names.of(CALLBACKS)]
        self._declared = {name: topic for topic, name in context.names.all_of((CALLBACKS, REKEYED_DETAILS)).items()}
        self._newest: dict[int, int] = {}

    async def process_run(self, run: Message, unit: UnitOfWork) -> None:
        """Add the rows and outputs of one run to a unit of work. May raise RevokedError."""
        rows: dict[bytes, bytes | None] = {}
        async for record in self.records_of(run):
            unit.outputs.extend(await self.process(rows, record))
            if self.made_bytes > UNIT_BYTES:
                unit.rows.extend(self.table.put(run.partition, rows))
                rows = {}
                await self.make_room(unit)
        if rows:
            unit.rows.extend(self.table.put(run.partition, rows))

    def decode_row(self, key: bytes, row: bytes) -> CallState:
        """A row of the calls table."""
        return msgpack.decode(row, type=CallState)

    async def expire(self, partition: int, dedup_ms: int) -> None:
        """Expire the rows of calls last received `dedup_ms` before the partition's newest; those of probes sooner."""
        newest, old = self._newest.get(partition, 0), []
        for number, (key, value) in enumerate(self.table.store.scan(partition), start=1):
            kept_ms = min(dedup_ms, PROBES_KEPT_MS) if key.startswith(PROBE_ROW) else dedup_ms
            if self.rows.read(partition, key, value).received_at < newest - kept_ms:
                old.append(key)
            if number % SCANNED_AT_ONCE == 0:
                await asyncio.sleep(0)
        async with self.busy:
            for some in (old[i : i + SCANNED_AT_ONCE] for i in range(0, len(old), SCANNED_AT_ONCE)):
                await self.submit(UnitOfWork(rows=self.table.put(partition, dict.fromkeys(some))))

    async def process_record(self, state: dict[bytes, bytes | None], record: Any) -> list[Outgoing]:
        """The outputs of one record. `state` has the rows that change.

        One that cannot be processed becomes a dead letter, and changes no row. Its later details are calls of their
        own, and are re-keyed where they can be read.
        """
        outputs: list[Outgoing] = []
        try:
            callback = await self.decode(record, Callback)
            with self.permanent_faults:
                check_callback(callback, record.timestamp)
                is_elsewhere = self._is_elsewhere(record, callback)
                outputs = self._rekeyed(callback, record, 0 if is_elsewhere else 1)
                if is_elsewhere:
                    self.count("rekeyed")
                else:
                    outputs += self._process_detail(state, record, callback)
        except UnprocessableError as fault:
            outputs.append(self.dead_letter(record, fault))
        return outputs

    def _is_elsewhere(self, record: Any, callback: Callback) -> bool:
        """Whether the record lies in another partition than its call's state does, as one under another key can."""
        call_id = callback.details[0].call_id if callback.details else None
        if not call_id:
            return False
        place = partition_of if len(call_id) <= MAX_ID_CHARS else partition_of.__wrapped__  # it is not yet checked
        return bool(record.partition != place(call_id.encode(), self._partitions))

    def _process_detail(self, rows: dict[bytes, bytes | None], record: Any, callback: Callback) -> list[Outgoing]:
        detail = check(callback)
        if detail is None:
            self.count("empty")
            return []
        is_small = len(record.value) <= SMALL_RECORD_BYTES
        check_detail(detail, is_small=is_small)
        synthetic = is_synthetic(record.headers) or callback.workflow_id == SYNTHETIC_WORKFLOW_ID
        key = (detail.call_id or "").encode()
        if synthetic:
            key = PROBE_ROW + key
        state = self._state(rows, record.partition, key)
        position = SourcePosition.of(self._declared[record.topic], record.partition, record.offset)
        delivery = delivery_of(callback.event_id, callback.detail_offset)
        digest = content_digest(callback, detail)
        decision = decide(state, position, delivery, digest, detail.call_times)
        if decision is Ignored.DUPLICATE or decision is Ignored.STALE:
            note_delivery(state, delivery)
            rows[key] = self.rows.packed(key, state.version, msgpack.encode(state))
            self.count(PROBE if synthetic else decision.value)
            return []
        fanned = fan_out(callback, detail, decision.revision, self._zone)
        if not is_small:
            fanned = replace(fanned, outcome=bounded(fanned.outcome))
        outputs = self._outputs(record, callback, decision, fanned, synthetic=synthetic)
        remember(state, decision, delivery, digest, fanned.outcome, callback.received_at, detail.call_times)
        rows[key] = self.rows.packed(key, state.version, msgpack.encode(state))
        self._newest[record.partition] = max(self._newest.get(record.partition, 0), callback.received_at)
        if synthetic:
            self.count(PROBE)
        else:
            self._observe(callback, fanned, is_first=decision.replaced is None)
        return outputs

    def _state(self, rows: dict[bytes, bytes | None], partition: int, key: bytes) -> CallState:
        stored = rows[key] if key in rows else self.table.store.read(partition, key)
        return self.rows.read(partition, key, stored) if stored else CallState()

    def _observe(self, callback: Callback, fanned: FanOut, *, is_first: bool) -> None:
        self.count("ok" if is_first else "corrected")
        if is_first:  # a histogram cannot take a call back that a correction changes
            self.metrics.talk_rounds.observe(fanned.outcome.workflow_id, fanned.outcome.talk_round)
        self.observe_age(callback.received_at)
        if not fanned.event_time.is_trusted:
            self.metrics.event_time_faults.labels(fanned.event_time.source).inc()
        if fanned.outcome.contradiction:
            self.metrics.contradictions.labels(fanned.outcome.contradiction).inc()
        if fanned.outcome.call_times_conflict:
            self.metrics.contradictions.labels("call_times").inc()

    def _outputs(
        self, record: Any, callback: Callback, decision: Decision, fanned: FanOut, *, synthetic: bool
    ) -> list[Outgoing]:
        trace = trace_of(record.headers, callback.event_id)
        call = fanned.call
        # An event cannot have happened after it was reported, nor been reported after the broker had it.
        at_ms = call.ended_at if call.ended_at < call.received_at else call.received_at
        at_ms = at_ms if at_ms < record.timestamp else record.timestamp
        key, outputs, limit = call.call_id.encode(), list[Outgoing](), self.made_bytes + MAX_PRODUCT_BYTES
        by_topic: tuple[tuple[Topic, Sequence[Call | Answer | CallAttempt]], ...] = (
            (CALLS, (call,)),
            (ANSWERS, fanned.answers),
            (CALL_ATTEMPTS, fanned.attempts),
        )
        for topic, records in by_topic:
            for one in records:
                headers = headers_for(topic.record, one.record_id, SOURCE, at_ms, trace, synthetic=synthetic)
                outputs.append(self.outgoing(topic, key, self.registry.encode(topic, one), headers))
                if self.made_bytes > limit:
                    raise TooLargeError(f"the call's records come to more than {MAX_PRODUCT_BYTES} bytes")
        if not synthetic:
            outputs.extend(self._changes(record, decision, fanned, outputs[0].value, trace))
        return outputs

    def _changes(
        self, record: Any, decision: Decision, fanned: FanOut, call: bytes | None, trace: TraceContext
    ) -> list[Outgoing]:
        """The old outcome out and the new one in, for each dimension under its own key."""
        old, new = decision.replaced, fanned.outcome
        common, removal = _of_every_change(record, self._declared[record.topic], fanned), _removal(decision)
        outputs: list[Outgoing] = []
        for dimension in DIMENSIONS:
            addition: dict[str, Any] = {"added": new, "call": call if dimension.has_calls else None}
            topic, value = dimension.changes, dimension.value_of(new)
            if old is not None and dimension.value_of(old) != value:
                gone = OutcomeChange(**common, **removal)
                come = OutcomeChange(**common, **addition)
                outputs.append(self._change(topic, dimension.value_of(old), gone, trace))
                outputs.append(self._change(topic, value, come, trace))
            else:
                both = OutcomeChange(**common, **removal, **addition)
                outputs.append(self._change(topic, value, both, trace))
        return outputs

    def _change(self, topic: Topic, value: str, change: OutcomeChange, trace: TraceContext) -> Outgoing:
        change_id = id_of(topic.name, change.record_id, "out" if change.added is None else "in")
        return self._output(topic, value, change, change_id, change.received_at, trace, False)

    def _rekeyed(self, callback: Callback, record: Any, first: int) -> list[Outgoing]:
        """Details from `first` on, each on its own under its own call_id, so that it meets the state of its call."""
        if len(callback.details) <= first or (first and self._declared[record.topic] != CALLBACKS.name):
            return []
        trace, synthetic = trace_of(record.headers, callback.event_id), is_synthetic(record.headers)
        outputs, limit = [], self.made_bytes + MAX_PRODUCT_BYTES
        for offset, detail in enumerate(callback.details[first:], start=callback.detail_offset + first):
            alone = structs.replace(callback, details=[detail], detail_offset=offset)
            detail_id = id_of(REKEYED_DETAILS.name, callback.event_id, str(offset))
            outputs.append(
                self._output(
                    REKEYED_DETAILS, detail.call_id or "", alone, detail_id, callback.received_at, trace, synthetic
                )
            )
            if self.made_bytes > limit:
                raise TooLargeError(f"the details, each with its envelope, are more than {MAX_PRODUCT_BYTES} bytes")
        return outputs

    def _output(
        self, topic: Topic, key: str, record: Record, record_id: str, at_ms: int, trace: TraceContext, synthetic: bool
    ) -> Outgoing:
        headers: Headers = headers_for(topic.record, record_id, SOURCE, at_ms, trace, synthetic=synthetic)
        return self.outgoing(topic, key.encode(), self.registry.encode(topic, record), headers)


def _of_every_change(record: Any, topic: str, fanned: FanOut) -> dict[str, Any]:
    """The fields that all changes of one call have in common. topic: the record's, as declared."""
    received_at = fanned.call.received_at
    return {
        "record_id": fanned.call.record_id,
        "call_id": fanned.call.call_id,
        "source_topic": topic,
        "source_partition": record.partition,
        "source_offset": record.offset,
        "received_at": received_at if received_at < record.timestamp else record.timestamp,
        "is_event_time_trusted": fanned.event_time.is_trusted,
        "ended_at_source": fanned.event_time.source,
    }


def _removal(decision: Decision) -> dict[str, Any]:
    """The fields of a removal: the outcome that goes, and where the call that added it was read."""
    if decision.replaced_at is None:
        return {"removed": decision.replaced}
    return {
        "removed": decision.replaced,
        "removed_topic": decision.replaced_at.topic,
        "removed_partition": decision.replaced_at.partition,
        "removed_offset": decision.replaced_at.offset,
    }
