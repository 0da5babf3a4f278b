"""Events: whatever the provider sends to a webhook that has no record of its own yet. Pure.

The path names the event, and the body is kept as it came, so nothing is lost before its fields are known. JSON of any
type is kept: a shape that nobody knows cannot be wrong, and the provider gives up after a few refusals.
"""

import re
from typing import Final

from gateway.webhooks.json_text import BYTE_ORDER_MARK, any_json
from gateway.webhooks.lenient import Deviations, Essential
from gateway.webhooks.mapping import Envelope, id_at
from schemas.records.webhooks import Event

KIND: Final = "events"
ANY_NAME: Final = "{name}"  # stands for the name where all events are meant
NAME_PATTERN: Final = "[A-Za-z0-9][A-Za-z0-9._-]{0,63}"  # neither "." nor "..", which clients and proxies resolve


class EventMapping:
    """How a delivery at one name becomes its record."""

    model: Final = None
    essential: Final[Essential] = {}

    def __init__(self, name: str) -> None:
        self.name = name
        self.place = f"{KIND}/{name}"

    def read(self, body: bytes, kind: str, envelope: Envelope, deviations: Deviations | None = None) -> Event:
        """The record in a verified body. Raises: MalformedBodyError when it is no JSON, or nested too deep."""
        text = any_json(body.removeprefix(BYTE_ORDER_MARK))
        return Event(
            record_id=id_at(self.place, envelope.event_id),
            event_id=envelope.event_id,
            received_at=envelope.received_at,
            kind=kind,
            name=self.name,
            signature_scheme=envelope.signature_scheme,
            signature_key_id=envelope.signature_key_id,
            body=text,
            has_byte_order_mark=body.startswith(BYTE_ORDER_MARK),
        )


def is_name(text: str) -> bool:
    """Whether an event may have this name."""
    return re.fullmatch(NAME_PATTERN, text) is not None
