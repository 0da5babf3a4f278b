"""Events: any verified JSON is kept byte for byte under its name; what is no JSON is refused and kept in quarantine."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
import structlog
from hypothesis import example, given
from hypothesis import settings as profile
from hypothesis import strategies as st

from gateway.errors import MalformedBodyError
from gateway.webhooks.kinds import BY_PATH, EVENTS, kind_at
from gateway.webhooks.mapping import Envelope
from schemas import codec
from schemas.records.kept import QuarantinedRequest
from schemas.records.webhooks import Event
from schemas.topics import EVENTS as TOPIC
from schemas.topics import QUARANTINE
from tests.support.bodies import BOM, KEPT, REFUSED
from tests.support.door import Door, assert_problem, open_door
from tests.support.kinds import events_of
from tests.support.requests import signed


async def post(door: Door, body: bytes, name: str = "anything") -> Any:
    return await door.hook.post(f"/webhooks/airudder/events/{name}", content=body, headers=signed(body))


def through_avro(record: Event) -> Event:
    wire = codec.encode(1, record)
    assert codec.encode_by_fastavro(1, record) == wire
    return codec.decode(wire, codec.parsed_schema("Event"), Event)


@pytest.mark.parametrize("body", KEPT.values(), ids=KEPT)
async def test_any_json_is_kept_and_comes_back_byte_for_byte(body: bytes) -> None:
    async with open_door() as door:
        answer = await post(door, body)

        (stored,) = door.publisher.records(TOPIC)
        assert isinstance(stored.record, Event)
        found = through_avro(stored.record)
        assert (answer.status_code, answer.content) == (200, b"{}")
        assert found.sent == body
        assert hashlib.sha256(found.sent).hexdigest() == found.event_id == stored.key
        assert (found.kind, found.name, found.signature_scheme, found.signature_key_id) == (
            "events", "anything", "hmac-sha256", "k1",
        )  # fmt: skip
        assert not found.body.startswith("\ufeff")  # a JSON parser would refuse it
        assert json.loads(found.body, parse_int=str) == json.loads(body.decode("utf-8-sig"), parse_int=str)
        assert door.quarantined("malformed", "kept") == 0


@pytest.mark.parametrize("body", REFUSED.values(), ids=REFUSED)
async def test_what_is_no_json_or_nested_too_deep_is_422_and_in_quarantine(body: bytes) -> None:
    async with open_door() as door:
        answer = await post(door, body)

        (kept,) = door.publisher.records(QUARANTINE)
        assert_problem(answer, 422, "malformed")
        assert isinstance(kept.record, QuarantinedRequest)
        assert (kept.record.reason, kept.record.path) == ("malformed", "/webhooks/airudder/events/anything")
        assert kept.record.body == body
        assert door.publisher.records(TOPIC) == []


texts = st.text(st.characters(codec="utf-8"), max_size=5)
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
bodies = st.builds(lambda tree, ascii_only: json.dumps(tree, ensure_ascii=ascii_only).encode(), trees, st.booleans())
pieces = st.sampled_from(
    [b'"', b"\\", rb"\ud800", rb"\u", b"[", b"]", b"{", b"}", b":", b",", b"1", b"e", b"-", b".", b"0", b"null", b"NaN",
     b"\x00", b"\xff", b"\xed\xa0\x80", BOM, b" ", b"\x0b", b"\n"]
)  # fmt: skip


@profile(max_examples=500)
@given(bodies | st.lists(pieces, max_size=12).map(b"".join), st.binary(max_size=3), st.integers(0, 30))
@example(rb'["\ud800"]', b"", 0)
def test_what_is_taken_is_what_json_is_and_nothing_else(body: bytes, inserted: bytes, at: int) -> None:
    sent = body[:at] + inserted + body[at:]
    try:
        record = events_of("x").read(sent, Envelope(hashlib.sha256(sent).hexdigest(), 0, "none", None))
    except MalformedBodyError:
        assert not is_json(sent)
    else:
        assert is_json(sent)
        assert through_avro(record).sent == sent


def is_json(body: bytes) -> bool:
    """By Python's own strict parser, which takes NaN and Infinity besides."""
    try:
        json.loads(body.decode().removeprefix("\ufeff"), parse_constant=lambda name: 1 / 0, parse_int=str)
    except (ValueError, ZeroDivisionError):
        return False
    return True


async def test_the_same_body_at_two_names_is_two_events_and_at_one_name_is_one() -> None:
    async with open_door() as door:
        for name in ("a", "b", "a", "A"):
            assert (await post(door, b"{}", name)).status_code == 200

        stored = door.publisher.records(TOPIC)
        ids = [dict(one.headers)["ce_id"].decode() for one in stored]
        assert [getattr(one.record, "name", "") for one in stored] == ["a", "b", "A"]
        assert ids == [getattr(one.record, "record_id", "") for one in stored]
        assert len(set(ids)) == 3
        assert len({one.key for one in stored}) == 1  # equal bodies, so one event id
        assert (door.outcome("accepted"), door.outcome("duplicate")) == (3, 1)


def test_the_id_of_an_event_is_for_good() -> None:
    kind = events_of("waba-message-status")

    assert kind.record_id("e" * 64) == hashlib.sha256(b"events/waba-message-status\x1f" + b"e" * 64).hexdigest()


NAMES = ("a", "7", "Waba.Message_Status-2", "v1..2", "a-", "a" * 64, "%61", "-".join("abcdefgh"))
NO_NAMES = (
    "", ".", "..", "%2e%2e", "%2E", "...", ".a", "-a", "_a", "a" * 65, "a" * 300, "a/b", "a%2Fb", "a%2fb", "a/", "é",
    "%C3%A9", "a%00", "%00", "a%0A", "a%20b", "a+b", "{name}", "%7Bname%7D", "a~b", "a:b", "a;b=c", "%25", "a%ff", "💥",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
async def test_a_name_has_letters_digits_dots_dashes_and_underscores(name: str) -> None:
    async with open_door() as door:
        path = f"/webhooks/airudder/events/{name}"
        assert (await door.hook.post(path, content=b"{}", headers=signed(b"{}"))).status_code == 200
        answer = await door.hook.get(path)
        assert_problem(answer, 405, "method_not_allowed")
        assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("name", NO_NAMES)
async def test_anything_else_is_no_name_and_404(name: str) -> None:
    async with open_door() as door:
        url = f"http://gateway/webhooks/airudder/events/{name}"
        for method in ("POST", "GET"):
            assert_problem(await door.hook.request(method, url, content=b"{}", headers=signed(b"{}")), 404, "not_found")
        assert door.publisher.stored == []


def test_a_name_is_matched_whole() -> None:
    path = EVENTS.route.replace("{name}", "")

    assert [kind_at(path + name) for name in ("a\n", "a\x00", "..", ".", "", "a/b", "{name}", "é", "a" * 65)] == [
        None
    ] * 9
    assert kind_at("/webhooks/airudder/events") is None
    assert EVENTS.path not in BY_PATH


async def test_no_name_is_a_label_of_a_metric_or_in_the_log_however_many_there_are() -> None:
    with structlog.testing.capture_logs() as logs:
        async with open_door() as door:
            before = len((await door.ops.get("/metrics")).text.splitlines())
            await post(door, b"{}", "first")
            once = len((await door.ops.get("/metrics")).text.splitlines())
            for number in range(300):
                await post(door, b"%d" % number, f"planted-{number}")
            metrics = (await door.ops.get("/metrics")).text

    assert before < once == len(metrics.splitlines())
    assert "planted" not in metrics + json.dumps(logs)
    assert 'http_route="/webhooks/airudder/events/{name}"' in metrics
    assert {line["kind"] for line in logs if line["event"] == "callback"} == {"events"}


@pytest.mark.parametrize("scheme", ["sorted-md5", "sorted-hmac-sha256"])
async def test_sorted_schemes_sign_objects_only_so_nothing_else_verifies(scheme: str) -> None:
    async with open_door(signature_scheme=scheme) as door:
        url = "/webhooks/airudder/events/x"
        good = await door.hook.post(url, content=b'{"a": 1}', headers=signed(b'{"a": 1}', scheme))
        for body in (b"[1]", b"7", b"null", b'"text"', b"", b"[" * 100_000):
            answer = await door.hook.post(url, content=body, headers=signed(b'{"a": 1}', scheme))
            assert_problem(answer, 401, "bad_signature")

        assert good.status_code == 200
        assert door.quarantined("bad_signature", "kept") == 6
