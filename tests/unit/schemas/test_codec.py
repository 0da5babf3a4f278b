"""Records to wire bytes and back, and one error for whatever is not ours."""

from __future__ import annotations

import json
import struct
from contextlib import suppress
from io import BytesIO
from typing import Any

import fastavro
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import PREFIX_BYTES, decode, encode, parse, parsed_schema, schema_id_of, schema_text
from schemas.errors import DecodeError, SchemaError, UnknownSchemaError
from schemas.records.calls import Call
from schemas.records.kept import DeadLetter
from schemas.records.record import Record
from schemas.records.webhooks import Callback
from schemas.topics import TOPICS
from tests.support.records import CALL, DEAD_LETTER, EVERY_RECORD
from tests.support.strategies import ANY_RECORD, NAMES, TYPES


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
@settings(max_examples=40)
@given(st.data())
def test_any_record_comes_back_as_it_was_written(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(ANY_RECORD[kind])

    assert record == decode(encode(7, record), parsed_schema(kind.__name__), kind)


@pytest.mark.parametrize("record", EVERY_RECORD, ids=NAMES)
def test_wire_bytes_begin_with_zero_and_the_schema_id(record: Record) -> None:
    data = encode(0x01020304, record)

    assert data[:PREFIX_BYTES] == b"\x00\x01\x02\x03\x04"
    assert schema_id_of(data) == 0x01020304


def test_equal_records_are_equal_bytes() -> None:
    assert encode(1, CALL) == encode(1, Call.from_datum(CALL.to_datum()))


def test_the_largest_schema_id_fits() -> None:
    assert schema_id_of(encode(2**32 - 1, CALL)) == 2**32 - 1


@pytest.mark.parametrize("data", [b"", b"\x00", b"\x00\x00\x00\x00", b"\x01\x00\x00\x00\x01", b'{"a": 1}', b"\xff" * 9])
def test_bytes_that_are_not_in_the_wire_format_name_no_schema(data: bytes) -> None:
    with pytest.raises(DecodeError):
        schema_id_of(data)


GOOD = encode(1, CALL)


@pytest.mark.parametrize(
    ("why", "data"),
    [
        ("nothing", b""),
        ("half a prefix", b"\x00\x00"),
        ("a prefix alone", GOOD[:PREFIX_BYTES]),
        ("the last byte is missing", GOOD[:-1]),
        ("a byte is left over", GOOD + b"\x00"),
        ("another record behind it", GOOD + GOOD),
        ("a record of another schema", encode(1, DEAD_LETTER)),
        ("text that is not UTF-8", GOOD.replace(b"wf-1", b"wf-\xff")),
        ("a length beyond the end", GOOD[:PREFIX_BYTES] + b"\xfe\xff\xff\xff\x0f" + GOOD[PREFIX_BYTES + 1 :]),
        ("a negative length", GOOD[:PREFIX_BYTES] + b"\x01" + GOOD[PREFIX_BYTES + 1 :]),
        ("all ones", GOOD[:PREFIX_BYTES] + b"\xff" * 40),
    ],
)
def test_bytes_that_are_no_such_record_are_a_decode_error(why: str, data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, parsed_schema("Call"), Call)


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
@settings(max_examples=60)
@given(st.binary(max_size=60))
def test_random_bytes_are_a_record_or_a_decode_error_and_nothing_else(kind: type[Record], data: bytes) -> None:
    with suppress(DecodeError):
        assert isinstance(decode(b"\x00\x00\x00\x00\x01" + data, parsed_schema(kind.__name__), kind), kind)


@settings(max_examples=300)
@given(st.integers(PREFIX_BYTES, len(GOOD) - 1), st.integers(0, 255))
def test_a_record_with_one_byte_changed_is_a_record_or_a_decode_error(position: int, byte: int) -> None:
    data = bytearray(GOOD)
    data[position] = byte
    with suppress(DecodeError):
        assert isinstance(decode(bytes(data), parsed_schema("Call"), Call), Call)


def test_an_error_names_no_value_of_the_record() -> None:
    with pytest.raises(DecodeError) as caught:
        decode(GOOD[:-1], parsed_schema("Call"), Call)

    assert "+861" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_instants_stay_integers(name: str) -> None:
    assert "logicalType" not in json.dumps(parsed_schema(name), default=str)


def test_a_datetime_of_another_writer_is_read_as_milliseconds() -> None:
    # The registered schema has logical types; its bytes are the same as ours.
    with_types = parse(schema_text("Call"))

    assert decode(GOOD, with_types, Call) == CALL


def test_bytes_of_an_older_writer_get_the_defaults_of_fields_it_did_not_know() -> None:
    schema = json.loads(schema_text("Callback"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] not in ("extra", "detail_offset")]
    callback = EVERY_RECORD[0]
    assert isinstance(callback, Callback)
    datum = {name: value for name, value in callback.to_datum().items() if name not in ("extra", "detail_offset")}

    read = decode(_written(schema, datum), parse(json.dumps(schema)), Callback)

    assert (read.extra, read.detail_offset) == ({}, 0)
    assert read.details == callback.details


def test_bytes_of_a_newer_writer_are_read_without_the_fields_we_do_not_know() -> None:
    schema = json.loads(schema_text("DeadLetter"))
    schema["fields"].insert(0, {"name": "added_later", "type": ["null", "string"], "default": None})
    datum = {**DEAD_LETTER.to_datum(), "added_later": "x"}

    assert decode(_written(schema, datum), parse(json.dumps(schema)), DeadLetter) == DEAD_LETTER


def test_bytes_of_a_writer_that_lacks_a_required_field_are_a_decode_error() -> None:
    schema = json.loads(schema_text("DeadLetter"))
    schema["fields"] = [field for field in schema["fields"] if field["name"] != "source_topic"]
    datum = {name: value for name, value in DEAD_LETTER.to_datum().items() if name != "source_topic"}

    with pytest.raises(DecodeError):
        decode(_written(schema, datum), parse(json.dumps(schema)), DeadLetter)


def _written(schema: Any, datum: dict[str, Any]) -> bytes:
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, parse(json.dumps(schema)), datum)
    return struct.pack(">bI", 0, 1) + buffer.getvalue()


@pytest.mark.parametrize("record", EVERY_RECORD, ids=NAMES)
def test_a_record_cannot_be_changed(record: Record) -> None:
    with pytest.raises(AttributeError):
        setattr(record, type(record).__struct_fields__[0], "x")


def test_an_unknown_schema_is_a_kind_of_undecodable_record() -> None:
    assert issubclass(UnknownSchemaError, DecodeError)
    assert issubclass(DecodeError, SchemaError)
    assert UnknownSchemaError.code == "unknown_schema"


def test_every_record_that_a_topic_carries_is_among_the_examples() -> None:
    assert {topic.record for topic in TOPICS} == set(NAMES)
