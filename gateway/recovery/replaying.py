"""What an operator does with the quarantine: find requests, judge them again, publish those that hold now.

Judged by the keys and the scheme of today, as of the moment the request came. What was published is known from the
topics themselves: a replay that is run again, on whichever machine, skips every event that is already there, also one
that the provider has sent again in the meantime.
"""

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Protocol

import msgspec

from gateway.errors import GatewayError, InvalidCallbackError, RecordTooLargeError
from gateway.publishing.publisher import Publisher
from gateway.reception import envelope_of
from gateway.recovery.unpacking import unpacked
from gateway.requests import RawRequest
from gateway.settings import GatewaySettings
from gateway.signatures.verification import Verified, Verifier
from gateway.webhooks.kinds import BY_PATH, KINDS, Kind
from schemas.errors import DecodeError
from schemas.reader import StoredRecord
from schemas.records.kept import QuarantinedRequest
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import QUARANTINE, Topic

REPLAYED_FROM = "replayed_from"  # a record's header: topic[partition]@offset of the quarantined request
AT_ONCE = 200

Verdict = Literal["passes", "bad_signature", "malformed", "unknown_path"]
Event = tuple[str, str]  # (topic, event_id): one delivery, however often it was refused


class Reader(Protocol):
    """What we need of a TopicReader."""

    def in_order(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[StoredRecord]: ...


class NoValidKeyError(GatewayError):
    """No signing key is valid now, so nothing could pass."""

    code = "no_valid_key"


@dataclass(frozen=True)
class Filter:
    """Which requests; None: any. Times in epoch ms, from inclusive, until exclusive."""

    event_id: str | None = None
    call_id: str | None = None
    workflow_id: str | None = None
    kind: str | None = None
    reason: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None

    def matches(self, request: QuarantinedRequest) -> bool:
        """Looks into the body only when asked for a call or a workflow."""
        return (
            (self.event_id is None or request.event_id.startswith(self.event_id))
            and (self.reason is None or request.reason == self.reason)
            and (self.kind is None or kind_of(request) == self.kind)
            and (self.from_ms is None or request.received_at >= self.from_ms)
            and (self.until_ms is None or request.received_at < self.until_ms)
            and (self.workflow_id is None or _names(request.body, "workflow_id", self.workflow_id))
            and (self.call_id is None or _names(request.body, "call_id", self.call_id))
        )


def kind_of(request: QuarantinedRequest) -> str:
    """The webhook it was posted to; the path when we do not serve it."""
    return BY_PATH[request.path].name if request.path in BY_PATH else request.path


def _names(body: bytes, name: str, wanted: str) -> bool:
    """Whether the body, or one of its details, has this value; of a body that is not JSON, whether it is in there."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return os.fsencode(wanted) in body
    top: dict[str, Any] = document if isinstance(document, dict) else {}
    details = top.get("details")
    return any(
        isinstance(item, dict) and _is_called(item.get(name), wanted)
        for item in [top, *(details if isinstance(details, list) else [])]
    )


def _is_called(value: Any, wanted: str) -> bool:
    """Ids may have come as integers."""
    return isinstance(value, str | int) and str(value) == wanted


class Kept(NamedTuple):
    """A quarantined request and where it is."""

    request: QuarantinedRequest
    origin: str


class Judgement(NamedTuple):
    """What would become of a request now; kind, record and verified only when it passes."""

    verdict: Verdict
    detail: str
    raw: RawRequest
    kind: Kind[Any] | None = None
    record: Record | None = None
    verified: Verified | None = None

    @property
    def event(self) -> Event:
        return (self.kind.topic.name if self.kind else self.raw.path, self.raw.event_id)


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
        """The verdict of the keys valid now, on a request as of the moment it came.

        Its content type is not asked, and what was compressed is unpacked, before or after it was signed: that is how
        a proxy loses callbacks.
        """
        raw = _raw_request(request)
        kind = BY_PATH.get(request.path)
        if kind is None:
            return Judgement("unknown_path", request.path, raw)
        plain = unpacked(raw, self._max_body_bytes)
        verdict = self._verifier.verify(raw.body, raw.headers, raw.received_at / 1000)
        if not isinstance(verdict, Verified) and plain is not raw:
            verdict = self._verifier.verify(plain.body, plain.headers, plain.received_at / 1000)
        raw = plain
        if not isinstance(verdict, Verified):
            return Judgement("bad_signature", f"signature {verdict.reason}", raw)
        try:
            record = kind.read(raw.body, envelope_of(raw, verdict))
        except InvalidCallbackError as error:
            return Judgement("malformed", str(error), raw)
        return Judgement("passes", f"{verdict.scheme}, key {verdict.key_id}", raw, kind, record, verdict)


def _raw_request(request: QuarantinedRequest) -> RawRequest:
    headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in request.headers.items()]
    return RawRequest(request.method, request.path, headers, request.body, request.remote_address, request.received_at)


@dataclass
class Survey:
    """What a look through the quarantine found. `recoverable`: the events that pass, with when they first came."""

    requests: int = 0
    records: int = 0
    unreadable_records: int = 0
    verdicts: Counter[Verdict] = field(default_factory=Counter)
    recoverable: dict[Event, int] = field(default_factory=dict)


class Pace:
    """So many a second, in batches that keep to it."""

    def __init__(self, rate: float | None) -> None:
        self.batch = AT_ONCE if rate is None else max(1, min(AT_ONCE, int(rate / 10)))
        self._rate = rate
        self._due = time.monotonic()

    async def wait(self, count: int) -> None:
        """Until the next `count` may go."""
        if self._rate is None:
            return
        await asyncio.sleep(max(0.0, self._due - time.monotonic()))
        self._due = max(self._due, time.monotonic()) + count / self._rate


class Tools:
    """The quarantine's tools over Kafka. `on_progress` is called for every request looked at or published."""

    def __init__(self, reader: Reader, registry: Registry, on_progress: Callable[[], None] = lambda: None) -> None:
        self._reader = reader
        self._registry = registry
        self._on_progress = on_progress
        self.records = 0
        self.unreadable_records = 0
        self.too_large = 0

    async def find(self, wanted: Filter) -> AsyncIterator[Kept]:
        """The requests that match, in the order they were kept. Raises: UnreadableTopicError."""
        async for stored in self._reader.in_order(QUARANTINE, wanted.from_ms):
            self._on_progress()
            self.records += 1
            try:
                request = await self._registry.decode(stored.value or b"", QuarantinedRequest)
            except DecodeError:
                self.unreadable_records += 1
                continue
            if wanted.matches(request):
                yield Kept(request, f"{QUARANTINE.name}[{stored.partition}]@{stored.offset}")

    async def survey(self, wanted: Filter, judge: Judge) -> Survey:
        """Judge every request that matches."""
        found = Survey()
        async for kept in self.find(wanted):
            judgement = judge.judge(kept.request)
            found.requests += 1
            found.verdicts[judgement.verdict] += 1
            if judgement.verdict == "passes":
                found.recoverable.setdefault(judgement.event, kept.request.received_at)
        found.unreadable_records, found.records = self.unreadable_records, self.records
        return found

    async def published(self, events: dict[Event, int]) -> set[Event]:
        """Those of these events that are in their topics already, judged by the records' own ids."""
        present: set[Event] = set()
        for topic in (kind.topic for kind in KINDS):
            times = [received_at for (name, _), received_at in events.items() if name == topic.name]
            if not times:
                continue
            async for stored in self._reader.in_order(topic, min(times)):
                event = (topic.name, dict(stored.headers).get("ce_id", b"").decode("latin-1"))
                if event in events:
                    present.add(event)
        return present

    async def replay(
        self, wanted: Filter, judge: Judge, publisher: Publisher, due: set[Event], rate: float | None
    ) -> AsyncIterator[int]:
        """Publish each of the events in `due` once; yields how many are acknowledged so far.

        rate: at most so many a second. Takes what is published out of `due`.
        Raises: PublishError when Kafka does not acknowledge; running it all again goes on from there.
        """
        pace = Pace(rate)
        done = 0
        batch: list[tuple[Judgement, str]] = []
        chosen: set[Event] = set()
        async for kept in self.find(wanted):
            judgement = judge.judge(kept.request)
            if judgement.verdict != "passes" or judgement.event not in due or judgement.event in chosen:
                continue
            chosen.add(judgement.event)
            batch.append((judgement, kept.origin))
            if len(batch) >= pace.batch:
                done += await self._publish(batch, publisher, pace, due)
                yield done
                batch = []
        if batch:
            done += await self._publish(batch, publisher, pace, due)
            yield done

    async def _publish(
        self, batch: Sequence[tuple[Judgement, str]], publisher: Publisher, pace: Pace, due: set[Event]
    ) -> int:
        """Publish a batch, side by side. What was acknowledged leaves `due`, also when another was not."""
        await pace.wait(len(batch))
        results = await asyncio.gather(*(_publish_one(*item, publisher) for item in batch), return_exceptions=True)
        for (judgement, _), result in zip(batch, results, strict=True):
            if not isinstance(result, BaseException):
                due.discard(judgement.event)
        for result in results:
            if isinstance(result, BaseException) and not isinstance(result, RecordTooLargeError):
                raise result
        self.too_large += (refused := sum(isinstance(result, RecordTooLargeError) for result in results))
        return len(batch) - refused


async def _publish_one(judgement: Judgement, origin: str, publisher: Publisher) -> None:
    kind, record = judgement.kind, judgement.record
    assert kind is not None
    assert record is not None
    envelope = envelope_of(judgement.raw, judgement.verified)
    key, headers = kind.key_and_headers(record, envelope, judgement.raw.trace)
    await publisher.publish(kind.topic, key, record, [*headers, (REPLAYED_FROM, origin.encode())])
