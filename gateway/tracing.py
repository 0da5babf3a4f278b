"""The spans of a request: one of the server, from its headers to its answer, and one for each record it sends.

A span of the server begins in hindsight. Where the sender names no trace, the record's own trace begins here, and its
id is made of the body, which comes after the headers.
"""

import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

from gateway.publishing.publisher import Published, Publishing, Stored
from gateway.requests import TRACE_HEADERS
from gateway.signatures.schemes import RawHeaders
from schemas.headers import Headers, TraceContext, span_of, trace_of, under_span, unsampled
from schemas.records.record import Record
from schemas.topic_names import TopicNames
from schemas.topics import Topic

if TYPE_CHECKING:
    from schemas.runtime.spans import Attributes, Span, Spans


class RequestSpan:
    """The server's span of one request. attributes: what is known of it from its head."""

    def __init__(self, spans: "Spans", name: str, attributes: "Attributes", headers: RawHeaders) -> None:
        self._spans = spans
        self._name = name
        self._attributes = attributes
        self._headers: Headers = [(key.decode(), value) for key, value in headers if key in TRACE_HEADERS]
        self._began_at = time.time_ns()
        self._span: Span | None = None
        self._has_begun = False

    def begin(self, own: TraceContext) -> "Span | None":
        """The span, begun when the request came; None when it is left out. own: its trace without a sender's.

        Repeat: the same span.
        """
        if not self._has_begun:
            self._has_begun = True
            parent = span_of(self._headers)
            trace = trace_of(self._headers, own.trace_id) if parent else own
            self._span = self._spans.begin(self._name, "server", self._attributes, trace, parent, self._began_at)
        return self._span

    def end(self, status: int) -> None:
        """The request is answered. status: 0 when it never was."""
        if span := self.begin(self._spans.new_trace()):
            error = str(status) if status >= 500 else "" if status else "not_answered"
            span.end({"http.response.status_code": status} if status else None, error=error)


CURRENT: ContextVar[RequestSpan] = ContextVar("request_span")


class TracedPublishing:
    """A publisher whose records carry the span that sends them."""

    def __init__(self, publisher: Publishing, spans: "Spans", names: TopicNames) -> None:
        self._publisher = publisher
        self._spans = spans
        self._names = names

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Stored:
        """As the publisher does, inside a span."""
        trace = trace_of(headers, key)
        server = CURRENT.get().begin(trace)
        name = self._names.of(topic)
        send = server and self._spans.child(f"send {name}", "producer", _attributes(name, headers), server)
        if send is None:
            sent = unsampled(headers) if trace.is_sampled else headers
            return await self._publisher.publish(topic, key, record, sent)
        sent = under_span(headers, send.traceparent, send.trace.state)
        try:
            stored = await self._publisher.publish(topic, key, record, sent)
        except BaseException as error:
            send.end(error=type(error).__name__)
            raise
        send.end(_where(stored))
        return stored


def _attributes(topic: str, headers: Headers) -> "Attributes":
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.message.id": next(value.decode() for name, value in headers if name == "ce_id"),
    }


def _where(stored: Stored) -> "Attributes":
    if isinstance(stored, Published):
        return {"messaging.destination.partition.id": str(stored.partition), "messaging.kafka.offset": stored.offset}
    return {"airudder.is_spooled": True}
