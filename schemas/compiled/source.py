"""Avro as Python source made from our own schemas: records straight into bytes, and bytes straight into records.

fastavro builds a dict on the way, in both directions, and checks every union of records. This is the fast path for
usual values. A value of another type, a long block or bytes that do not fit raise here, and `schemas.codec` then calls
fastavro, whose result or error counts. So one rule must hold: what this code accepts, fastavro accepts with the same
result (tests/property/test_compiled.py). A schema that it does not fully support is not compiled.

Names in the generated source: r a record, v a value, p the place in the data d, n a number just read.
"""

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from schemas.records.record import Record
from schemas.records.types import TYPES


class UnsupportedSchemaError(Exception):
    """A schema that this package cannot compile. The codec then uses fastavro."""


class Source:
    """The functions made so far, and the named types that they are for."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._named: dict[str, Any] = {}
        self._numbers: Iterator[int] = itertools.count()

    def new(self, kind: str) -> str:
        """A free name."""
        return f"{kind}_{next(self._numbers)}"

    def resolve(self, schema: Any) -> Any:
        """A type as a dict or the name of a primitive. The name of a record seen before gives that record."""
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        if isinstance(schema, dict) and schema["type"] == "record":
            self._named[schema["name"]] = schema
        elif isinstance(schema, dict) and isinstance(schema["type"], str) and schema["type"] not in ("array", "map"):
            return self.resolve(schema["type"])
        return schema

    @staticmethod
    def nullable(union: list[Any]) -> Any:
        """X of the union [null, X]. Raises: UnsupportedSchemaError for any other."""
        if len(union) != 2 or union[0] != "null" or isinstance(union[1], list):
            raise UnsupportedSchemaError(f"a union of {len(union)}")
        return union[1]

    @staticmethod
    def struct(schema: Any) -> type[Record]:
        """The type of a record. Raises: UnsupportedSchemaError when its fields are not those of the schema."""
        name = schema["name"].rpartition(".")[2]
        kind = TYPES.get(name)
        if kind is None or {field["name"] for field in schema["fields"]} != set(kind.__struct_fields__):
            raise UnsupportedSchemaError(f"no type for {name}")
        return kind

    def load(self, name: str, runtime: Mapping[str, Any]) -> Any:
        """One of the functions, compiled with what the source calls by name."""
        namespace: dict[str, Any] = {**runtime, **TYPES}
        exec(compile("\n".join(self.functions), f"<compiled {name}>", "exec"), namespace)
        return namespace[name]
