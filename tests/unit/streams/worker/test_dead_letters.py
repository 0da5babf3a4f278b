"""A record that cannot be processed is kept whole, with where it came from and why."""

from __future__ import annotations

from typing import Any

import pytest
from aiokafka import ConsumerRecord

from schemas.codec import decode, encode, parsed_schema
from schemas.headers import Headers
from schemas.records import DeadLetter
from schemas.topics import CALLBACKS
from streams.worker.dead_letters import dead_letter, dead_letter_headers

NOW_MS = 1_710_163_513_250
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


def poison(**changes: Any) -> Any:
    values: dict[str, Any] = {
        "topic": CALLBACKS.name,
        "partition": 3,
        "offset": 42,
        "timestamp": NOW_MS,
        "timestamp_type": 1,
        "key": b"call-1",
        "value": b"\x01not ours\xff",
        "checksum": None,
        "serialized_key_size": 6,
        "serialized_value_size": 10,
        "headers": (("ce_id", b"x"), ("traceparent", f"00-{TRACE}-00f067aa0ba902b7-01".encode())),
    }
    return ConsumerRecord(**{**values, **changes})


def letter_of(record: Any) -> DeadLetter:
    return dead_letter(record, "undecodable", "the first byte is 0x01", NOW_MS)


def headers_of(record: Any, now_ms: int = NOW_MS) -> Headers:
    letter = dead_letter(record, "undecodable", "why", now_ms)
    return dead_letter_headers(letter, list(record.headers))


def test_a_dead_letter_keeps_the_record_its_origin_and_the_reason() -> None:
    expected = DeadLetter(
        source_topic=CALLBACKS.name,
        source_partition=3,
        source_offset=42,
        key=b"call-1",
        value=b"\x01not ours\xff",
        headers=dict(poison().headers),
        reason="undecodable",
        detail="the first byte is 0x01",
        failed_at=NOW_MS,
    )

    assert expected == letter_of(poison())


@pytest.mark.parametrize(
    "record",
    [
        poison(),
        poison(value=None),
        poison(key=None),
        poison(value=b""),
        poison(value=b"\x00" * 1_000_000),
        poison(headers=()),
        poison(headers=(("\u00fc", b"\xff"),)),
    ],
    ids=["as it was", "tombstone", "no key", "empty", "large", "no headers", "odd header"],
)
def test_any_record_can_be_kept(record: Any) -> None:
    letter = letter_of(record)

    assert letter == decode(encode(1, letter), parsed_schema("DeadLetter"), DeadLetter)


def test_the_id_of_a_dead_letter_is_where_its_record_was_read() -> None:
    ids = [dict(headers_of(record))["ce_id"] for record in (poison(), poison(value=b"x"), poison(key=None))]
    others = [poison(offset=43), poison(partition=4), poison(topic="other")]

    assert len(set(ids)) == 1
    assert len({dict(headers_of(record))["ce_id"] for record in (poison(), *others)}) == 4


def test_reading_the_record_again_later_gives_the_same_id() -> None:
    assert dict(headers_of(poison()))["ce_id"] == dict(headers_of(poison(), NOW_MS + 5_000))["ce_id"]


def test_a_dead_letter_stays_in_the_trace_of_its_record() -> None:
    assert dict(headers_of(poison()))["traceparent"][3:35].decode() == TRACE


@pytest.mark.parametrize("traceparent", [b"", b"nonsense", f"00-{'0' * 32}-00f067aa0ba902b7-01".encode()])
def test_a_record_without_a_valid_trace_gets_one(traceparent: bytes) -> None:
    made = dict(headers_of(poison(headers=(("traceparent", traceparent),))))

    assert made["traceparent"][3:35] == made["ce_id"]


def test_a_header_without_a_value_is_kept_as_an_empty_one() -> None:
    record = poison(headers=(("x", None), ("traceparent", None)))

    letter = letter_of(record)

    assert letter.headers == {"x": b"", "traceparent": b""}
    assert decode(encode(1, letter), parsed_schema("DeadLetter"), DeadLetter) == letter
    assert len(headers_of(record)) == 7
