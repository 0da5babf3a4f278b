"""The provider's JSON as a record, and the record as the provider's JSON again."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, get_args

from msgspec import Struct
from msgspec.structs import fields

from gateway.webhooks.field_types import AnyObject
from gateway.webhooks.kinds import CALL_COMPLETION, Kind
from gateway.webhooks.mapping import Envelope
from schemas.records.record import Record
from schemas.records.webhooks import Callback

MAX_INT_DIGITS = 4000  # Python's own limit against slow conversions is 4300


def read_callback(
    body: bytes, *, event_id: str, received_at: int, signature_scheme: str, signature_key_id: str | None
) -> Callback:
    """The Callback in a body. `received_at` in epoch ms. Raises: MalformedBodyError."""
    return CALL_COMPLETION.read(body, Envelope(event_id, received_at, signature_scheme, signature_key_id))


def provider_json(record: Record, kind: Kind[Any] = CALL_COMPLETION) -> Any:
    """The provider's JSON, rebuilt from the record: equal, as JSON, to what was delivered."""
    if kind.mapping.model is None:
        return json_value(getattr(record, "body"))  # noqa: B009  # what has no model is kept as text
    return _rebuilt(record, kind.mapping.model)


def json_value(text: str) -> Any:
    """A value by its JSON text; an integer may have any number of digits."""
    return json.loads(text, parse_int=lambda digits: (int if len(digits) <= MAX_INT_DIGITS else Decimal)(digits))


def _rebuilt(record: Record, model: type[Struct]) -> dict[str, Any]:
    sent: dict[str, Any] = {}
    for field in fields(model):
        value = getattr(record, field.name)
        if value is not None:  # else it was not sent, or `extra` has what was
            sent[field.encode_name] = _rebuilt_value(value, field.type)
    extra: dict[str, str] = getattr(record, "extra")  # noqa: B009  # every record with a model has it
    return {**sent, **{name: json_value(text) for name, text in extra.items()}}


def _rebuilt_value(value: Any, kind: Any) -> Any:
    """The value of a field of this type: of a list or one object of a model, rebuilt; any other as it is."""
    if kind == AnyObject:
        return json_value(value)
    part: Any = next(iter(get_args(kind)), None)
    if _is_model(part) and isinstance(value, list):
        return [_rebuilt(item, part) for item in value]
    return _rebuilt(value, kind) if _is_model(kind) else value


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)
