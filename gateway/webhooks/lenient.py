"""Reads a delivery that is not as the provider documents it, and keeps what deviates as it was sent. Pure.

A value of another type than documented, null included, leaves its typed field empty and is kept as JSON text in `extra`
of its object; so is a field that is not documented. Only a fault of an essential field makes the body malformed. A
value is read at most as often as the model's objects nest, so the work grows with the size of the body only.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, Final, get_args, get_origin

import msgspec
from msgspec import Raw, Struct
from msgspec.structs import FieldInfo, fields

from gateway.errors import Fault, MalformedBodyError
from gateway.webhooks.field_types import INT64, AnyObject, Identifier, Integer
from gateway.webhooks.json_text import json_type
from schemas.records.record import Record

MISSING: Final = "missing"
MAX_FAULTS: Final = 100

_WHOLE: Final = re.compile(r"-?[0-9]+")
_INT64_LENGTH: Final = len(str(INT64[0]))
_OBJECT: Final = msgspec.json.Decoder(dict[str, Raw])
_OBJECTS: Final = msgspec.json.Decoder(list[dict[str, Raw]])
_VALUES: Final = msgspec.json.Decoder(list[Raw])

Essential = Mapping[type[Struct], frozenset[str]]
Parts = Mapping[type[Struct], type[Record]]
Deviations = defaultdict[
    tuple[str, str], int
]  # the path, such as details.duration, and what was found: a JSON type, or MISSING
Value = tuple[Any, bool]  # for the typed field, None when nothing fits; and whether it holds all that was sent

_UNFIT: Final[Value] = (None, False)


class _Reading:
    """The deviations and faults found while one delivery is read."""

    def __init__(self, deviations: Deviations) -> None:
        self.deviations = deviations
        self.faults: list[Fault] = []

    @property
    def is_full(self) -> bool:
        """No more faults are reported, so none need be found."""
        return len(self.faults) >= MAX_FAULTS

    def fault(self, path: str, message: str) -> None:
        if not self.is_full:
            self.faults.append(Fault(path, message))


class _Field(Struct, frozen=True):
    """A documented field. `expected`: what an essential one must be, None for the others."""

    name: str
    path: str
    read: Callable[[str, _Reading], Value]
    may_be_null: bool
    expected: str | None


class _Shape(Struct, frozen=True):
    """The objects at one path. fields: by the provider's spelling. required: fields that are always sent, with the
    deviation to count when one is missing, None where that is a fault."""

    fields: dict[str, _Field]
    required: tuple[tuple[str, tuple[str, str] | None], ...]


class LenientReader:
    """Reads the deliveries of one webhook.

    essential: the fields, by the provider's spelling, that an object must have. An essential text may come as an
    integer; an essential list, which only the root has, must hold objects.
    """

    def __init__(self, model: type[Struct], parts: Parts, essential: Essential) -> None:
        self._parts = parts
        self._essential = essential
        self._root = self._shape(model, "")

    def read(self, body: bytes, deviations: Deviations) -> dict[str, Any]:
        """The provider's part of the record, by our field names, of a body that is JSON. Adds to `deviations`.

        Raises: MalformedBodyError with every fault of the body.
        """
        run = _Reading(deviations)
        try:
            sent = _OBJECT.decode(body)
        except msgspec.ValidationError:
            raise MalformedBodyError([Fault("$", _expected("object", body.decode().lstrip()))]) from None
        values = _read_object(sent, self._root, run)
        if run.faults:
            raise MalformedBodyError(run.faults)
        return values

    def _shape(self, model: type[Struct], path: str) -> _Shape:
        essential = self._essential.get(model, frozenset())
        read = {field.encode_name: self._field(field, path, field.encode_name in essential) for field in fields(model)}
        required = [field.encode_name for field in fields(model) if field.required]
        return _Shape(read, tuple((name, None if name in essential else (path + name, MISSING)) for name in required))

    def _field(self, field: FieldInfo, above: str, is_essential: bool) -> _Field:
        path = above + field.encode_name
        expected = "array" if get_origin(field.type) is list else "string or integer"
        return _Field(
            field.name,
            path,
            self._reader(field.type, path, is_essential),
            NoneType in get_args(field.type),
            expected if is_essential else None,
        )

    def _reader(self, kind: Any, path: str, is_essential: bool) -> Callable[[str, _Reading], Value]:
        if get_origin(kind) is list:
            [part] = get_args(kind)
            read_list = _read_essential_list if is_essential else _read_list
            shape, record = self._shape(part, f"{path}."), self._parts[part]
            return lambda text, run: read_list(text, run, path, shape, record)
        if kind in self._parts:
            shape, record = self._shape(kind, f"{path}."), self._parts[kind]
            return lambda text, run: _read_part(text, run, shape, record)
        if is_essential:
            return read_identifier if kind == Identifier else _read_name
        if kind == Integer:
            return _read_integer
        if kind == AnyObject:
            return _read_any_object
        return _read_map if get_origin(kind) is dict else _read_text


def _read_object(sent: dict[str, Raw], shape: _Shape, run: _Reading, where: str = "") -> dict[str, Any]:
    """Values by our field names, `extra` among them. `where`: the path of the object, for faults."""
    values: dict[str, Any] = {}
    extra: dict[str, str] = {}
    for spelling, raw in sent.items():
        text = str(raw, "utf-8")
        field = shape.fields.get(spelling)
        if field is None:
            extra[spelling] = text
            continue
        value, is_all = field.read(text, run)
        if value is not None:
            values[field.name] = value
        if not is_all:
            extra[spelling] = text
            _note(field, value, text, run, where + spelling)
    for spelling, deviation in shape.required:
        if spelling not in sent:
            if deviation:
                run.deviations[deviation] += 1
            else:
                run.fault(where + spelling, MISSING)
    if extra:
        values["extra"] = extra
    return values


def _note(field: _Field, value: Any, text: str, run: _Reading, path: str) -> None:
    """Note a value that is not all in its typed field: as a fault, a deviation, or neither."""
    if value is None and field.expected:
        run.fault(path, _expected(field.expected, text))
    elif field.expected or (value is None and not (field.may_be_null and text == "null")):
        run.deviations[field.path, json_type(text)] += 1


def _read_text(text: str, run: _Reading | None) -> Value:
    return (_string(text), True) if text[0] == '"' else _UNFIT


def _read_integer(text: str, run: _Reading) -> Value:
    if len(text) <= _INT64_LENGTH and _WHOLE.fullmatch(text) and (number := int(text)) in INT64:
        return number, True
    return _UNFIT


def _read_map(text: str, run: _Reading) -> Value:
    """Text as it is and other values as JSON text."""
    if text[0] != "{":
        return _UNFIT
    texts = {name: str(raw, "utf-8") for name, raw in _OBJECT.decode(text).items()}
    others = [name for name, value in texts.items() if value[0] != '"']
    return {name: _string(value) if value[0] == '"' else value for name, value in texts.items()}, not others


def _read_name(text: str, run: _Reading | None) -> Value:
    """Text, or the digits of an integer."""
    return (text, False) if _WHOLE.fullmatch(text) else _read_text(text, run)


def _read_any_object(text: str, run: _Reading) -> Value:
    return (text, True) if text[0] == "{" else _UNFIT


def read_identifier(text: str, run: _Reading | None = None) -> Value:
    """Text that is not empty, or the digits of an integer."""
    return _UNFIT if text == '""' else _read_name(text, run)


def _read_part(text: str, run: _Reading, shape: _Shape, record: type[Record]) -> Value:
    return (record(**_read_object(_OBJECT.decode(text), shape, run)), True) if text[0] == "{" else _UNFIT


def _read_list(text: str, run: _Reading, path: str, shape: _Shape, record: type[Record]) -> Value:
    """The records of a list's objects; nothing fits when an item is no object."""
    if text[0] != "[":
        return _UNFIT
    try:
        items = _OBJECTS.decode(text)
    except msgspec.ValidationError:
        return _UNFIT
    return [record(**_read_object(item, shape, run)) for item in items], True


def _read_essential_list(text: str, run: _Reading, path: str, shape: _Shape, record: type[Record]) -> Value:
    """The same, but an item that is no object is a fault."""
    if text[0] != "[":
        return _UNFIT
    try:
        items = _OBJECTS.decode(text)
    except msgspec.ValidationError:
        for position, value in enumerate(str(raw, "utf-8") for raw in _VALUES.decode(text)):
            if value[0] != "{":
                run.fault(f"{path}[{position}]", _expected("object", value))
            if run.is_full:
                break
        return [], True
    found = []
    for position, item in enumerate(items):
        found.append(record(**_read_object(item, shape, run, f"{path}[{position}].")))
        if run.is_full:
            break
    return found, True


def _string(text: str) -> str:
    value: str = msgspec.json.decode(text) if "\\" in text else text[1:-1]
    return value


def _expected(kind: str, text: str) -> str:
    found = "an empty string" if text == '""' else json_type(text)
    return f"expected {kind}, got {found}"
