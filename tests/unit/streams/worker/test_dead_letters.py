"""A record that cannot be processed is kept whole, with where it came from and why."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from aiokafka import ConsumerRecord

from schemas.codec import decode, encode, parsed_schema
from schemas.headers import Headers
from schemas.records.kept import DeadLetter
from schemas.topics import CALLBACKS
from streams.worker.dead_letters import KEPT_BYTES, cut_letter, dead_letter, dead_letter_headers

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
    return dead_letter(record, "undecodable", "the first byte is 0x01")


def headers_of(record: Any) -> Headers:
    letter = dead_letter(record, "undecodable", "why")
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


def test_the_id_of_a_dead_letter_is_where_and_when_its_record_was_appended() -> None:
    ids = [dict(headers_of(record))["ce_id"] for record in (poison(), poison(value=b"x"), poison(key=None))]
    others = [poison(offset=43), poison(partition=4), poison(topic="other"), poison(timestamp=NOW_MS + 1)]

    assert len(set(ids)) == 1
    assert len({dict(headers_of(record))["ce_id"] for record in (poison(), *others)}) == 5


def test_reading_the_record_again_later_gives_the_same_bytes_under_the_same_id() -> None:
    assert (letter_of(poison()), headers_of(poison())) == (letter_of(poison()), headers_of(poison()))
    assert letter_of(poison()).failed_at == poison().timestamp == NOW_MS


@pytest.mark.parametrize("timestamp", [-1, 2**55, 2**63 - 1, -(2**63)])
def test_a_record_with_an_impossible_timestamp_can_be_kept(timestamp: int) -> None:
    letter = letter_of(poison(timestamp=timestamp))

    assert decode(encode(1, letter), parsed_schema("DeadLetter"), DeadLetter) == letter
    assert headers_of(poison(timestamp=timestamp))


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


def test_all_headers_of_one_name_are_kept_in_their_order() -> None:
    letter = letter_of(poison(headers=(("x", b"1"), ("y", None), ("x", b"2"))))

    assert letter.headers == {"x": b"2", "y": b""}
    assert [(header.name, header.value) for header in letter.all_headers] == [("x", b"1"), ("y", None), ("x", b"2")]


HUGE = {
    "value": {"value": b"x" * 20_971_520},
    "key": {"key": b"k" * 6_000_000},
    "headers": {"headers": (("ce_id", b"x"), *((f"h{number}", b"v" * 1000) for number in range(6000)))},
    "one header": {"headers": (("h" * 6_000_000, None),)},
    "all": {"value": b"x" * 6_000_000, "key": b"k" * 6_000_000, "headers": (("h", b"v" * 6_000_000),)},
}


@pytest.mark.parametrize("changes", HUGE.values(), ids=HUGE)
def test_what_does_not_fit_is_kept_as_its_beginning_with_size_and_digest(changes: dict[str, Any]) -> None:
    record = poison(**changes)

    letter = cut_letter(record, "undecodable", "d" * 10_000_000)

    assert len(encode(1, letter)) + len(letter.key or b"") < 5 * KEPT_BYTES
    assert letter.is_cut
    assert (letter.source_topic, letter.source_partition, letter.source_offset) == (CALLBACKS.name, 3, 42)
    assert (letter.value_bytes, letter.value_sha256) == (len(record.value), sha256(record.value).hexdigest())
    assert (letter.key_bytes, letter.key_sha256) == (len(record.key), sha256(record.key).hexdigest())
    assert letter.headers_count == len(record.headers)
    assert record.value.startswith(letter.value)
    assert record.key.startswith(letter.key)


def test_a_cut_letter_tells_no_value_from_an_empty_one() -> None:
    letter = cut_letter(poison(value=None, key=None), "too_large", "why")

    assert (letter.key, letter.value, letter.value_bytes) == (None, None, 0)
