"""Typed models for Python: one module of dataclasses that needs nothing but Python."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any, Final

from schemas.documents.models.shapes import REQUIRED, Field, Shape, Type

WIDTH: Final = 120
WORDS: Final = {
    "string": "str",
    "int": "int",
    "long": "int",
    "boolean": "bool",
    "bytes": "bytes",
    "instant": "datetime",
}
HEAD: Final = '''"""The records of AiRudder's topics as dataclasses. Written by `python -m schemas models`; do not edit.

Copy this file. `Call.of(decoded)` takes a record as confluent-kafka's AvroDeserializer or fastavro gives it, with
instants as aware datetimes. It leaves out fields that are newer than this file. A field that the record is too old for
gets its default. Words may be new: no text is an enum.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
'''


def python_module(shapes: Iterable[Shape]) -> str:
    """The text of the module; each record comes after those within it."""
    return "\n\n".join([HEAD, *(_class(shape) for shape in shapes)])


def _class(shape: Shape) -> str:
    lines = ["@dataclass(frozen=True, kw_only=True, slots=True)", f"class {shape.name}:", *_doc(shape.doc), ""]
    for field in shape.fields:
        lines += [_field(field), *_doc(field.doc)]
    lines += ["", "    @classmethod", f"    def of(cls, decoded: Mapping[str, Any]) -> {shape.name}:"]
    lines += ['        """Raises: TypeError when a field without a default is missing."""']
    lines += ["        known = {name: value for name, value in decoded.items() if name in cls.__dataclass_fields__}"]
    for field in shape.fields:
        if field.type.record:
            lines += [f'        if known.get("{field.name}") is not None:']
            lines += [f'            known["{field.name}"] = {_built(field)}']
    return "\n".join([*lines, "        return cls(**known)\n"])


def _field(field: Field) -> str:
    declared = f"    {field.name}: {_type(field.type)}"
    return declared if field.default is REQUIRED else f"{declared} = {_default(field.type, field.default)}"


def _type(type: Type) -> str:
    item = _type(type.item) if type.item else ""
    name = {"list": f"list[{item}]", "map": f"dict[str, {item}]", "record": type.name}.get(type.word)
    return (name or WORDS[type.word]) + (" | None" if type.is_nullable else "")


def _default(type: Type, default: Any) -> str:
    if default is None or type.word in ("int", "long", "boolean"):
        return repr(default)
    if type.word in ("list", "map") and not default:
        return f"field(default_factory={'list' if type.word == 'list' else 'dict'})"
    if type.word == "instant" and default == 0:
        return "_EPOCH"
    if type.word == "bytes" and default == "":
        return 'b""'
    if type.word == "string":
        return json.dumps(default)
    raise ValueError(f"no default like {default!r} in Python yet")


def _built(field: Field) -> str:
    """The expression that makes records of what is decoded."""
    value, name = f'known["{field.name}"]', field.type.record
    match field.type.word:
        case "list":
            return f"[{name}.of(item) for item in {value}]"
        case "map":
            return f"{{key: {name}.of(item) for key, item in {value}.items()}}"
    return f"{name}.of({value})"


def _doc(text: str) -> list[str]:
    """A docstring within a class, also one of a field: editors show it."""
    lines = textwrap.wrap(f'"""{text}', WIDTH - 4 - len('"""'))
    return textwrap.indent("\n".join(lines) + '"""', "    ").splitlines()
