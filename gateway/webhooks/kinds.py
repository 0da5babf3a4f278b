"""The table of webhooks: name (the end of its path), how its body is read, and its topic. Pure.

To add one: a record with its schema and topic in `schemas/`, a mapping like `workflow_status_change.py`, a row here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from gateway.webhooks import call_completion, chatbot_session_end, workflow_status_change
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope, RecordMapping
from gateway.webhooks.unknowns import Words
from schemas.headers import Headers, TraceContext, headers_for
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.topics import (
    CALLBACKS,
    CHATBOT_SESSIONS,
    QUARANTINE,
    SYNTHETIC_WORKFLOW_ID,
    WEBHOOKS_PATH,
    WORKFLOW_STATUS_CHANGES,
    Topic,
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
    mapping: RecordMapping[R]
    key: Callable[[R], str | None]
    words: Words = field(default_factory=dict)
    shown: frozenset[str] = frozenset()

    @property
    def path(self) -> str:
        """Where the provider posts it."""
        return WEBHOOKS_PATH + self.name

    def read(self, body: bytes, envelope: Envelope, deviations: Deviations | None = None) -> R:
        """The record in a verified body; see RecordMapping.read. Raises MalformedBodyError."""
        return self.mapping.read(body, self.name, envelope, deviations)

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


def _first_call_id(callback: Callback) -> str | None:
    return callback.details[0].call_id if callback.details else None


CALL_COMPLETION: Final = Kind(
    call_completion.KIND, "Call completion", CALLBACKS, call_completion.MAPPING, _first_call_id, call_completion.WORDS
)
WORKFLOW_STATUS_CHANGE: Final = Kind(
    workflow_status_change.KIND,
    "Workflow status change",
    WORKFLOW_STATUS_CHANGES,
    workflow_status_change.MAPPING,
    lambda change: change.workflow_id,
)
CHATBOT_SESSION_END: Final = Kind(
    chatbot_session_end.KIND,
    "Chatbot session end",
    CHATBOT_SESSIONS,
    chatbot_session_end.MAPPING,
    lambda session: session.call_id,
    shown=chatbot_session_end.SHOWN,
)

KINDS: Final[tuple[Kind[Any], ...]] = (CALL_COMPLETION, WORKFLOW_STATUS_CHANGE, CHATBOT_SESSION_END)
BY_PATH: Final = {kind.path: kind for kind in KINDS}
TOPICS: Final[tuple[Topic, ...]] = (*(kind.topic for kind in KINDS), QUARANTINE)
