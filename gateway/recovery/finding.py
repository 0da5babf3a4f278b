"""Finding requests in the quarantine topic."""

import os
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from gateway.webhooks.kinds import kind_at
from schemas.errors import DecodeError
from schemas.reader import StoredRecord
from schemas.records.kept import QuarantinedRequest
from schemas.registry import Registry
from schemas.topics import QUARANTINE, Topic

_DIALERS_NAMES: Final = {"call_id": "callid"}  # as the predictive dialer spells them


class Reader(Protocol):
    """What a search needs of schemas.reader.TopicReader."""

    def in_order(self, topic: Topic, since_ms: int | None = None) -> AsyncIterator[StoredRecord]: ...


@dataclass(frozen=True)
class RequestFilter:
    """Which requests; None: any. Times in epoch ms, from inclusive, until exclusive."""

    event_id: str | None = None
    call_id: str | None = None
    workflow_id: str | None = None
    kind: str | None = None
    reason: str | None = None
    from_ms: int | None = None
    until_ms: int | None = None

    def matches(self, request: QuarantinedRequest) -> bool:
        """Parses the body only for a call or a workflow."""
        return (
            (self.event_id is None or request.event_id.startswith(self.event_id))
            and (self.reason is None or request.reason == self.reason)
            and (self.kind is None or kind_of(request) == self.kind)
            and (self.from_ms is None or request.received_at >= self.from_ms)
            and (self.until_ms is None or request.received_at < self.until_ms)
            and (self.workflow_id is None or _has_value(request.body, "workflow_id", self.workflow_id))
            and (self.call_id is None or _has_value(request.body, "call_id", self.call_id))
        )


class Kept(NamedTuple):
    """A quarantined request. `origin`: where it is, as topic[partition]@offset."""

    request: QuarantinedRequest
    origin: str


class QuarantineSearch:
    """Searches the quarantine topic. `on_progress` is called for every record read.

    records, unreadable_records: how many were read so far, and how many of them could not be decoded.
    """

    def __init__(self, reader: Reader, registry: Registry, on_progress: Callable[[], None] = lambda: None) -> None:
        self.reader = reader
        self.records = 0
        self.unreadable_records = 0
        self._registry = registry
        self._on_progress = on_progress

    async def find(self, wanted: RequestFilter) -> AsyncIterator[Kept]:
        """The requests that match, in the order they were kept. Raises: UnreadableTopicError."""
        async for stored in self.reader.in_order(QUARANTINE, wanted.from_ms):
            self._on_progress()
            self.records += 1
            try:
                request = await self._registry.decode(stored.value or b"", QuarantinedRequest)
            except DecodeError:
                self.unreadable_records += 1
                continue
            if wanted.matches(request):
                yield Kept(request, f"{stored.topic}[{stored.partition}]@{stored.offset}")


def kind_of(request: QuarantinedRequest) -> str:
    """The webhook it was posted to; the path when no webhook has it."""
    kind = kind_at(request.path)
    return kind.name if kind else request.path


def _has_value(body: bytes, name: str, wanted: str) -> bool:
    """Whether the body, its `body` or one of its details has this value; no JSON: whether it contains it."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return os.fsencode(wanted) in body
    top: dict[str, Any] = document if isinstance(document, dict) else {}
    details = top.get("details")
    items = [top, top.get("body"), *(details if isinstance(details, list) else [])]
    names = {name, _DIALERS_NAMES.get(name)}
    return any(isinstance(item, dict) and _equals(item.get(one), wanted) for item in items for one in names)


def _equals(value: Any, wanted: str) -> bool:
    """Ids may have come as integers."""
    return isinstance(value, str | int) and str(value) == wanted
