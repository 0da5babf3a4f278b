"""A collector on loopback: it takes spans by OTLP over HTTP, as any collector does, and keeps them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

KINDS = {2: "server", 4: "producer", 5: "consumer"}


@dataclass(frozen=True)
class Received:
    """One span. Ids are hex, `parent` is empty for the first of a trace."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    links: tuple[str, ...]
    state: str
    attributes: dict[str, Any]
    is_error: bool
    duration_ns: int

    @classmethod
    def of(cls, service: str, span: Any) -> Self:
        """A span as OTLP writes it."""
        return cls(
            service,
            span.name,
            KINDS[span.kind],
            span.trace_id.hex(),
            span.span_id.hex(),
            span.parent_span_id.hex(),
            tuple(link.span_id.hex() for link in span.links),
            span.trace_state,
            _values(span.attributes),
            span.status.code == 2,
            span.end_time_unix_nano - span.start_time_unix_nano,
        )


@dataclass
class Collector:
    """What arrived. `status`: the answer from now on; `headers`: of each request; `hold`: no answer until it is set."""

    url: str = ""
    status: int = 200
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    hold: threading.Event | None = None

    def spans(self) -> list[Received]:
        """All spans, in the order they came."""
        return [
            Received.of(_values(resource.resource.attributes)["service.name"], span)
            for request in self.requests
            for resource in request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


def _values(attributes: Any) -> dict[str, Any]:
    return {one.key: getattr(one.value, one.value.WhichOneof("value")) for one in attributes}


@contextmanager
def running_collector() -> Iterator[Collector]:
    """A collector on a free port."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if collector.hold:
                collector.hold.wait(60)
            collector.headers.append({name.lower(): value for name, value in self.headers.items()})
            if self.path == "/v1/traces" and collector.status == 200:
                collector.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(collector.status if self.path == "/v1/traces" else 404)
            self.end_headers()

        def log_message(self, format: str, *arguments: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    collector.url = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    serving.start()
    try:
        yield collector
    finally:
        if collector.hold:
            collector.hold.set()
        server.shutdown()
        server.server_close()
        serving.join()
