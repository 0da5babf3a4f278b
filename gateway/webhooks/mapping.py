"""A webhook's JSON to its record, for any webhook that has a model and a record. Pure.

A webhook is a strict msgspec model of what the provider documents, and the record types its objects become, field for
field. A body exactly as documented is decoded into the models; any other body is read by `lenient.py`.
"""

from collections import defaultdict
from collections.abc import Callable
from hashlib import sha256
from types import NoneType
from typing import Any, Final, Generic, Protocol, TypeVar, get_args

import msgspec
from msgspec import Struct
from msgspec.structs import FieldInfo, asdict, fields

from gateway.webhooks.json_text import BYTE_ORDER_MARK, require_json
from gateway.webhooks.lenient import Deviations, Essential, LenientReader, Parts
from schemas.records.record import Record

Convert = Callable[[Any], Any]  # objects of a model -> records
R = TypeVar("R", bound=Record)
R_co = TypeVar("R_co", bound=Record, covariant=True)

_UNREADABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Envelope(Struct, frozen=True):
    """What a record says of its delivery: known before the body is read. `received_at` in epoch ms."""

    event_id: str
    received_at: int
    signature_scheme: str
    signature_key_id: str | None


def id_at(place: str, event_id: str) -> str:
    """The id of the record of one body at one place, 64 hex digits. Without it, a body at two places is two events."""
    return sha256(f"{place}\x1f{event_id}".encode()).hexdigest()


class WebhookMapping(Protocol[R_co]):
    """How the JSON of one webhook becomes its record.

    model: what the provider documents of it, None for nothing; essential: see LenientReader.
    """

    @property
    def model(self) -> type[Struct] | None: ...

    @property
    def essential(self) -> Essential: ...

    def read(self, body: bytes, kind: str, envelope: Envelope, deviations: Deviations | None = None) -> R_co: ...


class RecordMapping(Generic[R]):
    """How one webhook's JSON becomes its record.

    model: the whole delivery; record: what it becomes, with the fields of Envelope, `kind` and `extra` besides;
    parts: the record of each object within, by its model; essential: see LenientReader.
    """

    def __init__(self, model: type[Struct], record: type[R], parts: Parts, essential: Essential) -> None:
        self.model = model
        self.essential = essential
        self._record = record
        self._parts = dict(parts)
        self._lists: dict[Any, type[Struct]] = {list[part]: part for part in parts}  # type: ignore[valid-type]
        self._fields = {kind: fields(kind) for kind in (model, *parts)}
        self._converters = {field.name: self._converter(field) for field in self._fields[model] if self._part(field)}
        self._decoder = msgspec.json.Decoder(model)
        self._lenient = LenientReader(model, parts, essential)

    def read(self, body: bytes, kind: str, envelope: Envelope, deviations: Deviations | None = None) -> R:
        """The record in a verified body. Adds what is not as documented to `deviations`.

        Raises: MalformedBodyError with every fault of a body that is no delivery of this webhook.
        Repeat: safe; equal arguments give equal records.
        """
        try:
            values = self._read_fast(body)
        except _UNREADABLE:
            values = self._read_slowly(body, defaultdict(int) if deviations is None else deviations)
        return self._record(
            kind=kind,
            event_id=envelope.event_id,
            received_at=envelope.received_at,
            signature_scheme=envelope.signature_scheme,
            signature_key_id=envelope.signature_key_id,
            **values,
        )

    def _part(self, field: FieldInfo) -> type[Struct] | None:
        """The model of the objects in a field; None for a plain value."""
        return self._lists.get(field.type, field.type if field.type in self._parts else None)

    def _converter(self, field: FieldInfo) -> Convert:
        """From the decoded objects of a field to records; a null that the model allows is kept in `extra`."""
        part: Any = self._part(field)
        record, known = self._parts[part], self._fields[part]
        inner = [(f.name, self._converter(f)) for f in known if self._part(f)]
        nullable = [(f.name, f.encode_name) for f in known if NoneType in get_args(f.type)]

        def convert(item: Struct) -> Record:
            values = asdict(item)
            for name, convert_part in inner:
                values[name] = convert_part(values[name])
            if nulls := {sent: "null" for name, sent in nullable if values[name] is None}:
                values["extra"] = nulls
            return record(**values)

        if field.type not in self._lists:
            return lambda item: None if item is None else convert(item)
        if inner or nullable:
            return lambda items: None if items is None else [convert(item) for item in items]
        return lambda items: None if items is None else [record(**asdict(item)) for item in items]

    def _read_fast(self, body: bytes) -> dict[str, Any]:
        """The provider's part of the record. Raises: msgspec's errors for a body that is not exactly as documented."""
        values = asdict(self._decoder.decode(body))
        for name, convert in self._converters.items():
            values[name] = convert(values[name])
        return values

    def _read_slowly(self, body: bytes, deviations: Deviations) -> dict[str, Any]:
        """The same for any body. Raises MalformedBodyError."""
        body = body.removeprefix(BYTE_ORDER_MARK)
        require_json(body)
        return self._lenient.read(body, deviations)
