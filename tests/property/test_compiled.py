"""The compiled codec against fastavro: the same bytes, the same records, the same errors, for every schema we have."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas import codec
from schemas.codec import PREFIX_BYTES, decode, decode_by_fastavro, encode, encode_by_fastavro, parsed_schema
from schemas.compiled import encoding
from schemas.compiled.reader import compile_reader
from schemas.compiled.source import UnsupportedSchemaError
from schemas.compiled.writer import compile_writer
from schemas.records.record import Record
from tests.support.records import EVERY_RECORD
from tests.support.strategies import ANY_RECORD, NAMES, TYPES

EXAMPLES = dict(zip(TYPES, EVERY_RECORD, strict=True))
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.0, 2.5, float("nan")),
    *(2**31 - 1, 2**31, -(2**31) - 1, 2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 2**70),
    *("", "a", "\ud800", "\N{GRINNING FACE}", "x" * 5000, b"", b"x", bytearray(b"x")),
    *([], {}, [None], {"a": 1}, {"a": "x"}, {"a": None}, {1: "a"}, ("a",), ["a"]),
)


def outcome_of(call: Callable[..., Any], *args: Any) -> tuple[str, Any]:
    """What a call returned, or the type of what it raised."""
    try:
        return "returned", call(*args)
    except Exception as error:
        return "raised", type(error)


def with_odd_values(record: Record) -> Iterator[Record]:
    """The record with each of its fields, also deep inside, replaced by each odd value in turn."""
    values = {name: getattr(record, name) for name in record.__struct_fields__}
    for name, value in values.items():
        changes: Iterator[Any] = iter(ODD)
        first = (
            next(iter(value.values() if isinstance(value, dict) else value), None)
            if isinstance(value, list | dict)
            else None
        )
        if isinstance(value, Record):
            changes = chain(changes, with_odd_values(value))
        elif isinstance(value, list):
            inner = with_odd_values(first) if isinstance(first, Record) else ODD
            changes = chain(changes, ([one, *value[1:]] for one in inner))
        elif isinstance(value, dict):
            inner = with_odd_values(first) if isinstance(first, Record) else ODD
            changes = chain(changes, ({**value, "a": one} for one in inner))
        for change in changes:
            yield type(record)(**{**values, name: change})


def mutated(wire: bytes, data: st.DataObject) -> bytes:
    """The wire bytes with some bytes put, replaced or cut."""
    at = data.draw(st.integers(PREFIX_BYTES, len(wire)))
    gone = data.draw(st.sampled_from([0, 0, 1, 1, 2, len(wire)]))
    put = data.draw(
        st.one_of(
            st.binary(max_size=6),
            st.sampled_from([b"\x01\x02", b"\x80\x00", b"\xff" * 9 + b"\x01", b"\xff" * 9 + b"\x7f", b"\xfe\xff\x03"]),
        )
    )
    return wire[:at] + put + wire[at + gone :]


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
def test_every_schema_of_ours_is_compiled(kind: type[Record]) -> None:
    assert codec._writer(kind.__name__) is not None
    assert codec._reader(kind.__name__) is not None


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
@settings(max_examples=100)
@given(st.data())
def test_records_become_the_bytes_that_fastavro_makes_of_them(kind: type[Record], data: st.DataObject) -> None:
    record = data.draw(ANY_RECORD[kind])
    expected = encode_by_fastavro(7, record)
    write, read = codec._writer(kind.__name__), codec._reader(kind.__name__)

    assert write is not None
    assert read is not None
    assert write(expected[:PREFIX_BYTES], record) == expected
    assert read(expected, PREFIX_BYTES) == (record, len(expected))


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
def test_values_out_of_the_schema_are_judged_by_fastavro(kind: type[Record]) -> None:
    for record in with_odd_values(EXAMPLES[kind]):
        assert outcome_of(encode, 7, record) == outcome_of(encode_by_fastavro, 7, record)


@pytest.mark.parametrize("kind", TYPES, ids=NAMES)
@settings(max_examples=100)
@given(st.data())
def test_damaged_bytes_are_judged_by_fastavro(kind: type[Record], data: st.DataObject) -> None:
    wire = mutated(encode_by_fastavro(7, EXAMPLES[kind]), data)
    args = (wire, parsed_schema(kind.__name__), kind)

    assert outcome_of(decode, *args) == outcome_of(decode_by_fastavro, *args)


@pytest.mark.parametrize(
    "unknown",
    [
        "float",
        ["string", "null"],
        ["string", "int"],
        ["null", "int", "string"],
        {"type": "enum", "name": "E", "symbols": ["A"]},
        {"type": "fixed", "name": "F", "size": 2},
        {"type": "array", "items": "null"},
        {"type": "map", "values": "double"},
        {"type": "record", "name": "Nobody", "fields": []},
    ],
)
def test_a_schema_that_is_not_understood_is_left_to_fastavro(unknown: Any) -> None:
    fields = [{"name": name, "type": unknown} for name in ("question_name", "state")]
    schema = {"type": "record", "name": "airudder.QuestionState", "fields": fields}

    with pytest.raises(UnsupportedSchemaError):
        compile_writer(schema)
    with pytest.raises(UnsupportedSchemaError):
        compile_reader(schema)


def test_a_field_that_the_type_does_not_have_is_left_to_fastavro() -> None:
    schema = {"type": "record", "name": "airudder.QuestionState", "fields": [{"name": "state", "type": "string"}]}

    with pytest.raises(UnsupportedSchemaError):
        compile_reader(schema)


def test_what_is_remembered_of_strings_and_numbers_is_bounded() -> None:
    strings = encoding._Strings(b"")
    for number in range(encoding.CACHED_STRINGS + 10):
        assert strings[f"{number}"] == bytes([len(f"{number}") * 2]) + f"{number}".encode()
        assert encoding._LONGS[number << 20] == encoding._varint(number << 20)
    assert strings["x" * 1000].endswith(b"x" * 1000)

    assert len(strings) <= encoding.CACHED_STRINGS
    assert len(encoding._LONGS) <= encoding.CACHED_STRINGS
    assert max(map(len, strings.values())) <= encoding.CACHED_LENGTH
