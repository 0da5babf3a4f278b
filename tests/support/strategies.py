"""Hypothesis strategies: any record that a schema allows."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from schemas.codec import schema_text
from schemas.records.record import Record
from tests.support.records import EVERY_RECORD

NAMES = [type(record).__name__ for record in EVERY_RECORD]
TYPES: list[type[Record]] = [type(record) for record in EVERY_RECORD]


def datums(schema: Any, named: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Any value that an Avro schema allows; named types are collected in `named` as they are met."""
    simple: dict[str, st.SearchStrategy[Any]] = {
        "null": st.none(),
        "boolean": st.booleans(),
        "int": st.integers(-(2**31), 2**31 - 1),
        "long": st.integers(-(2**63), 2**63 - 1),
        "string": st.text(max_size=8),
        "bytes": st.binary(max_size=8),
    }
    if isinstance(schema, str):
        return simple[schema] if schema in simple else named[schema]
    if isinstance(schema, list):
        return st.one_of(*(datums(branch, named) for branch in schema))
    match schema["type"]:
        case "record":
            fields = {field["name"]: datums(field["type"], named) for field in schema["fields"]}
            return named.setdefault(schema["name"], st.fixed_dictionaries(fields))
        case "array":
            return st.lists(datums(schema["items"], named), max_size=3)
        case "map":
            return st.dictionaries(st.text(max_size=4), datums(schema["values"], named), max_size=3)
        case other:
            return datums(other, named)


ANY_RECORD = {kind: datums(json.loads(schema_text(kind.__name__)), {}).map(kind.from_datum) for kind in TYPES}
