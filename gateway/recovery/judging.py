"""Judging quarantined requests again, by the keys and the scheme of today, as of the moment each request came."""

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

from gateway.errors import MalformedBodyError, NoValidKeyError
from gateway.recovery.finding import QuarantineSearch, RequestFilter
from gateway.recovery.unpacking import unpacked
from gateway.requests import RawRequest, envelope_of
from gateway.settings import GatewaySettings
from gateway.signatures.verification import Unverified, Verified, Verifier
from gateway.webhooks.kinds import Kind, kind_at
from schemas.records.kept import QuarantinedRequest
from schemas.records.record import Record

Verdict = Literal["passes", "bad_signature", "malformed", "unknown_path"]
Event = tuple[str, str]  # (topic, ce_id): one delivery, however often it was refused


class Judgement(NamedTuple):
    """What the gateway would answer to a request now; kind, record and verified are set only when it passes."""

    verdict: Verdict
    detail: str
    raw: RawRequest
    kind: Kind[Any] | None = None
    record: Record | None = None
    verified: Verified | None = None

    @property
    def event(self) -> Event:
        if self.kind is None:
            return (self.raw.path, self.raw.event_id)
        return (self.kind.topic.name, self.kind.record_id(self.raw.event_id))


class Judge:
    """Verifies and reads requests by the settings of now."""

    def __init__(self, settings: GatewaySettings, now_s: float) -> None:
        """Raises: NoValidKeyError."""
        valid = [key for key in settings.load_keys() if key.is_valid(now_s)]
        if not valid:
            raise NoValidKeyError("no signing key is valid now")
        keys = [replace(key, not_before_s=None, not_after_s=None) for key in valid]
        self._verifier = Verifier(settings.signature_scheme, keys, settings.signature_header)
        self._max_body_bytes = settings.max_body_bytes

    def judge(self, request: QuarantinedRequest) -> Judgement:
        """The verdict of the keys valid now, at the time of the request.

        The content type does not matter, and a compressed body is unpacked, before or after its signature is checked:
        a proxy may have changed both on the way.
        """
        packed = _raw_request(request)
        kind = kind_at(request.path)
        if kind is None:
            return Judgement("unknown_path", request.path, packed)
        raw = unpacked(packed, self._max_body_bytes)
        verdict = self._verify(packed)
        if isinstance(verdict, Unverified) and raw is not packed:
            verdict = self._verify(raw)
        if isinstance(verdict, Unverified):
            return Judgement("bad_signature", verdict.detail, raw)
        try:
            record = kind.read(raw.body, envelope_of(raw, verdict))
        except MalformedBodyError as error:
            return Judgement("malformed", str(error), raw)
        return Judgement("passes", f"{verdict.scheme}, key {verdict.key_id}", raw, kind, record, verdict)

    def _verify(self, raw: RawRequest) -> Verified | Unverified:
        return self._verifier.verify(raw.body, raw.headers, raw.received_at / 1000)


def _raw_request(request: QuarantinedRequest) -> RawRequest:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    return RawRequest(request.method, request.path, headers, request.body, request.remote_address, request.received_at)


@dataclass
class Survey:
    """The verdicts on all requests that match. `recoverable`: the events that pass, with when they first came."""

    requests: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    recoverable: dict[Event, int] = field(default_factory=dict)


async def survey(search: QuarantineSearch, wanted: RequestFilter, judge: Judge) -> Survey:
    """Judge every request that matches. Raises: UnreadableTopicError."""
    found = Survey()
    async for kept in search.find(wanted):
        judgement = judge.judge(kept.request)
        found.requests += 1
        found.verdicts[judgement.verdict] += 1
        if judgement.verdict == "passes":
            found.recoverable.setdefault(judgement.event, kept.request.received_at)
    return found
