"""A webhook's JSON to its record and back, for any webhook that has a model and a record. Pure.

A webhook is a strict msgspec model of what the provider documents, and the record types its objects become, field for
field. Two ways through one set of types: the fast path decodes straight into them; anything unexpected takes the slow
path, which keeps unknown fields as JSON text in `extra` and otherwise names every fault by its JSON path.
"""

import json
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Annotated, Any, Generic, TypeVar, get_args

import msgspec
from msgspec import Meta, Raw, Struct
from msgspec.structs import FieldInfo, asdict, fields

from gateway.errors import Fault, InvalidCallbackError
from schemas.records import Record

MAX_DEPTH = 64  # nesting that readers' recursive JSON parsers can take
MAX_FAULTS = 100

ABSENT: Any = None  # the default of a field that may be missing; JSON null does not fit its type and goes to `extra`
Integer = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Identifier = Annotated[str, Meta(min_length=1)]

Convert = Callable[[Any], Any]  # the objects of a field as the model has them -> records
R = TypeVar("R", bound=Record)

_UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class Envelope(Struct, frozen=True):
    """What the gateway knows of a delivery before it reads it. `received_at` in epoch ms."""

    event_id: str
    received_at: int
    signature_scheme: str
    signature_key_id: str | None


class RecordMapping(Generic[R]):
    """How one webhook's JSON and its record are turned into one another.

    model: the whole delivery; record: what it becomes, with the fields of Envelope, `kind` and `extra` besides;
    parts: the record of each object within, by its model.
    """

    def __init__(self, model: type[Struct], record: type[R], parts: Mapping[type[Struct], type[Record]]) -> None:
        self.model = model
        self._record = record
        self._parts = dict(parts)
        self._lists: dict[Any, type[Struct]] = {list[part]: part for part in parts}  # type: ignore[valid-type]
        self._fields = {kind: fields(kind) for kind in (model, *parts)}
        self._converters = {field.name: self._converter(field) for field in self._fields[model] if self._part(field)}
        self._decoder = msgspec.json.Decoder(model)

    def read(self, body: bytes, kind: str, envelope: Envelope) -> R:
        """The record in a verified body.

        Raises: InvalidCallbackError with every fault of the body.
        Repeat: safe; equal arguments give equal records.
        """
        try:
            values = self._read_fast(body)
        except _UNREADABLE:
            values = self._read_slowly(body)
        return self._record(
            kind=kind,
            event_id=envelope.event_id,
            received_at=envelope.received_at,
            signature_scheme=envelope.signature_scheme,
            signature_key_id=envelope.signature_key_id,
            **values,
        )

    def provider_json(self, record: R) -> dict[str, Any]:
        """The provider's JSON, rebuilt from the record: equal, as JSON, to what was delivered."""
        return self._rebuild(record, self.model)

    def _part(self, field: FieldInfo) -> type[Struct] | None:
        """The model of the objects in a field; None for a plain value."""
        return self._lists.get(field.type, field.type if field.type in self._parts else None)

    def _converter(self, field: FieldInfo) -> Convert:
        """From the checked objects of a field to records.

        Made of the fields' names, and then a third of the work of msgspec.convert, which checks all once more.
        """
        part: Any = self._part(field)
        inner = {f.name: self._converter(f) for f in self._fields[part] if self._part(f)}
        values = [
            f"{name}=m.{name}" if name not in inner else f"{name}={name}(m.{name})" for name in part.__struct_fields__
        ]
        nulls = [
            f"**({{'{f.encode_name}': 'null'}} if m.{f.name} is None else {{}})"
            for f in self._fields[part]
            if NoneType in get_args(f.type)
        ]
        if nulls:
            values.append(f"extra={{{', '.join(nulls)}}}")
        record = f"Record({', '.join(values)})"
        made = f"[{record} for m in v]" if field.type in self._lists else f"[{record} for m in (v,)][0]"
        return eval(f"lambda v: None if v is None else {made}", {"Record": self._parts[part], **inner})  # type: ignore[no-any-return]

    def _read_fast(self, body: bytes) -> dict[str, Any]:
        """The provider's part of the record. Raises msgspec's errors for whatever is not exactly as documented."""
        values = asdict(self._decoder.decode(body))
        for name, convert in self._converters.items():
            values[name] = convert(values[name])
        return values

    def _read_slowly(self, body: bytes) -> dict[str, Any]:
        """The same, keeping what is unknown. Raises InvalidCallbackError."""
        _require_json(body)
        reader = _Reader(self._fields, self._lists, self._parts)
        values = reader.read_object(body, self.model, "")
        if reader.faults or values is None:
            raise InvalidCallbackError(reader.faults[:MAX_FAULTS])
        return values

    def _rebuild(self, record: Record, model: type[Struct]) -> dict[str, Any]:
        sent: dict[str, Any] = {}
        for field in self._fields[model]:
            value = getattr(record, field.name)
            if value is not None and field.type in self._lists:
                value = [self._rebuild(item, self._lists[field.type]) for item in value]
            elif value is not None and field.type in self._parts:
                value = self._rebuild(value, field.type)
            if value is not None:  # else it was not sent, or `extra` has what was
                sent[field.encode_name] = value
        extra: dict[str, str] = getattr(record, "extra")  # noqa: B009  # every record with a model has it
        return {**sent, **{name: json.loads(text) for name, text in extra.items()}}


def _require_json(body: bytes) -> None:
    """Raises InvalidCallbackError unless the body is JSON in UTF-8 with finite numbers, not nested too deep."""
    try:
        depth = _depth(msgspec.json.decode(body))
    except RecursionError:
        depth = MAX_DEPTH + 1
    except UnicodeDecodeError:
        raise InvalidCallbackError([Fault("$", "expected UTF-8")]) from None
    except msgspec.MsgspecError as error:
        raise InvalidCallbackError([Fault("$", f"expected JSON: {error}")]) from None
    if depth > MAX_DEPTH:
        raise InvalidCallbackError([Fault("$", f"nested deeper than {MAX_DEPTH} levels")])


def _depth(value: Any) -> int:
    """How deep objects and arrays nest; level by level, since recursion is what must not be trusted here."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, (dict, list))]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


class _Reader:
    """Reads objects field by field, collecting the faults of all of them."""

    def __init__(
        self,
        fields_of: Mapping[type[Struct], tuple[FieldInfo, ...]],
        lists: Mapping[Any, type[Struct]],
        parts: Mapping[type[Struct], type[Record]],
    ) -> None:
        self.faults: list[Fault] = []
        self._fields_of = fields_of
        self._lists = lists
        self._parts = parts

    def read_object(self, raw: bytes | Raw, model: type[Struct], path: str) -> dict[str, Any] | None:
        """Values by our field names, `extra` among them; None when it is not an object."""
        sent = self._decode(raw, dict[str, Raw], path)
        if sent is None:
            return None
        values: dict[str, Any] = {}
        extra: dict[str, str] = {}
        for field in self._fields_of[model]:
            if field.encode_name in sent:
                self._read_field(sent.pop(field.encode_name), field, _join(path, field.encode_name), values, extra)
            elif field.required:
                self.faults.append(Fault(_join(path, field.encode_name), "missing"))
        extra.update({name: _text(value) for name, value in sent.items()})
        return {**values, "extra": extra}

    def _read_field(self, raw: Raw, field: FieldInfo, path: str, values: dict[str, Any], extra: dict[str, str]) -> None:
        if (not field.required or NoneType in get_args(field.type)) and _text(raw) == "null":
            extra[field.encode_name] = "null"
        elif field.type in self._lists:
            values[field.name] = self._read_list(raw, self._lists[field.type], path)
        elif field.type in self._parts:
            values[field.name] = self._record(self.read_object(raw, field.type, path), field.type)
        elif field.type == dict[str, str]:
            values[field.name], is_text_only = self._read_map(raw, path)
            if not is_text_only:
                extra[field.encode_name] = _text(raw)
        else:
            values[field.name] = self._decode(raw, field.type, path)

    def _read_list(self, raw: Raw, model: type[Struct], path: str) -> list[Record]:
        items = self._decode(raw, list[Raw], path) or []
        read = [self.read_object(item, model, f"{path}[{position}]") for position, item in enumerate(items)]
        return [record for values in read if (record := self._record(values, model)) is not None]

    def _record(self, values: dict[str, Any] | None, model: type[Struct]) -> Record | None:
        """The record of an object that was read; none once there are faults, which leave holes in values."""
        return None if self.faults or values is None else self._parts[model](**values)

    def _read_map(self, raw: Raw, path: str) -> tuple[dict[str, str], bool]:
        """The map with text as it is and other values as JSON text; False when there were others."""
        sent: dict[str, Raw] = self._decode(raw, dict[str, Raw], path) or {}
        texts = {name: _text(value) for name, value in sent.items()}
        is_text = {name: text.startswith('"') for name, text in texts.items()}
        return {n: msgspec.json.decode(t) if is_text[n] else t for n, t in texts.items()}, all(is_text.values())

    def _decode(self, raw: bytes | Raw, kind: Any, path: str) -> Any:
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as error:
            self.faults.append(Fault(path or "$", _without_values(str(error))))
            return None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(raw: Raw) -> str:
    return bytes(raw).decode().strip()


def _without_values(message: str) -> str:
    """msgspec's "Expected `int`, got `str` - at `$.x`" as "expected int, got str": it names types only."""
    return message.split(" - at ")[0].replace("`", "").replace("Expected", "expected")
