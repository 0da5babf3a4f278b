"""Every webhook is served alike: verified, read without loss, deduplicated, limited, quarantined."""

from __future__ import annotations

import asyncio
import copy
import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import httpx2
import pytest
import structlog
from typer.testing import CliRunner

from gateway.__main__ import app as cli
from gateway.errors import ClientGoneError
from gateway.webhooks.kinds import (
    CALL_COMPLETION,
    CHATBOT_SESSION_END,
    EVENTS,
    KINDS,
    PREDICTIVE_DIALER_STATUS,
    WORKFLOW_STATUS_CHANGE,
    Kind,
)
from gateway.webhooks.mapping import Envelope
from schemas import codec, topics
from schemas.records.kept import QuarantinedRequest
from schemas.records.types import TYPES
from schemas.topics import QUARANTINE
from tests.support.deliveries import CHATBOT_SESSION, DIALER_STATUS, EXAMPLE, STATUS_CHANGE, to_body
from tests.support.door import assert_problem, open_door
from tests.support.kinds import SAMPLES, SERVED, events_of
from tests.support.provider import provider_json
from tests.support.requests import KEY, signed

ENVELOPE = Envelope("e" * 64, 7, "hmac-sha256", "k1")
all_kinds = pytest.mark.parametrize("kind", SERVED, ids=lambda kind: kind.name)


def through_kafka(kind: Kind[Any], body: bytes) -> Any:
    wire = codec.encode(1, kind.read(body, ENVELOPE))
    schema = codec.parsed_schema(kind.topic.record)
    return provider_json(codec.decode(wire, schema, TYPES[kind.topic.record]), kind)


def changed(kind: Kind[Any], **changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(SAMPLES[kind.name]), **changes}


@all_kinds
def test_a_sample_is_rebuilt_from_the_bytes_on_the_topic(kind: Kind[Any]) -> None:
    assert through_kafka(kind, to_body(SAMPLES[kind.name])) == SAMPLES[kind.name]


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        (WORKFLOW_STATUS_CHANGE, ["actions", 1]),
        (CHATBOT_SESSION_END, ["messages", 0]),
        (CHATBOT_SESSION_END, ["messages", 0, "content"]),
    ],
)
def test_fields_the_provider_may_add_and_nulls_are_kept_at_every_depth(kind: Kind[Any], path: list[Any]) -> None:
    delivery = changed(kind, new_field={"a": [1.5, None]})
    target: Any = delivery
    for step in path:
        target = target[step]
    target["another"] = None

    assert through_kafka(kind, to_body(delivery)) == delivery


def test_what_may_be_missing_may_be_missing_or_null() -> None:
    least = {"workflow_id": "", "call_id": "c"}

    for optional in set(CHATBOT_SESSION) - set(least):
        assert through_kafka(CHATBOT_SESSION_END, to_body({**least, optional: None})) == {**least, optional: None}
    assert through_kafka(CHATBOT_SESSION_END, to_body(least)) == least


@all_kinds
async def test_a_signed_delivery_is_published_once_under_its_own_name(kind: Kind[Any]) -> None:
    body = to_body(SAMPLES[kind.name])
    async with open_door() as door:
        answers = [await door.hook.post(kind.path, content=body, headers=signed(body)) for _ in range(2)]

        (stored,) = door.publisher.records(kind.topic)
        headers = dict(stored.headers)
        assert [(answer.status_code, answer.content) for answer in answers] == [(200, b"{}")] * 2
        assert (door.outcome("accepted"), door.outcome("duplicate")) == (1, 1)
        assert stored.key == (kind.key(stored.record) or getattr(stored.record, "event_id", None))
        assert getattr(stored.record, "kind", None) == kind.name
        assert headers["ce_type"].decode() == f"airudder.{kind.topic.record}.v1"
        metrics = (await door.ops.get("/metrics")).text
        assert f'http_route="{kind.route}"' in metrics


@all_kinds
async def test_an_unsigned_delivery_is_401_and_quarantined_with_its_path(kind: Kind[Any]) -> None:
    async with open_door() as door:
        body = to_body(SAMPLES[kind.name])
        answer = await door.hook.post(kind.path, content=body, headers={"content-type": "application/json"})

        (kept,) = door.publisher.records(QUARANTINE)
        assert_problem(answer, 401, "bad_signature")
        assert isinstance(kept.record, QuarantinedRequest)
        assert (kept.record.path, kept.record.body) == (kind.path, body)


@pytest.mark.parametrize(
    ("kind", "changes", "faults"),
    [
        (
            WORKFLOW_STATUS_CHANGE,
            {"workflow_id": "", "status": None, "actions": [{"nodetask_id": 1}, 2]},
            {"workflow_id": "expected string or integer, got an empty string"},
        ),
        (
            CHATBOT_SESSION_END,
            {"call_id": None, "workflow_id": [], "messages": [{"content": []}]},
            {
                "workflow_id": "expected string or integer, got array",
                "call_id": "expected string or integer, got null",
            },
        ),
    ],
)
async def test_every_fault_is_named_by_its_path_in_one_answer(
    kind: Kind[Any], changes: dict[str, Any], faults: dict[str, str]
) -> None:
    body = to_body(changed(kind, **changes))
    async with open_door() as door:
        answer = await door.hook.post(kind.path, content=body, headers=signed(body))

        document = assert_problem(answer, 422, "malformed")
        assert {fault["path"]: fault["message"] for fault in document["errors"]} == faults


async def test_the_same_bytes_at_two_paths_are_two_deliveries_with_ids_of_their_own() -> None:
    body = to_body({**EXAMPLE, **STATUS_CHANGE, **CHATBOT_SESSION, **DIALER_STATUS})
    kinds = (*SERVED, events_of("another"))
    async with open_door() as door:
        for kind in kinds:
            assert (await door.hook.post(kind.path, content=body, headers=signed(body))).status_code == 200

        stored = door.publisher.stored
        ids = [dict(one.headers)["ce_id"].decode() for one in stored]
        event_id = hashlib.sha256(body).hexdigest()
        assert door.outcome("duplicate") == 0
        assert ids == [kind.record_id(event_id) for kind in kinds]
        assert len(set(ids)) == len(kinds)
        assert {getattr(one.record, "event_id", "") for one in stored} == {event_id}
        assert ids[0] == event_id  # of a call, as the worker's ids are made of it


def test_kinds_have_topics_of_their_own_that_the_gateway_writes() -> None:
    assert len({kind.topic for kind in KINDS}) == len({kind.path for kind in KINDS}) == len(KINDS)
    assert all(topics.BY_NAME[kind.topic.name].writer == "gateway" for kind in KINDS)
    assert WORKFLOW_STATUS_CHANGE.topic.name == "airudder.workflow-status-changes.v1"
    assert CHATBOT_SESSION_END.topic.name == "airudder.chatbot-sessions.v1"
    assert PREDICTIVE_DIALER_STATUS.topic.name == "airudder.predictive-dialer-statuses.v1"
    assert PREDICTIVE_DIALER_STATUS.path == "/webhooks/airudder/predictive-dialer-status"
    assert (EVENTS.topic.name, EVENTS.route) == ("airudder.events.v1", "/webhooks/airudder/events/{name}")


@pytest.mark.parametrize(
    ("scope", "changes"), [("global", {"rate_global_per_s": 0.5}), ("source", {"rate_source_per_s": 0.5})]
)
async def test_over_a_rate_every_webhook_answers_429_before_it_reads_the_body(
    scope: str, changes: dict[str, Any]
) -> None:
    body = to_body(STATUS_CHANGE)
    async with open_door(**changes) as door:
        assert (await door.post()).status_code == 200
        for kind in SERVED:
            answer = await door.hook.post(kind.path, content=body, headers=signed(body))
            assert_problem(answer, 429, "rate_limited")
            assert 1 <= int(answer.headers["retry-after"]) <= 2
        name, labels = "webhook_rate_limited_total", {"scope": scope}
        assert door.gateway.metrics.registry.get_sample_value(name, labels) == len(SERVED)
        assert door.outcome("limited") == len(SERVED)


PHONE = "447700900123"
PERSONAL = ("my planted transcript", "planted@example.org")


def planted(kind: Kind[Any]) -> list[dict[str, Any]]:
    """A good delivery and a bad one, each full of what must not be told on."""
    good = changed(kind, planted_field=[f"+{PHONE}", *PERSONAL], **{f"tel_{PHONE}": 1, PHONE: 1, f"+{PHONE}": {}})
    text_fields = [name for name, value in good.items() if isinstance(value, str)]
    wrong = {name: [f"+{PHONE}", *PERSONAL] for name in text_fields}
    return [good, {**good, **wrong}]


REFUSALS = {
    "malformed",
    "unsupported_type",
    "too_large",
    "slow_body",
    "limited",
    "broker_unavailable",
    "client_gone",
    "internal_error",
}


@all_kinds
@pytest.mark.parametrize("mode", ["enforce", "report", "off"])
async def test_no_secret_number_or_text_is_in_logs_metrics_or_answers(
    kind: Kind[Any], mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = KEY.secret.decode()
    answers: list[httpx2.Response] = []
    with structlog.testing.capture_logs() as logs:
        async with open_door(
            rate_source_per_s=8.0, max_body_bytes=100_000, body_timeout_s=0.05, signature_mode=mode
        ) as door:

            async def send(body: Any, headers: Mapping[str, str] | None = None, whole: bytes = b"") -> None:
                sent = {**signed(whole or body), **(headers or {})}
                answers.append(await door.hook.post(kind.path, content=body, headers=sent))

            for delivery in planted(kind):
                body = to_body(delivery)
                await send(body)
                await send(body, {"X-AIRudder-Sign": secret, "traceparent": PHONE, f"x-{PHONE}": secret})
                await send(body[:-1])
            await send(to_body(planted(kind)[0]), {"content-type": f"text/{PHONE}"})
            await send(PHONE.encode() * 10_000)
            await send(slowly(body), whole=body)
            await send(hanging_up(body), whole=body)
            door.publisher.fault = "Kafka: away"
            await send(to_body(changed(kind, another=f"+{PHONE}")))
            door.publisher.fault = ""
            with monkeypatch.context() as broken:
                broken.setattr(door.gateway.reception, "receive", fail_with(f"{PHONE} {secret} {PERSONAL}"))
                await send(body)
            for _ in range(20):
                await send(b"{}")
            answers.append(await door.hook.request("GET", f"/{PHONE}?secret={secret}"))
            answers.append(await door.hook.request(PHONE, kind.path))
            operated = (await door.ops.get("/metrics")).text + (await door.ops.get("/readyz")).text

    outcomes = {line["outcome"] for line in logs if line["event"] == "callback"}
    assert outcomes >= {"accepted", *REFUSALS, *({"bad_signature"} if mode == "enforce" else ())}
    statuses = {200, 400, 404, 405, 408, 413, 415, 422, 429, 500, 503}
    assert {answer.status_code for answer in answers} == statuses | ({401} if mode == "enforce" else set())
    told = json.dumps(logs) + operated + "".join(f"{answer.headers} {answer.text}" for answer in answers)
    for planted_value in (PHONE, *PERSONAL, secret, signed(b"{}")["X-AIRudder-Sign"]):
        assert planted_value not in told


async def slowly(body: bytes) -> AsyncIterator[bytes]:
    yield body[:-1]
    await asyncio.sleep(60)


async def hanging_up(body: bytes) -> AsyncIterator[bytes]:
    yield body[:-1]
    raise ClientGoneError("the sender hung up")  # what http.disconnect becomes, which this transport cannot send


def fail_with(text: str) -> Any:
    async def receive(request: Any) -> None:
        raise RuntimeError(text)

    return receive


@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (("check-config",), 0),
        (("send", "{body}", "--url", "http://127.0.0.1:9/x"), 1),
        (("which-scheme", "{body}", "0" * 64), 1),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_no_tool_reveals_a_secret_or_a_number(tmp_path: Any, arguments: tuple[str, ...], exit_code: int) -> None:
    secret = KEY.secret.decode()
    file = tmp_path / "body"
    file.write_bytes(to_body(planted(CALL_COMPLETION)[1]))
    (tmp_path / "keys.json").write_text(json.dumps([{"id": "k2", "secret": secret + "-2"}]))
    environ = {
        "AIRUDDER_SIGNING_KEYS": f"k1:{secret}",
        "AIRUDDER_SIGNING_KEYS_FILE": str(tmp_path / "keys.json"),
        "KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:9",
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_USERNAME": "u",
        "KAFKA_SASL_PASSWORD": secret,
        "SCHEMA_REGISTRY_URL": f"http://user:{secret}@127.0.0.1:9",
    }

    result = CliRunner().invoke(cli, [part.format(body=file) for part in arguments], env=environ)

    assert result.exit_code == exit_code
    for planted_value in (PHONE, *PERSONAL, secret):
        assert planted_value not in result.output
