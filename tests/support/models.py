"""What a subscriber's typed models meet: records in Avro, of a schema earlier or later than today's, and decoded."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import fastavro
from msgspec import structs

from schemas import codec
from schemas.records.record import Record
from schemas.topics import OUTPUTS
from tests.support.records import EVERY_RECORD

PUBLIC = sorted({topic.record for topic in OUTPUTS})
EXAMPLES: dict[str, Record] = {type(record).__name__: record for record in EVERY_RECORD}

ADDED: dict[str, Any] = {"name": "added_later", "type": ["null", "string"], "default": None, "doc": "New."}


def schema_of(name: str) -> dict[str, Any]:
    """Today's schema, as the registry has it."""
    schema: dict[str, Any] = json.loads(codec.schema_text(name))
    return schema


def later(schema: dict[str, Any]) -> dict[str, Any]:
    """What may follow it: a field more at the end of every record in it, nested ones too."""
    grown = copy.deepcopy(schema)
    for record in _records_in(grown):
        record["fields"].append(ADDED)
    return grown


def earlier(schema: dict[str, Any]) -> dict[str, Any]:
    """What it may have grown from: the fields that have no default."""
    return {**schema, "fields": [field for field in schema["fields"] if "default" not in field]}


def bare(name: str) -> Record:
    """The example of a record with the default of every field that has one."""
    example = EXAMPLES[name]
    required = [field.name for field in structs.fields(example) if field.required]
    return type(example)(**{field: getattr(example, field) for field in required})


def written(record: Record, schema: dict[str, Any]) -> bytes:
    """The record in Avro."""
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, fastavro.parse_schema(schema), record.to_datum())
    return buffer.getvalue()


def decoded(record: Record, schema: dict[str, Any]) -> dict[str, Any]:
    """The same as fastavro gives it back, with instants as datetimes."""
    read = fastavro.schemaless_reader(BytesIO(written(record, schema)), fastavro.parse_schema(schema), None)
    assert isinstance(read, dict)
    return read


def _records_in(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, list):
        for branch in schema:
            yield from _records_in(branch)
    elif isinstance(schema, dict):
        if schema["type"] == "record":
            for field in list(schema["fields"]):
                yield from _records_in(field["type"])
            yield schema
        yield from _records_in(schema.get("items", schema.get("values")))
