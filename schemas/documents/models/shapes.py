"""What a typed model is written from: the records of a schema, nested ones first, with their fields. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

REQUIRED: Final = object()
"""The default of a field that every record has."""


@dataclass(frozen=True)
class Type:
    """`word` is an Avro word, or `instant`, or `list` and `map` of `item`, or `record` with its `name`."""

    word: str
    is_nullable: bool = False
    item: Type | None = None
    name: str = ""

    @property
    def record(self) -> str:
        """The record that is in it, at whatever depth; empty when there is none."""
        return self.item.record if self.item else self.name


@dataclass(frozen=True)
class Field:
    """One field; `default` as JSON, or REQUIRED."""

    name: str
    doc: str
    type: Type
    default: Any


@dataclass(frozen=True)
class Shape:
    """One record."""

    name: str
    doc: str
    fields: tuple[Field, ...]


def shapes(schemas: Iterable[Mapping[str, Any]]) -> list[Shape]:
    """Every record once, each after those within it."""
    found: dict[str, Shape] = {}
    for schema in schemas:
        for shape in _shapes_of(schema):
            if found.setdefault(shape.name, shape) != shape:
                raise ValueError(f"two records are called {shape.name}")
    return list(found.values())


def _shapes_of(schema: Any) -> Iterator[Shape]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _shapes_of(branch)
    elif isinstance(schema, dict) and schema["type"] == "record":
        for field in schema["fields"]:
            yield from _shapes_of(field["type"])
        fields = (
            Field(field["name"], field["doc"], _type(field["type"]), field.get("default", REQUIRED))
            for field in schema["fields"]
        )
        yield Shape(schema["name"], schema["doc"], tuple(fields))
    elif isinstance(schema, dict):
        yield from _shapes_of(schema.get("items", schema.get("values")))


def _type(avro: Any) -> Type:
    if isinstance(avro, list):
        [branch] = [branch for branch in avro if branch != "null"]
        inner = _type(branch)
        return Type(inner.word, True, inner.item, inner.name)
    if isinstance(avro, str):
        return Type(avro)
    match avro["type"]:
        case "array":
            return Type("list", item=_type(avro["items"]))
        case "map":
            return Type("map", item=_type(avro["values"]))
        case "record":
            return Type("record", name=avro["name"])
    return Type("instant" if avro.get("logicalType") == "timestamp-millis" else avro["type"])
