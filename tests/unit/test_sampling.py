"""One sampler of 1 %, in the gateway: it, the worker and a subscriber with a sampler of its own record the same 1 %."""

from __future__ import annotations

from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from gateway.publishing.publisher import Published
from gateway.tracing import CURRENT, RequestSpan, TracedPublishing
from schemas.headers import Headers, TraceContext, headers_for, sender_of
from schemas.records.record import Record
from schemas.topic_names import DECLARED
from schemas.topics import CALLBACKS, CALLS, Topic
from streams.worker.outbox import Outgoing
from streams.worker.spans import AgentSpans
from tests.support.spans import KeptSpans, trace_id_of

TRACES = 5000
HUNDREDTH = {"sampler": "parentbased_traceidratio", "sampler_arg": "0.01"}
HALF = {"sampler": "parentbased_traceidratio", "sampler_arg": "0.5"}
RECORD: Any = None  # whatever it is


class Topics:
    """A publisher that keeps the headers of what it is given."""

    def __init__(self) -> None:
        self.headers: list[Headers] = []

    async def publish(self, topic: Topic, key: str, record: Record, headers: Headers) -> Published:
        self.headers.append(headers)
        return Published(topic.name, 0, len(self.headers) - 1)


async def test_everybody_records_the_same_hundredth_of_the_traces() -> None:
    event_ids = [sha256(str(number).encode()).hexdigest() for number in range(TRACES)]
    expected = {event_id[:32] for event_id in event_ids if int(event_id[16:32], 16) < 2**64 // 100}
    gateway, worker, subscriber = KeptSpans("gateway", **HUNDREDTH), KeptSpans("worker", **HALF), KeptSpans("worker")
    callbacks = await published(event_ids, gateway)
    calls = [await processed(headers, worker) for headers in callbacks]
    read = [trace for headers in calls if (trace := sender_of(headers)) is not None]

    assert TRACES // 200 < len(expected) < TRACES // 50
    assert len(read) == TRACES
    assert {trace.trace_id for trace in read if subscriber.records(trace)} == expected
    for spans in (gateway, worker):
        finished = spans.finished()
        assert {trace_id_of(span) for span in finished} == expected
        assert len(finished) == 2 * len(expected)


async def published(event_ids: list[str], spans: KeptSpans) -> list[Headers]:
    """The headers of callbacks whose sender does not trace, as the gateway writes them."""
    topics = Topics()
    publishing = TracedPublishing(topics, spans, DECLARED)
    for event_id in event_ids:
        request = RequestSpan(spans, lambda: ("POST", {}), [])
        CURRENT.set(request)
        headers = headers_for("Callback", event_id, "/airudder/gateway", 0, TraceContext(event_id[:32]))
        await publishing.publish(CALLBACKS, "key", RECORD, headers)
        request.end(200)
    return topics.headers


async def processed(headers: Headers, spans: KeptSpans) -> Headers:
    """The headers of the call that the worker makes of a callback."""
    trace = sender_of(headers)
    assert trace
    call = Outgoing(CALLS.name, 0, b"call", b"", headers_for("Call", "1" * 32, "/airudder/streams", 0, trace))

    async def process(state: Any, record: Any) -> list[Outgoing]:
        return [call]

    agent = AgentSpans(spans, DECLARED, "group")
    await agent.around(process)(None, SimpleNamespace(topic=CALLBACKS.name, partition=0, offset=0, headers=headers))
    agent.take()()
    return call.headers
