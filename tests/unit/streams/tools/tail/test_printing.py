"""One line a record: a table that fits its terminal and holds nothing personal, and JSON that steers no terminal."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from schemas.records.record import Record
from schemas.topics import CALLS, TOPICS
from streams.tools.tail.printing import json_line, table_head, table_line
from streams.topics.decoding import Decoded, plain
from streams.topics.masking import masked
from tests.support.records import CALL, EVERY_RECORD

TOPIC_OF = {topic.record: topic for topic in TOPICS}
WIDTH = 80


def decoded(record: Record, **changes: Any) -> Decoded:
    stored: Any = SimpleNamespace(
        topic="t", partition=11, offset=1234567, timestamp=1_710_163_512_345, key=b"k" * 40, value=b"12", headers=[]
    )
    vars(stored).update(changes)
    topic = TOPIC_OF.get(type(record).__name__, CALLS)
    return Decoded(topic, stored, plain(record.to_datum()))


def personal(value: Any, without: Any) -> list[str]:
    """The texts that a mask takes away."""
    if isinstance(value, dict):
        return [text for name in value for text in personal(value[name], without[name])]
    if isinstance(value, list):
        return [text for one, other in zip(value, without, strict=True) for text in personal(one, other)]
    return [value] if isinstance(value, str) and value != without and len(value) > 3 else []


@pytest.mark.parametrize("record", EVERY_RECORD, ids=lambda record: type(record).__name__)
def test_a_line_of_the_table_fits_and_has_nothing_personal(record: Record) -> None:
    one = decoded(record)
    cut, whole = table_line(one, WIDTH), table_line(one, None)

    assert len(cut) <= WIDTH
    assert cut.startswith("2024-03-11T13:25:12Z  11@1234567 ")
    hidden = personal(one.value, masked(one.value or {}, one.record))
    assert [text for text in hidden if text in whole] == []
    assert len(table_head(WIDTH)) <= WIDTH


def test_what_cannot_be_read_and_a_tombstone_have_a_line_too() -> None:
    broken = decoded(CALL)._replace(value=None, fault="the first byte is 0x01\x1b[2J", code="undecodable")

    assert table_line(broken, None).endswith("undecodable: the first byte is 0x01 [2J")
    assert table_line(decoded(CALL)._replace(value=None), None).endswith("tombstone")
    found = json.loads(json_line(broken, headers=False, mask=True))
    assert found["error"] == {"code": "undecodable", "detail": "the first byte is 0x01\x1b[2J", "value_bytes": 2}


def test_json_keeps_every_header_and_escapes_what_a_terminal_may_obey() -> None:
    one = decoded(CALL, key=b"\xff\xc2\x9b", headers=[("a", b"1"), ("a", b"2"), ("b", None)])
    line = json_line(one, headers=True, mask=False)
    found = json.loads(line)

    assert "\x9b" not in line
    assert found["key"] == "\\xff\x9b"
    assert [(header["name"], header["value"]) for header in found["headers"]] == [("a", "1"), ("a", "2"), ("b", None)]
    assert found["value"]["received_at"] == CALL.received_at
