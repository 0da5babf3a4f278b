"""The spans of a request: one of the server, from its headers to its answer, and one for each record it sends.

A span of the server begins in hindsight. Where the sender names no trace, the record's own trace begins here, and its
id is made of the body, which comes after the headers.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar
from random import getrandbits
from typing import TYPE_CHECKING

from gateway.publishing.publisher import Published, Publishing, Stored
from gateway.requests import TRACE_HEADERS
from schemas.headers import Headers, TraceContext, sender_of, trace_of, under_span, unsampled
from schemas.records.record import Record
from schemas.signatures.schemes import RawHeaders
from schemas.topic_names import TopicNames
from schemas.topics import Topic

if TYPE_CHECKING:
    from schemas.runtime.spans import Attributes, Span, Spans


class RequestSpan:
    """The server's span of one request. head: the name and the attributes that its head gives, made where needed."""

    def __init__(self, spans: "Spans", head: "Callable[[], tuple[str, Attributes]]", headers: RawHeaders) -> None:
        self._spans = spans
        self._head = head
        self._headers = headers
        self._began_at = time.time_ns()
        self._span: Span | None = None
        self._has_begun = False

    def begin(self, trace_id: str) -> "Span | None":
        """The span, begun when the request came; None where the sampler leaves it out.

        trace_id: of the trace that begins here, unless the sender named one. Repeat: the same span.
        """
        if not self._has_begun:
            self._has_begun = True
            sent = ((name.decode(), value) for name, value in self._headers if name in TRACE_HEADERS)
            trace = sender_of(sent) or TraceContext(trace_id)
            if self._spans.records(trace):
                name, attributes = self._head()
                self._span = self._spans.begin(name, "server", attributes, trace, self._began_at)
        return self._span

    def end(self, status: int) -> None:
        """The request is answered. status: 0 when it never was."""
        if span := self.begin(f"{getrandbits(128):032x}"):
            error = str(status) if status >= 500 else "" if status else "not_answered"
            span.end({"http.response.status_code": status} if status else {}, error=error)


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
        server = CURRENT.get().begin(trace.trace_id)
        if server is None:
            sent = unsampled(headers) if trace.is_sampled else headers
            return await self._publisher.publish(topic, key, record, sent)
        name = self._names.of(topic)
        send = self._spans.child(f"send {name}", "producer", _attributes(name, headers), server)
        try:
            sent = under_span(headers, send.traceparent, send.trace.state)
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
