"""Predictive dialer status: the provider's JSON and our record. Pure.

The provider's pages say when it is sent, and publish no field of it. The envelope and the two ids of its body are what
a user of the dialer reads in production, so only `type` is required, and the body is kept as it came.
Source: AiRudder, "Webhook of Predictive Dialer Agents Status Changes" (api-50406436), of tasks (api-50408764).
"""

from collections import defaultdict
from typing import Final

import msgspec
from msgspec import Raw, Struct

from gateway.webhooks.field_types import AnyObject, Identifier
from gateway.webhooks.json_text import BYTE_ORDER_MARK, require_json
from gateway.webhooks.lenient import Deviations, Essential, LenientReader, read_identifier
from gateway.webhooks.mapping import Envelope
from gateway.webhooks.unknowns import Words
from schemas.records.webhooks import PredictiveDialerStatus

KIND: Final = "predictive-dialer-status"

_MEMBERS: Final = msgspec.json.Decoder(dict[str, Raw])


class _Delivery(Struct, forbid_unknown_fields=True):
    type: Identifier
    body: AnyObject


WORDS: Final[Words] = {_Delivery: {"type": frozenset({"TaskStatus", "ContactStatus", "AgentStatus"})}}


class PredictiveDialerMapping:
    """How the envelope becomes its record. There is one way to read it: it has one object of a known shape."""

    model: Final = _Delivery
    essential: Final[Essential] = {_Delivery: frozenset({"type"})}

    def __init__(self) -> None:
        self._reader = LenientReader(self.model, {}, self.essential)

    def read(
        self, body: bytes, kind: str, envelope: Envelope, deviations: Deviations | None = None
    ) -> PredictiveDialerStatus:
        """As RecordMapping.read."""
        body = body.removeprefix(BYTE_ORDER_MARK)
        require_json(body)
        values = self._reader.read(body, defaultdict(int) if deviations is None else deviations)
        members = _MEMBERS.decode(values.get("body", "{}"))
        return PredictiveDialerStatus(
            kind=kind,
            event_id=envelope.event_id,
            received_at=envelope.received_at,
            signature_scheme=envelope.signature_scheme,
            signature_key_id=envelope.signature_key_id,
            task_id=_id(members.get("taskId")),
            call_id=_id(members.get("callid")),
            **values,
        )


def _id(sent: Raw | None) -> str | None:
    value: str | None = read_identifier(str(sent, "utf-8"))[0] if sent else None
    return value


MAPPING: Final = PredictiveDialerMapping()
