"""An incident with a wrong key, and its end: every genuine callback is recovered by one command, none twice."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from gateway.webhooks.kinds import CALL_COMPLETION, WORKFLOW_STATUS_CHANGE
from schemas.records.kept import QuarantinedRequest
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.signatures.keys import Key
from schemas.signatures.signing import sign
from schemas.topics import CALLBACKS, QUARANTINE, WORKFLOW_STATUS_CHANGES
from tests.support.deliveries import STATUS_CHANGE, to_body, with_detail
from tests.support.processes.gateway import (
    Client,
    end_offsets,
    records_since,
    run_gateway_command,
    running_gateway,
)
from tests.support.processes.service import KafkaProcess
from tests.support.provider import provider_json
from tests.support.requests import signed
from tests.support.topics import create_topics

RIGHT = Key("right", b"the-providers-own-s3cret")
GENUINE = 120
RIGHT_KEYS = {"AIRUDDER_SIGNING_KEYS": f"{RIGHT.id}:{RIGHT.secret.decode()}"}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaProcess(tmp_path_factory.mktemp("quarantine-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka.bootstrap_servers


@pytest.fixture
async def client(broker: str, registry_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    async with running_gateway(broker, registry_url, tmp_path) as client:
        yield client


def signed_right(body: bytes) -> dict[str, str]:
    return {"content-type": "application/json", **sign(body, "hmac-sha256", RIGHT, "X-AIRudder-Sign", 0)}


def body_of(call_id: str) -> bytes:
    return to_body(with_detail(call_id=call_id, callee="+447700900123"))


async def quarantine(broker: str, registry_url: str, *arguments: str, **environ: str) -> tuple[int, str, str]:
    where = {"KAFKA_BOOTSTRAP_SERVERS": broker, "SCHEMA_REGISTRY_URL": registry_url}
    return await run_gateway_command("quarantine", *arguments, **{**where, **RIGHT_KEYS, **environ})


async def test_one_command_recovers_every_genuine_callback_of_an_incident_and_none_twice(
    client: Client, broker: str, registry_url: str
) -> None:
    start = await end_offsets(broker, CALLBACKS)
    quarantine_start = await end_offsets(broker, QUARANTINE)
    bodies = [body_of(f"incident-{n}") for n in range(GENUINE)]
    refused = [await client.post(body, signed_right(body)) for body in [*bodies, *bodies[:30]]]  # some try again
    forged = await client.post(body_of("forged"), {"content-type": "application/json", "X-AIRudder-Sign": "0" * 64})
    change = to_body(STATUS_CHANGE)
    url = client.gateway.url + WORKFLOW_STATUS_CHANGE.path
    assert (await client.http.post(url, content=change, headers=signed_right(change))).status_code == 401
    accepted_meanwhile = await client.post(bodies[0], signed(bodies[0]))  # one has got through by itself
    assert {answer.status_code for answer in [*refused, forged]} == {401}
    assert accepted_meanwhile.status_code == 200
    received = [record.timestamp for record in await records_since(broker, quarantine_start)]

    async def run(*arguments: str, **environ: str) -> tuple[int, str]:
        code, output, errors = await quarantine(broker, registry_url, *arguments, **environ)
        assert (code, errors) == (0, "")
        return code, output

    wrong_key = await run("replay", AIRUDDER_SIGNING_KEYS="k:still-wrong")
    dry = await run("replay", "--dry-run")
    some = await run("replay", "--call-id", "incident-7")
    everything = await run("replay", "--rate", "1000")
    again = await run("replay")

    assert wrong_key == (
        0,
        "152 requests (152 bad_signature); 0 events pass, 0 of them published before; 0 published\n",
    )
    found = f"152 requests (1 bad_signature, {GENUINE + 31} passes); {GENUINE + 1} events pass"
    assert dry == (0, f"{found}, 1 of them published before; {GENUINE} would be published\n")
    assert some[1] == "2 requests (2 passes); 1 event passes, 0 of them published before; 1 published\n"
    assert everything == (0, f"{found}, 2 of them published before; {GENUINE - 1} published\n")
    assert again == (0, f"{found}, {GENUINE + 1} of them published before; 0 published\n")

    registry = Registry(registry_url)
    records = await records_since(broker, start)
    callbacks = [await registry.decode(record.value, Callback) for record in records]
    await registry.aclose()
    assert Counter(callback.details[0].call_id for callback in callbacks) == {
        f"incident-{n}": 1 for n in range(GENUINE)
    }
    replayed = [
        (record, callback) for record, callback in zip(records, callbacks, strict=True) if origin_of(record) is not None
    ]
    assert len(replayed) == GENUINE - 1
    for record, callback in replayed:
        assert dict(record.headers)["ce_id"].decode() == callback.event_id
        assert str(origin_of(record)).startswith("airudder.quarantine.v1[")
        assert callback.signature_key_id == RIGHT.id
        assert min(received) - 5000 <= callback.received_at <= max(received)
    (status_change,) = await records_since(broker, dict.fromkeys(await end_offsets(broker, WORKFLOW_STATUS_CHANGES), 0))
    assert origin_of(status_change)


def origin_of(record: Any) -> str | None:
    return dict(record.headers).get("replayed_from", b"").decode() or None


async def test_requests_are_listed_shown_and_judged_without_their_bodies(
    client: Client, broker: str, registry_url: str
) -> None:
    body = body_of("looked-at")
    await client.post(body, {**signed_right(body), "Authorization": "Bearer planted-token"})
    await client.post(to_body(with_detail(call_id="", CaseID="unreadable")))
    options = ("--call-id", "looked-at")

    listed = await quarantine(broker, registry_url, "list", *options)
    (line,) = [json.loads(text) for text in listed[1].splitlines()]
    shown = await quarantine(broker, registry_url, "show", line["event_id"][:16])
    raw = await quarantine(broker, registry_url, "show", line["event_id"], "--body")
    passes = await quarantine(broker, registry_url, "reverify", *options)
    fails = await quarantine(broker, registry_url, "reverify", *options, AIRUDDER_SIGNING_KEYS="k:wrong")
    malformed = await quarantine(broker, registry_url, "list", "--reason", "malformed", "--workflow", "none of ours")
    early = await quarantine(broker, registry_url, "list", "--to", "2024-01-01")
    nothing = await quarantine(broker, registry_url, "show", "f" * 64)

    assert (line["reason"], line["kind"], line["body_bytes"]) == ("bad_signature", "call-completion", len(body))
    assert json.loads(shown[1])["headers"]["x-airudder-sign"] == signed_right(body)["X-AIRudder-Sign"]
    assert raw[1].encode() == body
    assert (passes[0], json.loads(passes[1])["verdict_detail"]) == (0, "hmac-sha256, key right")
    assert (fails[0], json.loads(fails[1])["verdict"]) == (1, "bad_signature")
    assert malformed[1] == early[1] == ""
    assert nothing[0] == 1
    for _, output, errors in (listed, shown, passes, fails):
        assert "447700900123" not in output + errors
        assert RIGHT.secret.decode() not in output + errors
        assert "planted-token" not in output + errors


async def test_what_an_older_gateway_called_malformed_is_let_in_now(broker: str, registry_url: str) -> None:
    """A callback that deviates was refused once; its sender never came again."""
    body = to_body(with_detail(call_id="deviates", duration="43", question_answer=None))
    headers = {name.lower(): value for name, value in signed_right(body).items()}
    kept = QuarantinedRequest(
        event_id=sha256(body).hexdigest(),
        received_at=1_710_163_513_250,
        reason="malformed",
        detail="details[0].duration: expected int, got str",
        method="POST",
        path=CALL_COMPLETION.path,
        headers=headers,
        body=body,
        remote_address="192.0.2.1",
    )
    registry = Registry(registry_url)
    await registry.register([QUARANTINE])
    async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
        await producer.send_and_wait(QUARANTINE.name, registry.encode(QUARANTINE, kept), key=kept.event_id.encode())
    start = await end_offsets(broker, CALLBACKS)

    judged = await quarantine(broker, registry_url, "reverify", "--call-id", "deviates")
    replayed = await quarantine(broker, registry_url, "replay", "--call-id", "deviates")

    (record,) = await records_since(broker, start)
    callback = await registry.decode(record.value, Callback)
    await registry.aclose()
    assert (judged[0], json.loads(judged[1])["verdict"]) == (0, "passes")
    assert replayed[1] == "1 request (1 passes); 1 event passes, 0 of them published before; 1 published\n"
    assert provider_json(callback) == json.loads(body)


async def test_a_broker_that_is_away_ends_a_tool_with_the_code_for_trying_again(registry_url: str) -> None:
    code, output, errors = await quarantine("127.0.0.1:9", registry_url, "replay")

    assert code == 69
    assert RIGHT.secret.decode() not in output + errors
    assert "nobody listens" in errors
