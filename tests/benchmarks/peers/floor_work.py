"""The work of our worker in a bare loop: fan-out, changes through the two re-keyed topics, full windows, results.

No framework, no state on disk, no dedup by content, no revisions after the first, no dead letters: what is left when
everything that makes it safe is taken away.
"""

from __future__ import annotations

from typing import Any

from schemas import codec
from schemas.headers import TraceContext, headers_for, trace_of
from schemas.records.outcomes import OutcomeChange, WindowedOutcomes
from schemas.topics import CALLBACKS
from streams.rules.calls import SourcePosition
from streams.rules.dimensions import DIMENSIONS
from streams.rules.ids import id_of
from streams.rules.windows import Windows, WindowSettings
from tests.benchmarks.peers.work import GRACE_MS, SOURCE, WINDOW_MS, Fanned, Output, Place, fan_out_callback

TOPICS = (CALLBACKS.name, *(dimension.changes.name for dimension in DIMENSIONS))
_DIMENSIONS = {dimension.changes.name: dimension for dimension in DIMENSIONS}


class FloorWork:
    """`take` each record of a run, then `results` for the windows that the run changed."""

    def __init__(self, place: Place, *, windows: bool) -> None:
        self._ids = place.ids
        self._has_windows = windows
        self._windows: dict[tuple[str, int], Windows] = {}

    @property
    def topics(self) -> tuple[str, ...]:
        """What to read."""
        return TOPICS if self._has_windows else TOPICS[:1]

    def take(self, topic: str, partition: int, offset: int, key: bytes, value: bytes, headers: Any) -> list[Output]:
        """What one record gives at once."""
        if topic == CALLBACKS.name:
            fanned = fan_out_callback(value, headers, self._ids)
            changes = self._changes(fanned, partition, offset, headers) if self._has_windows else []
            return [*fanned.outputs, *changes]
        change = codec.decode(value, codec.parsed_schema("OutcomeChange"), OutcomeChange)
        self._of(topic, partition).apply(key.decode(), change, SourcePosition.of(CALLBACKS.name, partition, offset))
        return []

    def results(self, topic: str, partition: int) -> list[Output]:
        """Results of the windows that changed since the last call."""
        if topic == CALLBACKS.name:
            return []
        windows = self._of(topic, partition)
        _, panes = windows.pop_changes()
        return [self._result(topic, windows.result(pane_id)) for pane_id in panes]

    def _of(self, topic: str, partition: int) -> Windows:
        if (topic, partition) not in self._windows:
            settings = WindowSettings(WINDOW_MS, GRACE_MS)
            self._windows[topic, partition] = Windows(_DIMENSIONS[topic], settings)
        return self._windows[topic, partition]

    def _changes(self, fanned: Fanned, partition: int, offset: int, headers: Any) -> list[Output]:
        trace, outcome = trace_of(headers, fanned.callback.event_id), fanned.outcome
        outputs = []
        for dimension in DIMENSIONS:
            topic, key = dimension.changes, dimension.value_of(outcome)
            change = OutcomeChange(
                record_id=fanned.record_id,
                call_id=fanned.callback.details[0].call_id or "",
                source_topic=CALLBACKS.name,
                source_partition=partition,
                source_offset=offset,
                received_at=fanned.callback.received_at,
                is_event_time_trusted=True,
                added=outcome,
                call=fanned.call if dimension.has_calls else None,
            )
            change_id = id_of(topic.name, fanned.record_id, "in")
            change_headers = headers_for(topic.record, change_id, SOURCE, change.received_at, trace)
            outputs.append(Output(topic.name, key.encode(), self._ids.encode(topic, change), change_headers))
        return outputs

    def _result(self, topic: str, outcomes: WindowedOutcomes) -> Output:
        results = _DIMENSIONS[topic].results
        key = f"{outcomes.value}|{outcomes.window_start_at}"
        result_id = id_of(outcomes.dimension, key, str(outcomes.revision), str(outcomes.is_final))
        headers = headers_for(results.record, result_id, SOURCE, outcomes.window_end_at, TraceContext(result_id))
        return Output(results.name, key.encode(), self._ids.encode(results, outcomes), headers)
