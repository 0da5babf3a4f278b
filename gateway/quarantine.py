"""Requests that are not published but kept, and the cap on them.

An unverified request is kept because a mistake with the keys would otherwise lose real calls. Anyone can send one, so
their bytes are capped per UTC day.
"""

import hashlib
import time
from typing import Final, Literal

from gateway.errors import PublishError, RecordTooLargeError
from gateway.metrics import Metrics
from gateway.publishing.publisher import Publishing
from gateway.requests import RawRequest
from gateway.webhooks.kinds import SOURCE
from schemas.headers import headers_for
from schemas.records.kept import QuarantinedRequest
from schemas.topics import QUARANTINE

DAY_MS: Final = 24 * 3600 * 1000
MAX_HEADER_CHARS: Final = 8192
MAX_HEADERS_CHARS: Final = 64 * 1024  # more than the HTTP protocol accepts
_SECRET_WORDS: Final = ("authorization", "cookie", "token", "secret", "password", "api-key", "apikey")

Reason = Literal["bad_signature", "malformed", "unsupported_type"]


class Quarantine:
    """Keeps requests in the quarantine topic."""

    def __init__(
        self,
        publisher: Publishing,
        metrics: Metrics,
        max_unverified_bytes_per_day: int,
        signature_header: str = "x-airudder-sign",
    ) -> None:
        self._signature_header = signature_header.lower()
        self._publisher = publisher
        self._metrics = metrics
        self.max_unverified_bytes_per_day = max_unverified_bytes_per_day
        self._day = time.time_ns() // 1_000_000 // DAY_MS
        self._unverified_bytes = metrics.restored_quarantine_bytes()

    def unverified_bytes(self, now_ms: int) -> int:
        """Bytes of unverified requests kept on the UTC day of `now_ms`."""
        return self._unverified_bytes if now_ms // DAY_MS == self._day else 0

    async def keep_unverified(self, request: RawRequest, detail: str) -> None:
        """Keep a request if the day's cap and Kafka allow it; otherwise count it. Never raises for Kafka."""
        await self._keep_within_cap(request, "bad_signature", detail)

    async def keep_malformed(self, request: RawRequest, detail: str) -> None:
        """Keep an authentic request. Raises: PublishError when it cannot be kept now: then it must be sent again."""
        await self._keep(request, "malformed", detail)

    async def keep_unsupported(self, request: RawRequest, detail: str, *, is_authentic: bool) -> None:
        """Keep a request that is not plain JSON: a signed one like a malformed one, another like an unverified one."""
        if is_authentic:
            await self._keep(request, "unsupported_type", detail)
        elif request.body:
            await self._keep_within_cap(request, "unsupported_type", detail)

    async def _keep_within_cap(self, request: RawRequest, reason: Reason, detail: str) -> None:
        if not self._fits_cap(request):
            self._metrics.quarantined.labels(reason, "over_cap").inc()
            return
        try:
            await self._keep(request, reason, detail)
        except (PublishError, RecordTooLargeError):
            self._metrics.quarantined.labels(reason, "lost").inc()

    def _fits_cap(self, request: RawRequest) -> bool:
        day = request.received_at // DAY_MS
        if day != self._day:
            self._day, self._unverified_bytes = day, 0
        if self._unverified_bytes + request.size > self.max_unverified_bytes_per_day:
            return False
        self._unverified_bytes += request.size
        self._metrics.quarantine_bytes.set(self._unverified_bytes)
        return True

    async def _keep(self, request: RawRequest, reason: Reason, detail: str) -> None:
        record = QuarantinedRequest(
            event_id=request.event_id,
            received_at=request.received_at,
            reason=reason,
            detail=detail,
            method=request.method,
            path=request.path,
            headers=headers_without_secrets(request, self._signature_header),
            body=request.body,
            remote_address=request.remote_address,
        )
        kept_id, trace = id_of_kept(request.event_id), request.trace
        headers = headers_for("QuarantinedRequest", kept_id, SOURCE, request.received_at, trace)
        await self._publisher.publish(QUARANTINE, request.event_id, record, headers)
        self._metrics.quarantined.labels(reason, "kept").inc()


def id_of_kept(event_id: str) -> str:
    """The `ce_id` of a kept request. The event id is that of the callback, which the request may become later."""
    return hashlib.sha256(f"quarantine\x1f{event_id}".encode()).hexdigest()


def headers_without_secrets(request: RawRequest, signature_header: str) -> dict[str, str]:
    """Headers by lower-case name, repeated ones joined by commas; the signature stays, credentials do not.

    Of a value MAX_HEADER_CHARS are kept, and of all of them MAX_HEADERS_CHARS.
    """
    kept: dict[str, list[str]] = {}
    room = MAX_HEADERS_CHARS
    for raw_name, raw_value in request.headers:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")[:MAX_HEADER_CHARS]
        room -= len(name) + len(value)
        if room < 0:
            break
        if name == signature_header or not any(word in name for word in _SECRET_WORDS):
            kept.setdefault(name, []).append(value)
    return {name: ", ".join(values) for name, values in kept.items()}
