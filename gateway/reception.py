"""What happens to a complete request: signature, duplicates, reading, publishing, in this order.

Nothing is parsed before the signature holds. No web framework is known here.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from gateway.deviations import DeviationLog
from gateway.duplicates import Duplicates
from gateway.errors import MalformedBodyError, RequestError, StaleSignatureError, UnverifiedError
from gateway.metrics import PROBE, PROVIDER, Acceptance, Metrics, Source
from gateway.publishing.publisher import Publishing, Spooled, Stored
from gateway.quarantine import Quarantine
from gateway.requests import NO_SCHEME, RawRequest, envelope_of
from gateway.settings import GatewaySettings
from gateway.signatures.verification import Unverified, Verified, Verifier, looked_for
from gateway.webhooks.kinds import KINDS, Kind
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope
from gateway.webhooks.unknowns import Unknowns
from schemas.headers import SYNTHETIC, TraceContext
from schemas.records.record import Record
from schemas.signatures.keys import Key

log = structlog.get_logger()


class Receipt(NamedTuple):
    """Where the callback is, and whether it was there before this request."""

    stored: Stored
    source: Source
    is_duplicate: bool

    @property
    def outcome(self) -> Acceptance:
        """Its word in `webhook_requests_total`."""
        if self.is_duplicate:
            return "duplicate"
        return "spooled" if isinstance(self.stored, Spooled) else "accepted"


class Reception:
    """Receives the requests of one process."""

    def __init__(self, settings: GatewaySettings, publisher: Publishing, metrics: Metrics, keys: Sequence[Key]) -> None:
        self._mode = settings.signature_mode
        self._verifier = Verifier(settings.signature_scheme, keys, settings.signature_header)
        self._looked_for = looked_for(settings.signature_scheme, settings.signature_header)
        self._publisher = publisher
        self._metrics = metrics
        self.quarantine = Quarantine(publisher, metrics, settings.quarantine_bytes_per_day, settings.signature_header)
        self.deviations = DeviationLog(metrics)
        self._duplicates: Duplicates[tuple[Stored, Source]] = Duplicates()
        self._unknowns = {kind.name: Unknowns(kind.mapping.model, kind.words, kind.shown) for kind in KINDS}
        metrics.show_words((kind, path) for kind, finder in self._unknowns.items() for path in finder.word_paths)

    def use_keys(self, keys: Sequence[Key]) -> None:
        """Verify with these keys from the next request on."""
        self._verifier.use(keys)

    async def receive(self, kind: Kind[Record], request: RawRequest) -> Receipt:
        """Returns once the callback is stored, now or before.

        Raises: UnverifiedError and MalformedBodyError (kept in quarantine), PublishError, RecordTooLargeError.
        Repeat: safe; a delivery that is stored already is not published again.
        """
        verified = await self._verify(request)
        (stored, source), is_duplicate = await self._duplicates.once(
            f"{request.path} {request.event_id}", lambda: self._deliver(kind, request, verified)
        )
        return Receipt(stored, source, is_duplicate)

    async def refuse_type(self, request: RawRequest, detail: str) -> None:
        """Keep a request whose headers say that it is not plain JSON: a proxy's setting must not lose signed callbacks.

        Raises: PublishError when it is authentic and cannot be kept now.
        """
        verdict = self._verifier.verify(request.body, request.headers, request.received_at / 1000)
        await self.quarantine.keep_unsupported(request, detail, is_authentic=isinstance(verdict, Verified))

    async def _verify(self, request: RawRequest) -> Verified | None:
        """The key that signed it; None when none did and the mode accepts it."""
        if self._mode == "off":
            self._metrics.signature_counts[NO_SCHEME,].inc()
            return None
        verdict = self._verifier.verify(request.body, request.headers, request.received_at / 1000)
        if isinstance(verdict, Verified):
            self._metrics.signature_counts[verdict.key_id,].inc()
            return verdict
        await self._refuse(request, verdict)
        return None

    async def _refuse(self, request: RawRequest, verdict: Unverified) -> None:
        """Quarantine and raise; in report mode only log."""
        log.warning(
            "signature.not_verified",
            event_id=request.event_id,
            reason=verdict.reason,
            body_bytes=len(request.body),
            mode=self._mode,
        )
        if self._mode == "report":
            self._metrics.signature_counts[NO_SCHEME,].inc()
            return
        await self.quarantine.keep_unverified(request, verdict.detail)
        if verdict.reason == "stale":
            raise StaleSignatureError(verdict.reason)
        raise UnverifiedError(verdict.reason, self._looked_for if verdict.reason == "missing" else "")

    async def _deliver(
        self, kind: Kind[Record], request: RawRequest, verified: Verified | None
    ) -> tuple[Stored, Source]:
        envelope = envelope_of(request, verified)
        deviations: Deviations = defaultdict(int)
        try:
            record = kind.read(request.body, envelope, deviations)
        except MalformedBodyError as error:
            await self.quarantine.keep_malformed(request, str(error))
            raise
        delivered = await self._publish(kind, record, envelope, request.trace)
        if deviations:
            self.deviations.add(kind.name, deviations, time.monotonic())
        if verified is not None:  # only a verified sender adds labels to metrics
            self._metrics.count_unknown(kind.name, self._unknowns[kind.name].find(record))
        return delivered

    async def _publish(
        self, kind: Kind[Record], record: Record, envelope: Envelope, trace: TraceContext
    ) -> tuple[Stored, Source]:
        key, headers = kind.key_and_headers(record, envelope, trace)
        source: Source = PROBE if SYNTHETIC in headers else PROVIDER
        started = time.perf_counter()
        try:
            stored = await self._publisher.publish(kind.topic, key, record, headers)
        except RequestError as error:
            error.is_probe = source == PROBE
            raise
        self._metrics.publish_durations[kind.topic.name,].observe(time.perf_counter() - started)
        return stored, source
