"""Spans kept in memory by OpenTelemetry's own exporter, behind the queue that the product puts before any."""

from __future__ import annotations

from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from schemas.runtime.build import Role
from schemas.runtime.spans import Spans
from schemas.runtime.tracing import TracingVariables


class KeptSpans(Spans):
    """The spans of one role, by the settings given."""

    def __init__(self, role: Role, **settings: Any) -> None:
        self._kept = InMemorySpanExporter()
        variables = TracingVariables(is_wanted=True, **settings)
        assert variables.contradictions() == []
        super().__init__(variables, role, lambda outcome, spans: None, self._kept)

    def finished(self) -> list[ReadableSpan]:
        """All that ended, in that order. Nothing can be recorded after."""
        self.close()
        return list(self._kept.get_finished_spans())


def id_of(span: ReadableSpan) -> str:
    """Its id as a header has it."""
    assert span.context
    return f"{span.context.span_id:016x}"


def trace_id_of(span: ReadableSpan) -> str:
    """Its trace's id as a header has it."""
    assert span.context
    return f"{span.context.trace_id:032x}"


def parent_of(span: ReadableSpan) -> str:
    """The id of its parent; empty for none."""
    return f"{span.parent.span_id:016x}" if span.parent else ""


def links_of(span: ReadableSpan) -> list[str]:
    """The ids of the spans it links to."""
    return [f"{link.context.span_id:016x}" for link in span.links]
