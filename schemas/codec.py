"""Records to Confluent wire bytes and back: 0x00, the schema id as 4 big-endian bytes, the Avro binary. No I/O.

Instants stay integers (epoch ms): the schemas lose their logical types here. This changes no byte and saves a datetime
per instant.

Two paths give the same bytes and records: `schemas.compiled` for usual values, fastavro for all others. When the first
raises anything, the second runs, and its result or error counts.
"""

import json
import struct
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import Any, TypeVar

import fastavro
from fastavro.types import Schema

from schemas.compiled.reader import Reader, compile_reader
from schemas.compiled.source import UnsupportedSchemaError
from schemas.compiled.writer import Writer, compile_writer
from schemas.errors import DecodeError
from schemas.records.record import Record
from schemas.writers import check_bounded

R = TypeVar("R", bound=Record)

_PREFIX = struct.Struct(">bI")
_MAGIC = 0
PREFIX_BYTES = _PREFIX.size


@cache
def schema_text(record: str) -> str:
    """The `.avsc` of `airudder.<record>` as it is registered. Raises FileNotFoundError for a name we do not have."""
    return files("schemas").joinpath(f"avro/airudder.{record}.avsc").read_text(encoding="utf-8")


@cache
def parsed_schema(record: str) -> Schema:
    """Our own schema of a record, ready to write and read with."""
    return parse(schema_text(record))


def parse(text: str, *, logical_types: bool = False) -> Schema:
    """A schema ready to write and read with, from its JSON text. logical_types: read instants as datetimes, and so on.

    Raises: fastavro's SchemaParseException, and UnboundedSchemaError for one whose records could not be read safely.
    """
    node = json.loads(text)
    schema = fastavro.parse_schema(node if logical_types else _without_logical_types(node))
    check_bounded(schema)
    return schema


def _without_logical_types(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _without_logical_types(v) for k, v in node.items() if k != "logicalType"}
    if isinstance(node, list):
        return [_without_logical_types(item) for item in node]
    return node


def encode(schema_id: int, record: Record) -> bytes:
    """The record's wire bytes. schema_id: the registry's id of our schema of that record."""
    writer = _writer(type(record).__name__)
    if writer is None:
        return encode_by_fastavro(schema_id, record)
    try:
        return writer(_prefix(schema_id), record)
    except Exception:
        return encode_by_fastavro(schema_id, record)


def encode_by_fastavro(schema_id: int, record: Record) -> bytes:
    """`encode` by fastavro alone. Raises: fastavro's errors for a value that does not fit the schema."""
    buffer = BytesIO()
    buffer.write(_prefix(schema_id))
    fastavro.schemaless_writer(buffer, parsed_schema(type(record).__name__), record.to_datum())
    return buffer.getvalue()


@cache
def _prefix(schema_id: int) -> bytes:
    return _PREFIX.pack(_MAGIC, schema_id)


@cache
def _writer(record: str) -> Writer | None:
    try:
        return compile_writer(parsed_schema(record))
    except UnsupportedSchemaError:
        return None


@cache
def _reader(record: str) -> Reader | None:
    try:
        return compile_reader(parsed_schema(record))
    except UnsupportedSchemaError:
        return None


def schema_id_of(data: bytes) -> int:
    """The schema id that wire bytes name. Raises DecodeError when they are not in the wire format."""
    if len(data) < PREFIX_BYTES:
        raise DecodeError(f"{len(data)} bytes are too few for the Confluent wire format")
    magic, schema_id = _PREFIX.unpack_from(data)
    if magic != _MAGIC:
        raise DecodeError(f"the first byte is {data[0]:#04x}, not the 0x00 of the Confluent wire format")
    return int(schema_id)


def decode(data: bytes, writer: Schema, record: type[R]) -> R:
    """The record in wire bytes that were written with the schema `writer`. The id in front is ignored.

    Resolves an older or newer writer's schema to ours by Avro's rules.
    Raises: DecodeError when the bytes do not fit, or bytes are left over.
    """
    reader = _reader(record.__name__) if writer is parsed_schema(record.__name__) else None
    if reader is None:
        return decode_by_fastavro(data, writer, record)
    try:
        found, end = reader(data, PREFIX_BYTES)
    except Exception:
        return decode_by_fastavro(data, writer, record)
    return found if end == len(data) else decode_by_fastavro(data, writer, record)


def decode_by_fastavro(data: bytes, writer: Schema, record: type[R]) -> R:
    """`decode` by fastavro alone."""
    reader = parsed_schema(record.__name__)
    buffer = BytesIO(data)
    buffer.seek(PREFIX_BYTES)
    try:
        datum = fastavro.schemaless_reader(buffer, writer, None if writer is reader else reader)
        if buffer.tell() != len(data):
            raise DecodeError(f"{len(data) - buffer.tell()} bytes are left over after the record")
        return record.from_datum(datum)  # type: ignore[arg-type]  # fastavro types a record as any Avro value
    except DecodeError:
        raise
    except (
        Exception
    ) as error:  # fastavro raises EOFError, IndexError, UnicodeDecodeError, ... for bytes that do not fit
        raise DecodeError(f"not a {record.__name__} record: {type(error).__name__}") from error
