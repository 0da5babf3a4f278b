"""Events and dialer statuses through a real gateway, Kafka and registry: every body comes back byte for byte."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gateway.webhooks.kinds import PREDICTIVE_DIALER_STATUS, Kind
from schemas.records.webhooks import Event, PredictiveDialerStatus
from schemas.registry import Registry
from schemas.signatures.keys import Key
from schemas.signatures.signing import sign
from schemas.topics import EVENTS, PREDICTIVE_DIALER_STATUSES, Topic
from tests.support.bodies import KEPT, REFUSED
from tests.support.deliveries import DIALER_STATUS, to_body
from tests.support.kinds import events_of
from tests.support.processes.gateway import Client, end_offsets, records_since, run_gateway_command, running_gateway
from tests.support.processes.service import KafkaProcess
from tests.support.requests import KEY, signed
from tests.support.topics import create_topics
from tests.support.waiting import PATIENCE_S, wait_until

OTHER_KEY = Key("other", b"the-providers-own-s3cret")
BOTH_KEYS = f"{KEY.id}:{KEY.secret.decode()},{OTHER_KEY.id}:{OTHER_KEY.secret.decode()}"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with KafkaProcess(tmp_path_factory.mktemp("events-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka


@pytest.fixture
async def client(kafka: KafkaProcess, registry_url: str, tmp_path: Path) -> AsyncIterator[Client]:
    spool = str(tmp_path / "spool")
    async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path, GATEWAY_SPOOL_DIR=spool) as client:
        yield client


async def post(client: Client, kind: Kind[Any], body: bytes, headers: dict[str, str] | None = None) -> int:
    url = client.gateway.url + kind.path
    return (await client.http.post(url, content=body, headers=headers or signed(body))).status_code


async def read_since(kafka: KafkaProcess, registry_url: str, start: Any, kind: type[Any]) -> list[tuple[Any, Any]]:
    """Each record since `start`, as it lies in Kafka and decoded."""
    registry = Registry(registry_url)
    try:
        stored = await records_since(kafka.bootstrap_servers, start)
        return [(record, await registry.decode(record.value, kind)) for record in stored]
    finally:
        await registry.aclose()


async def ends(kafka: KafkaProcess, topic: Topic) -> Any:
    return await end_offsets(kafka.bootstrap_servers, topic)


async def test_every_body_comes_back_byte_for_byte_also_out_of_the_spool_and_the_quarantine(
    client: Client, kafka: KafkaProcess, registry_url: str
) -> None:
    start, dialers_start = await ends(kafka, EVENTS), await ends(kafka, PREDICTIVE_DIALER_STATUSES)
    expected = {("a", body) for body in KEPT.values()}

    # through the door: each twice, one also under another name
    for _ in range(2):
        answers = await asyncio.gather(*(post(client, events_of("a"), body) for body in KEPT.values()))
        assert answers == [200] * len(KEPT)
    assert await post(client, events_of("b"), b"{}") == 200
    assert await asyncio.gather(*(post(client, events_of("a"), body) for body in REFUSED.values())) == [422] * len(
        REFUSED
    )
    expected.add(("b", b"{}"))

    # through the spool, while Kafka is silent
    dialer = to_body(DIALER_STATUS)
    kafka.freeze()
    try:
        for name in ("a", "b"):
            assert await post(client, events_of(name), b'["spooled", 1e400]') == 200
        assert await post(client, PREDICTIVE_DIALER_STATUS, dialer) == 200
    finally:
        kafka.thaw()
    expected |= {(name, b'["spooled", 1e400]') for name in ("a", "b")}

    async def is_drained() -> bool:
        found = await read_since(kafka, registry_url, start, Event)
        dialers = await records_since(kafka.bootstrap_servers, dialers_start)
        return {(event.name, event.sent) for _, event in found} == expected and bool(dialers)

    await wait_until(is_drained, PATIENCE_S, "the spool drained")

    # through the quarantine: signed with a key that the gateway does not have
    lost = rb'{"lost": "\ud800", "lost": 2}'
    wrong = {"content-type": "application/json", **sign(lost, "hmac-sha256", OTHER_KEY, "X-AIRudder-Sign", 0)}
    for name in ("a", "b", "a"):
        assert await post(client, events_of(name), lost, wrong) == 401
    where = {"KAFKA_BOOTSTRAP_SERVERS": kafka.bootstrap_servers, "SCHEMA_REGISTRY_URL": registry_url}
    tools = {**where, "AIRUDDER_SIGNING_KEYS": BOTH_KEYS}
    of_events = ("--kind", "events", "--reason", "bad_signature")
    judged = await run_gateway_command("quarantine", "reverify", *of_events, **tools)
    replayed = await run_gateway_command("quarantine", "replay", *of_events, **tools)
    again = await run_gateway_command("quarantine", "replay", *of_events, **tools)
    expected |= {(name, lost) for name in ("a", "b")}

    verdicts = [(line["path"], line["verdict"]) for line in map(json.loads, judged[1].splitlines())]
    assert sorted(verdicts) == [(events_of(name).path, "passes") for name in ("a", "a", "b")]
    assert replayed[1] == "3 requests (3 passes); 2 events pass, 0 of them published before; 2 published\n"
    assert again[1] == "3 requests (3 passes); 2 events pass, 2 of them published before; 0 published\n"

    found = await read_since(kafka, registry_url, start, Event)
    assert {(event.name, event.sent) for _, event in found} == expected
    spooled = {line["event_id"] for line in client.gateway.lines("callback") if line["outcome"] == "spooled"}
    values = defaultdict(list)
    for record, event in found:
        values[event.record_id].append(record.value)
    repeated = {event.event_id for _, event in found if len(values[event.record_id]) > 1}
    assert repeated <= spooled  # a record that was acknowledged too late is sent again from the spool
    assert [set(same) for same in values.values()] == [{same[0]} for same in values.values()]
    for record, event in found:
        headers = dict(record.headers)
        assert record.key.decode() == event.event_id == sha256(event.sent).hexdigest()
        assert headers["ce_id"].decode() == event.record_id == events_of(event.name).record_id(event.event_id)
        assert headers["ce_type"] == b"airudder.Event.v1"
        assert ("replayed_from" in headers) == (event.sent == lost)
    status: PredictiveDialerStatus
    (stored, status), *_ = await read_since(kafka, registry_url, dialers_start, PredictiveDialerStatus)
    assert (stored.key, status.type, status.task_id) == (b"dial-1", "ContactStatus", "t1")
    assert json.loads(status.body or "") == DIALER_STATUS["body"]


async def test_the_tools_take_an_event_like_any_callback(client: Client, kafka: KafkaProcess, tmp_path: Path) -> None:
    start = await ends(kafka, EVENTS)
    file = tmp_path / "event.json"
    file.write_bytes(b"[1, 2]")
    keys = {"AIRUDDER_SIGNING_KEYS": BOTH_KEYS}
    url = client.gateway.url + events_of("sent.by_hand").path

    sent = await run_gateway_command("send", str(file), "--url", url, **keys)
    no_name = await run_gateway_command("send", str(file), "--url", url + "/x", **keys)
    signature = signed(b"[1, 2]")["X-AIRudder-Sign"]
    scheme = await run_gateway_command("which-scheme", str(file), signature, **keys)

    assert sent[:2] == (0, "200 {}\n")
    assert (no_name[0], no_name[1][:4]) == (1, "404 ")
    assert scheme[1] == f"AIRUDDER_SIGNATURE_SCHEME=hmac-sha256  (key {KEY.id})\n"
    assert len(await records_since(kafka.bootstrap_servers, start)) == 1
