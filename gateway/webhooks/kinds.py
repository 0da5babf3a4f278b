"""The table of webhooks: name (the end of its path), how its body is read, and its topic. Pure.

To add one: a record with its schema and topic in `schemas/`, a mapping like `workflow_status_change.py`, a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from msgspec import structs

from gateway.webhooks import (
    call_completion,
    chatbot_session_end,
    events,
    predictive_dialer_status,
    workflow_status_change,
)
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope, WebhookMapping, id_at
from gateway.webhooks.unknowns import Words
from schemas.headers import Headers, TraceContext, headers_for
from schemas.records.record import Record
from schemas.records.webhooks import Callback, Event
from schemas.topics import (
    CALLBACKS,
    CHATBOT_SESSIONS,
    PREDICTIVE_DIALER_STATUSES,
    QUARANTINE,
    SYNTHETIC_WORKFLOW_ID,
    WEBHOOKS_PATH,
    WORKFLOW_STATUS_CHANGES,
    Topic,
)
from schemas.topics import (
    EVENTS as EVENTS_TOPIC,
)

R = TypeVar("R", bound=Record)

SOURCE: Final = "/airudder/gateway"


@dataclass(frozen=True)
class Kind(Generic[R]):
    """One webhook. `key`: the record's key; None stands for the event id.

    words, shown: what is documented beyond the model, see `Unknowns`.
    """

    name: str
    title: str
    topic: Topic
    mapping: WebhookMapping[R]
    key: Callable[[R], str | None]
    words: Words = field(default_factory=dict)
    shown: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """Where the provider posts it."""
        return WEBHOOKS_PATH + self.name

    @property
    def route(self) -> str:
        """The path, or what stands for all paths of the kind: a label that no sender chooses."""
        return self.path

    def read(self, body: bytes, envelope: Envelope, deviations: Deviations | None = None) -> R:
        """The record in a verified body; see RecordMapping.read. Raises MalformedBodyError."""
        return self.mapping.read(body, self.name, envelope, deviations)

    def record_id(self, event_id: str) -> str:
        """The `ce_id` of the record of one body."""
        return event_id

    def key_and_headers(self, record: R, envelope: Envelope, trace: TraceContext) -> tuple[str, Headers]:
        """What the record is published with; the same whenever it is published again."""
        headers = headers_for(
            self.topic.record,
            envelope.event_id,
            SOURCE,
            envelope.received_at,
            trace,
            synthetic=getattr(record, "workflow_id", None) == SYNTHETIC_WORKFLOW_ID,
        )
        return self.key(record) or envelope.event_id, headers


@dataclass(frozen=True)
class OtherKind(Kind[R]):
    """A webhook besides that of the calls. One body at two of them is two records, so each has an id of its own."""

    @property
    def place(self) -> str:
        """The end of its path."""
        return self.name

    def record_id(self, event_id: str) -> str:
        return id_at(self.place, event_id)

    def key_and_headers(self, record: R, envelope: Envelope, trace: TraceContext) -> tuple[str, Headers]:
        own = structs.replace(envelope, event_id=self.record_id(envelope.event_id))
        return self.key(record) or envelope.event_id, super().key_and_headers(record, own, trace)[1]


@dataclass(frozen=True)
class EventKind(OtherKind[Event]):
    """The webhook of the events of one name, which is the last part of its path."""

    mapping: events.EventMapping

    @property
    def place(self) -> str:
        return self.mapping.place

    @property
    def path(self) -> str:
        return WEBHOOKS_PATH + self.place

    @property
    def route(self) -> str:
        return f"{WEBHOOKS_PATH}{self.name}/{events.ANY_NAME}"


def _events_of(name: str) -> EventKind:
    """Their key is the event id. By the name, all events of a name would be in one partition."""
    return EventKind(events.KIND, "Event of any other webhook", EVENTS_TOPIC, events.EventMapping(name), _no_key)


def _no_key(event: Event) -> None:
    return None


def _first_call_id(callback: Callback) -> str | None:
    return callback.details[0].call_id if callback.details else None


CALL_COMPLETION: Final = Kind(
    call_completion.KIND, "Call completion", CALLBACKS, call_completion.MAPPING, _first_call_id, call_completion.WORDS
)
WORKFLOW_STATUS_CHANGE: Final = OtherKind(
    workflow_status_change.KIND,
    "Workflow status change",
    WORKFLOW_STATUS_CHANGES,
    workflow_status_change.MAPPING,
    lambda change: change.workflow_id,
)
CHATBOT_SESSION_END: Final = OtherKind(
    chatbot_session_end.KIND,
    "Chatbot session end",
    CHATBOT_SESSIONS,
    chatbot_session_end.MAPPING,
    lambda session: session.call_id,
    shown=chatbot_session_end.SHOWN,
)

PREDICTIVE_DIALER_STATUS: Final = OtherKind(
    predictive_dialer_status.KIND,
    "Predictive dialer status",
    PREDICTIVE_DIALER_STATUSES,
    predictive_dialer_status.MAPPING,
    lambda status: status.call_id or status.task_id,
    predictive_dialer_status.WORDS,
)
EVENTS: Final = _events_of(events.ANY_NAME)

KINDS: Final[tuple[Kind[Any], ...]] = (
    CALL_COMPLETION,
    WORKFLOW_STATUS_CHANGE,
    CHATBOT_SESSION_END,
    PREDICTIVE_DIALER_STATUS,
    EVENTS,
)
BY_PATH: Final = {kind.path: kind for kind in KINDS if kind is not EVENTS}
TOPICS: Final[tuple[Topic, ...]] = (*(kind.topic for kind in KINDS), QUARANTINE)
_EVENTS_PATH: Final = EVENTS.path.removesuffix(events.ANY_NAME)


def kind_at(path: str) -> Kind[Any] | None:
    """The webhook at a path; each name of an event has one of its own."""
    if (kind := BY_PATH.get(path)) is not None:
        return kind
    name = path.removeprefix(_EVENTS_PATH)
    return _events_of(name) if name != path and events.is_name(name) else None
