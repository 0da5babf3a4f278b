"""The way of finished spans out of the process: a bounded queue, OTLP over HTTP, and a count of what became of each.

Nothing here ever waits in the thread that ends a span. Only `spans` imports this module.
"""

import threading
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from schemas.runtime.logs import StateReports
from schemas.runtime.tracing import CountSpans, SpanOutcome

BATCH: Final = 512  # spans of one request, at most
CLOSE_S: Final = 2.0  # for the last spans to leave at the end of the process

log = structlog.get_logger()


class SpanQueue(BatchSpanProcessor):
    """The SDK's queue and thread. A span that finds the queue full is dropped, and what becomes of each is counted.

    count: called from both threads.
    """

    def __init__(self, exporter: SpanExporter, size: int, count: CountSpans) -> None:
        self._count = count
        self._size = size
        self._queued = 0  # written by the thread that ends spans
        self._taken = 0  # written by the thread that exports
        self._reports = StateReports()
        super().__init__(_Watched(exporter, self._note), size, max_export_batch_size=min(BATCH, size))

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span, or drop it."""
        if self._queued - self._taken >= self._size:
            self._report("dropped", 1, f"the queue of {self._size} is full")
            return
        self._queued += 1
        super().on_end(span)

    def close(self) -> None:
        """Send what is queued, for CLOSE_S at most: the exporter's own patience is longer than an orderly stop."""
        closing = threading.Thread(target=self.shutdown, daemon=True)
        closing.start()
        closing.join(CLOSE_S)
        if (left := self._queued - self._taken) > 0:
            self._report("dropped", left, "the process ended")

    def _note(self, spans: int, is_exported: bool) -> None:
        self._taken += spans
        if is_exported:
            self._reports.is_due("")
            self._count("exported", spans)
        else:
            self._report("failed", spans, "the collector did not take them")

    def _report(self, outcome: SpanOutcome, spans: int, reason: str) -> None:
        self._count(outcome, spans)
        if self._reports.is_due(reason):
            log.warning("spans.lost", outcome=outcome, reason=reason)


class _Watched(SpanExporter):
    """An exporter, and a note of each of its batches."""

    def __init__(self, exporter: SpanExporter, note: Callable[[int, bool], None]) -> None:
        self._exporter = exporter
        self._note = note

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = SpanExportResult.FAILURE
        try:
            result = self._exporter.export(spans)
        finally:
            self._note(len(spans), result is SpanExportResult.SUCCESS)
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()
