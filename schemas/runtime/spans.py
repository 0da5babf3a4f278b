"""Spans by OpenTelemetry: how they begin and end, and what a header says of them.

Only this module and `span_queue` import OpenTelemetry, and a role that does not trace imports neither.
"""

from collections.abc import Sequence
from time import time_ns
from typing import Final, Literal

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, Sampler, TraceIdRatioBased
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)
from opentelemetry.trace import Span as SdkSpan

from schemas.headers import TraceContext
from schemas.runtime.build import Role, this_build
from schemas.runtime.logs import silence
from schemas.runtime.span_queue import SpanQueue
from schemas.runtime.tracing import CountSpans, TracingVariables

Kind = Literal["server", "producer", "consumer"]
Attributes = dict[str, str | int | bool]

MAX_LINKS: Final = 32
MAX_ATTRIBUTES: Final = 32
MAX_ATTRIBUTE_CHARS: Final = 256

_KINDS: Final = {"server": SpanKind.SERVER, "producer": SpanKind.PRODUCER, "consumer": SpanKind.CONSUMER}
_PARENT_BASED: Final = "parentbased_"
_SAMPLED: Final = 1


class Span:
    """A span that is being recorded, so a sampled one. `trace`: what it hands on to whatever it causes."""

    def __init__(self, span: SdkSpan, trace: TraceContext) -> None:
        self._span = span
        self.context = span.get_span_context()
        flags = int(trace.flags, 16) | _SAMPLED
        self.trace = trace._replace(trace_id=f"{self.context.trace_id:032x}", flags=f"{flags:02x}")

    @property
    def traceparent(self) -> bytes:
        """The header of what this span writes."""
        return f"00-{self.trace.trace_id}-{self.context.span_id:016x}-{self.trace.flags}".encode()

    def end(self, attributes: Attributes | None = None, *, error: str = "") -> None:
        """End it now, with what became known meanwhile. error: the kind of failure, if it failed."""
        if attributes:
            self._span.set_attributes(attributes)
        if error:
            self._span.set_attribute("error.type", error)
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Spans:
    """The spans of one process. Use from one event loop.

    exporter: where they go; OTLP over HTTP by default.
    """

    def __init__(
        self, settings: TracingVariables, role: Role, count: CountSpans, exporter: SpanExporter | None = None
    ) -> None:
        silence("opentelemetry")  # it logs every attempt of an outage; SpanQueue reports the outage
        otlp = exporter or OTLPSpanExporter(settings.url, headers=settings.header_values)
        self._queue = SpanQueue(otlp, int(settings.max_queue), count)
        self._ids = _GivenTraceIds()
        self._follows_parents = settings.sampler.lower().startswith(_PARENT_BASED)
        self._root = _root_sampler(settings)
        provider = TracerProvider(
            sampler=ALWAYS_ON,  # `records` has decided before
            resource=_resource(settings, role),
            id_generator=self._ids,
            span_limits=_LIMITS,
            shutdown_on_exit=False,
        )
        provider.add_span_processor(self._queue)
        self._tracer = provider.get_tracer("airudder", this_build().version)

    def records(self, trace: TraceContext) -> bool:
        """Whether the sampler wants the trace. Ask before `begin`, and before making attributes for it."""
        if trace.span_id and self._follows_parents:
            return trace.is_sampled
        return self._root.should_sample(None, int(trace.trace_id, 16), "").decision is not Decision.DROP

    def begin(self, name: str, kind: Kind, attributes: Attributes, trace: TraceContext, began_at: int) -> Span:
        """The first span of this process in a trace that it records. began_at: epoch ns.

        Its parent is the span of another process that the trace comes from. Without one the trace begins here.
        """
        context = None
        if trace.span_id:
            flags = TraceFlags(int(trace.flags, 16))
            state = TraceState.from_header([trace.state.decode()]) if trace.state else None
            context = SpanContext(int(trace.trace_id, 16), int(trace.span_id, 16), True, flags, state)
        self._ids.next_trace_id = int(trace.trace_id, 16)
        return self._begin(name, kind, attributes, trace, context, (), began_at)

    def child(self, name: str, kind: Kind, attributes: Attributes, parent: Span, links: Sequence[Span] = ()) -> Span:
        """A span that another one of this process causes. links: others that caused it too, MAX_LINKS at most."""
        causes = [Link(link.context) for link in links]
        return self._begin(name, kind, attributes, parent.trace, parent.context, causes, time_ns())

    def _begin(
        self,
        name: str,
        kind: Kind,
        attributes: Attributes,
        trace: TraceContext,
        parent: SpanContext | None,
        links: Sequence[Link],
        began_at: int,
    ) -> Span:
        context = set_span_in_context(NonRecordingSpan(parent)) if parent else None
        return Span(self._tracer.start_span(name, context, _KINDS[kind], attributes, links, began_at), trace)

    def close(self) -> None:
        """Send what is left, within a bound."""
        self._queue.close()


class _GivenTraceIds(RandomIdGenerator):
    """Trace ids of our own choice: a callback's is made of its event_id, so that every copy has the same."""

    next_trace_id = 0

    def generate_trace_id(self) -> int:
        return self.next_trace_id

    def is_trace_id_random(self) -> bool:
        """No: W3C's flag for it would be untrue."""
        return False


_LIMITS: Final = SpanLimits(
    max_attributes=MAX_ATTRIBUTES,
    max_events=1,
    max_links=MAX_LINKS,
    max_span_attributes=MAX_ATTRIBUTES,
    max_event_attributes=1,
    max_link_attributes=1,
    max_attribute_length=MAX_ATTRIBUTE_CHARS,
    max_span_attribute_length=MAX_ATTRIBUTE_CHARS,
)


def _root_sampler(settings: TracingVariables) -> Sampler:
    """What decides on a trace whose sender is not asked, or says nothing."""
    name = settings.sampler.lower().removeprefix(_PARENT_BASED)
    fixed = {"always_on": ALWAYS_ON, "always_off": ALWAYS_OFF}
    return fixed.get(name) or TraceIdRatioBased(float(settings.sampler_arg))


def _resource(settings: TracingVariables, role: Role) -> Resource:
    """What all spans of this process say of it. OTEL_RESOURCE_ATTRIBUTES wins over our words."""
    ours = {"service.name": f"airudder-{role}", "service.version": this_build().version}
    given = {"service.name": settings.service_name} if settings.service_name else {}
    return Resource.create({**ours, **OTELResourceDetector().detect().attributes, **given})
