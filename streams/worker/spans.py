"""The spans of an agent: one for each record processed, and one for what it sends to each topic.

A record's span is a child of the one that wrote the record, so a trace goes on through every internal topic. It ends
when the record is processed. A span of sending ends when the broker has its records; what they carry as traceparent is
its id. A window's result is caused by all changes counted since the result before: its span is a child of the last one
whose trace is recorded, and links to the others.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from schemas.headers import sender_of, under_span, unsampled
from schemas.topic_names import TopicNames
from schemas.topics import CALLS, DEAD_LETTERS
from streams.rules.panes import PaneId
from streams.worker.outbox import Outgoing

if TYPE_CHECKING:
    from schemas.runtime.spans import Attributes, Span, Spans

Process = Callable[[Any, Any], Awaitable[list[Outgoing]]]

MAX_CAUSES: Final = 32  # of a window's result; more would be links that nobody follows


class AgentSpans:
    """The spans of one agent. group: its consumer group."""

    def __init__(self, spans: "Spans", names: TopicNames, group: str) -> None:
        self._spans = spans
        self._calls, self._dead_letters = names.of(CALLS), names.of(DEAD_LETTERS)
        self._group = group
        self._sends: list[Span] = []
        self._touched: Sequence[PaneId] = ()
        self._causes: dict[PaneId, list[Span]] = {}

    def around(self, process: Process) -> Process:
        """The same processing of a record, with its spans."""

        async def traced(state: Any, record: Any) -> list[Outgoing]:
            began_at = time.time_ns()
            outputs = await process(state, record)
            self._note(record, outputs, began_at)
            return outputs

        return traced

    def touch(self, panes: Sequence[PaneId]) -> None:
        """The record in hand changes these panes."""
        self._touched = panes

    def result(self, pane_id: PaneId, outputs: Sequence[Outgoing]) -> None:
        """The result of a pane goes out."""
        causes = self._causes.pop(pane_id, None)
        if causes and outputs:
            self._send(outputs[0].topic, outputs, causes[-1], causes[-MAX_CAUSES:-1])

    def take(self) -> Callable[[], None]:
        """End the spans of sending so far by what this returns, once the broker has their records."""
        sends, self._sends = self._sends, []
        self._causes.clear()

        def end() -> None:
            for send in sends:
                send.end()

        return end

    def _note(self, record: Any, outputs: list[Outgoing], began_at: int) -> None:
        touched, self._touched = self._touched, ()
        trace = sender_of(record.headers)
        if trace is None:
            return
        if self._spans.records(trace):
            name = f"process {record.topic}"
            span = self._spans.begin(name, "consumer", self._attributes(record), trace, began_at)
            self._send_all(outputs, span)
            for pane_id in touched:
                self._causes.setdefault(pane_id, []).append(span)
        elif trace.is_sampled:
            for output in outputs:
                output.headers = unsampled(output.headers)

    def _send_all(self, outputs: Iterable[Outgoing], process: "Span") -> None:
        """What the processing of a record sends; then the processing is over."""
        by_topic: dict[str, list[Outgoing]] = {}
        for output in outputs:
            by_topic.setdefault(output.topic, []).append(output)
        for topic, some in by_topic.items():
            self._send(topic, some, process)
        calls = by_topic.get(self._calls)
        attributes: Attributes = {"airudder.call_id": calls[0].key.decode()} if calls else {}
        process.end(attributes, error="dead_letter" if self._dead_letters in by_topic else "")

    def _send(self, topic: str, outputs: Sequence[Outgoing], parent: "Span", links: Sequence["Span"] = ()) -> None:
        attributes: Attributes = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
        }
        if len(outputs) > 1:
            attributes["messaging.batch.message_count"] = len(outputs)
        send = self._spans.child(f"send {topic}", "producer", attributes, parent, links)
        self._sends.append(send)
        for output in outputs:
            output.headers = under_span(output.headers, send.traceparent, send.trace.state)

    def _attributes(self, record: Any) -> "Attributes":
        return {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": self._group,
        }
