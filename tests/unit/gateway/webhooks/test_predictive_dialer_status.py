"""The predictive dialer's envelope: its type is a field, its ids are read where they are known, its body is kept."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.webhooks.kinds import PREDICTIVE_DIALER_STATUS
from gateway.webhooks.lenient import Deviations
from gateway.webhooks.mapping import Envelope
from schemas.records.webhooks import PredictiveDialerStatus
from schemas.topics import PREDICTIVE_DIALER_STATUSES, QUARANTINE
from tests.support.deliveries import DIALER_STATUS, to_body
from tests.support.door import assert_problem, open_door
from tests.support.provider import provider_json
from tests.support.requests import signed

KIND = PREDICTIVE_DIALER_STATUS
ENVELOPE = Envelope("e" * 64, 7, "hmac-sha256", "k1")


def read(body: bytes) -> tuple[PredictiveDialerStatus, Deviations]:
    deviations = Deviations(int)
    return KIND.read(body, ENVELOPE, deviations), deviations


def envelope(body: str, type: str = '"AgentStatus"') -> bytes:
    return f'{{"type": {type}, "body": {body}}}'.encode()


@pytest.mark.parametrize("word", ["TaskStatus", "ContactStatus", "AgentStatus", "SomethingNew"])
async def test_whatever_its_type_it_is_published_with_its_ids_and_its_body(word: str) -> None:
    body = to_body({**DIALER_STATUS, "type": word})
    async with open_door() as door:
        answer = await door.hook.post(KIND.path, content=body, headers=signed(body))

        (stored,) = door.publisher.records(PREDICTIVE_DIALER_STATUSES)
        record = stored.record
        assert isinstance(record, PredictiveDialerStatus)
        assert answer.status_code == 200
        assert (record.type, record.task_id, record.call_id, record.extra) == (word, "t1", "dial-1", {})
        assert json.loads(record.body or "") == DIALER_STATUS["body"]
        metrics = (await door.ops.get("/metrics")).text
        unknown = 'webhook_unknown_words_total{field="type",kind="predictive-dialer-status"}'
        assert f"{unknown} {float(word == 'SomethingNew')}" in metrics


@pytest.mark.parametrize(
    "text",
    [
        '{ "a": 1,\n "a": 2 }',
        '{"n": [1e400, -0, 100000000000000000000000000000000.10]}',
        r'{"t": "\u6797 林 \/ \u0000"}',
        "{}",
        '{"a": ' + "[" * 62 + "]" * 62 + "}",
        '{"a": "' + "x" * (2**20 - 100) + '"}',
    ],
    ids=lambda text: text[:20],
)
def test_the_text_of_its_body_is_the_one_that_was_sent(text: str) -> None:
    record, deviations = read(b"\xef\xbb\xbf" + envelope(text))

    assert (record.body, record.extra, deviations) == (text, {}, {})


@pytest.mark.parametrize(
    ("ids", "found"),
    [
        ({"taskId": "t", "callid": "c"}, ("t", "c", "c")),
        ({"taskId": "t"}, ("t", None, "t")),
        ({"taskId": 17, "callid": 2**70}, ("17", str(2**70), str(2**70))),
        ({"taskId": "", "callid": None}, (None, None, None)),
        ({"taskId": [], "callid": {"id": "c"}}, (None, None, None)),
        ({"taskId": 1.0, "callid": True}, (None, None, None)),
        ({"task_id": "t", "callId": "c"}, (None, None, None)),
        ({"callid": "\n\x00 林"}, (None, "\n\x00 林", "\n\x00 林")),
        ({}, (None, None, None)),
    ],
)
def test_ids_are_read_where_they_are_ids_and_the_key_is_the_closest(ids: dict[str, Any], found: Any) -> None:
    record, deviations = read(to_body({"type": "ContactStatus", "body": ids}))

    assert (record.task_id, record.call_id, KIND.key(record)) == found
    assert provider_json(record, KIND) == {"type": "ContactStatus", "body": ids}
    assert deviations == {}


async def test_without_any_id_the_key_is_the_event_id() -> None:
    body = envelope("{}")
    async with open_door() as door:
        await door.hook.post(KIND.path, content=body, headers=signed(body))

        (stored,) = door.publisher.records(PREDICTIVE_DIALER_STATUSES)
        assert stored.key == getattr(stored.record, "event_id", "")


@pytest.mark.parametrize(
    ("sent", "deviation"),
    [
        ({"type": "TaskStatus"}, ("body", "missing")),
        ({"type": "TaskStatus", "body": None}, ("body", "null")),
        ({"type": "TaskStatus", "body": [{"taskId": "t"}]}, ("body", "array")),
        ({"type": "TaskStatus", "body": '{"taskId": "t"}'}, ("body", "string")),
        ({"type": 3, "body": {}, "sentAt": None}, ("type", "number")),
    ],
)
def test_what_is_not_as_known_is_kept_as_it_came_and_counted(sent: Any, deviation: tuple[str, str]) -> None:
    record, deviations = read(to_body(sent))

    assert provider_json(record, KIND) == sent
    assert list(deviations) == [deviation]
    assert (record.type, record.task_id) == (str(sent["type"]), None)


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"[]", "$: expected object, got array"),
        (b"null", "$: expected object, got null"),
        (b"{}", "type: missing"),
        (envelope("{}", "null"), "type: expected string or integer, got null"),
        (envelope("{}", '""'), "type: expected string or integer, got an empty string"),
        (envelope("{}", "{}"), "type: expected string or integer, got object"),
        (envelope('{"a": ' + "[" * 63 + "]" * 63 + "}"), "$: nested deeper than 64 levels"),
        (envelope("[" * 100_000 + "]" * 100_000), "$: nested deeper than 64 levels"),
        (envelope('"\xed\xa0\x80"').decode().encode("latin-1"), "$: expected UTF-8"),
    ],
    ids=lambda value: str(value)[:30],
)
async def test_what_is_no_envelope_is_422_and_in_quarantine(body: bytes, fault: str) -> None:
    async with open_door() as door:
        answer = await door.hook.post(KIND.path, content=body, headers=signed(body))

        document = assert_problem(answer, 422, "malformed")
        assert [f"{one['path']}: {one['message']}" for one in document["errors"]] == [fault]
        assert len(door.publisher.records(QUARANTINE)) == 1
