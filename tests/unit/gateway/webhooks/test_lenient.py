"""The way of what deviates costs what its size says, whatever its shape."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from gateway.errors import MalformedBodyError
from gateway.webhooks.kinds import CALL_COMPLETION
from gateway.webhooks.mapping import Envelope
from schemas import codec
from schemas.records.webhooks import Callback
from schemas.topics import MAX_RECORD_BYTES
from tests.support.provider import provider_json

ENVELOPE = Envelope("e" * 64, 7, "hmac-sha256", "k1")
BODY_BYTES = 1024 * 1024
MAX_CPU_S = 15.0  # 0.2 to 0.4 when this was written; what grows with the square takes minutes


def body_of(before: str, item: Callable[[int], str], after: str) -> bytes:
    """A delivery of 1 MiB: as many items as go in."""
    items, size, number = [], 0, 0
    while (size := size + len(text := item(number)) + 1) < BODY_BYTES - 200:
        items.append(text)
        number += 1
    return f'{{"workflow_id":"w","details":[{before}{",".join(items)}{after}'.encode()


def in_detail(before: str, item: Callable[[int], str], after: str) -> bytes:
    return body_of('{"call_id":"c",' + before, item, after + "}]}")


@pytest.mark.parametrize(
    "body",
    [
        body_of('],"a":0,', lambda n: f'"new{n}":1', "}"),
        body_of("", lambda n: f'{{"call_id":{n}}}', "]}"),
        in_detail('"question_answer":[', lambda n: "{}", "]"),
        in_detail('"question_answer":[', lambda n: f'{{"var":{n}}}', "]"),
        in_detail('"question_answer":[', lambda n: "{}", ",1]"),
        in_detail('"redail_call":[', lambda n: '{"ring_time":""}', "]"),
        in_detail('"Variables":{', lambda n: f'"{n}":1', "}"),
        in_detail("", lambda n: '"duration":"30"', ""),
        in_detail('"n":"', lambda n: r"\n", '"'),
        in_detail('"n":[', lambda n: "[]", "]"),
    ],
    ids=["unknown", "details", "questions", "numbers", "mixed", "redials", "map", "repeated", "escapes", "brackets"],
)
def test_a_megabyte_of_the_worst_is_read_kept_and_written_in_time(body: bytes) -> None:
    started_s = time.process_time()
    callback = CALL_COMPLETION.read(body, ENVELOPE)
    wire = codec.encode(1, callback)
    taken_s = time.process_time() - started_s

    assert taken_s < MAX_CPU_S
    assert len(wire) < MAX_RECORD_BYTES
    read: Any = codec.decode(wire, codec.parsed_schema("Callback"), Callback)
    assert provider_json(read) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        body_of("", lambda n: "{}", "]}"),
        body_of("", lambda n: "1", "]}"),
        b"[" * BODY_BYTES,
        b'{"a":' * (BODY_BYTES // 5),
        b'"' * BODY_BYTES,
        b"\xef\xbb\xbf" * (BODY_BYTES // 3),
    ],
    ids=["no-ids", "no-objects", "arrays", "objects", "quotes", "marks"],
)
def test_a_megabyte_of_what_is_no_callback_is_refused_in_time(body: bytes) -> None:
    started_s = time.process_time()
    with pytest.raises(MalformedBodyError):
        CALL_COMPLETION.read(body, ENVELOPE)

    assert time.process_time() - started_s < MAX_CPU_S
