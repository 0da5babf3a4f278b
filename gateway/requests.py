"""A request as it arrived, without any web framework, and the envelope of its record."""

import hashlib
from functools import cached_property
from typing import Final

from msgspec import Struct

from gateway.signatures.verification import Verified
from gateway.webhooks.mapping import Envelope
from schemas.headers import TraceContext, trace_of
from schemas.signatures.schemes import RawHeaders

NO_SCHEME: Final = "none"  # the scheme of a callback that nobody verified
TRACE_HEADERS: Final = (b"traceparent", b"tracestate")


class RawRequest(Struct, frozen=True, dict=True):  # dict: for the cached property
    """One delivery. `received_at`: when the body was complete, in epoch ms; header names in lower case."""

    method: str
    path: str
    headers: RawHeaders
    body: bytes
    remote_address: str
    received_at: int

    @cached_property
    def event_id(self) -> str:
        """Hex SHA-256 of the raw body: equal deliveries have equal ids."""
        return hashlib.sha256(self.body).hexdigest()

    @property
    def trace(self) -> TraceContext:
        """The sender's trace when it sent a valid traceparent; else one that is derived from the body."""
        sent = [(name.decode(), value) for name, value in self.headers if name in TRACE_HEADERS]
        return trace_of(sent, self.event_id)

    @property
    def size(self) -> int:
        """Bytes of body and headers."""
        return len(self.body) + sum(len(name) + len(value) for name, value in self.headers)


def envelope_of(request: RawRequest, verified: Verified | None) -> Envelope:
    """The envelope of a delivery; its scheme is NO_SCHEME when nobody verified it."""
    if verified is None:
        return Envelope(request.event_id, request.received_at, NO_SCHEME, None)
    return Envelope(request.event_id, request.received_at, verified.scheme, verified.key_id)
