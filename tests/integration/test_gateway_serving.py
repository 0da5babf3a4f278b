"""The gateway as a process on a real broker and registry: what is acknowledged is in the topic, as promised."""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from schemas.records.kept import QuarantinedRequest
from schemas.records.webhooks import Callback
from schemas.registry import Registry
from schemas.topics import CALLBACKS, QUARANTINE
from tests.integration.gateway_attacks import ATTACKS, under
from tests.support.deliveries import EXAMPLE, to_body, with_detail
from tests.support.processes.gateway import (
    Client,
    GatewayProcess,
    end_offsets,
    records_since,
    run_gateway_command,
    running_gateway,
)
from tests.support.processes.service import KafkaProcess
from tests.support.provider import provider_json
from tests.support.requests import KEY, WEBHOOK, signed
from tests.support.topics import create_topics
from tests.support.waiting import PATIENCE_S, wait_until

BODY = to_body(EXAMPLE)
CE_TIME = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A broker of this module's own with the gateway's topics, since their names are fixed."""
    with KafkaProcess(tmp_path_factory.mktemp("gateway-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka.bootstrap_servers


@pytest.fixture(scope="module")
def gateway(broker: str, registry_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    """One gateway for the tests that leave it running."""
    log_path = tmp_path_factory.mktemp("gateway") / "gateway.log"
    limits = {"GATEWAY_BODY_TIMEOUT_S": "0.5", "GATEWAY_MAX_BODY_BYTES": "10000"}
    gateway = GatewayProcess(broker, registry_url, log_path, **limits)
    try:
        yield gateway.start()
    finally:
        gateway.kill()


@pytest.fixture
async def client(gateway: GatewayProcess) -> AsyncIterator[Client]:
    client = Client(gateway)
    await client.wait_until_ready()
    yield client
    await client.http.aclose()


def body_of(call_id: str) -> bytes:
    return to_body(with_detail(call_id=call_id))


async def test_an_acknowledged_callback_is_in_the_topic_with_key_headers_and_every_field(
    client: Client, broker: str, registry_url: str
) -> None:
    start = await end_offsets(broker, CALLBACKS)
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    response = await client.post(BODY, {**signed(BODY), "traceparent": trace})

    (found,) = await records_since(broker, start)
    registry = Registry(registry_url)
    callback = await registry.decode(found.value, Callback)
    await registry.aclose()
    event_id = hashlib.sha256(BODY).hexdigest()
    headers = dict(found.headers)
    assert (response.status_code, response.content) == (200, b"{}")
    assert found.key == b"ic1689265xxxxxxxxxxfe7b7da5b5"
    assert len(found.headers) == len(headers)
    assert CE_TIME.fullmatch(headers.pop("ce_time"))
    assert headers == {
        "ce_specversion": b"1.0",
        "ce_id": event_id.encode(),
        "ce_source": b"/airudder/gateway",
        "ce_type": b"airudder.Callback.v1",
        "content-type": b"application/avro",
        "traceparent": f"00-0af7651916cd43dd8448eb211c80319c-{event_id[:16]}-01".encode(),
    }
    assert provider_json(callback) == EXAMPLE
    assert (callback.event_id, callback.kind) == (event_id, "call-completion")
    assert (callback.signature_scheme, callback.signature_key_id) == ("hmac-sha256", KEY.id)


async def test_repeats_and_concurrent_twins_are_published_once(client: Client, broker: str) -> None:
    start = await end_offsets(broker, CALLBACKS)
    body = body_of("twins")

    responses = await asyncio.gather(*(client.post(body) for _ in range(50)))
    again = await client.post(body)

    assert {response.status_code for response in [*responses, again]} == {200}
    assert len(await records_since(broker, start)) == 1


async def test_refused_requests_are_kept_in_quarantine_as_they_came(
    client: Client, broker: str, registry_url: str
) -> None:
    start = await end_offsets(broker, QUARANTINE)
    unreadable = to_body(with_detail(call_id=None))

    unsigned = await client.post(BODY, {"content-type": "application/json", "Authorization": "Bearer x"})
    malformed = await client.post(unreadable)

    registry = Registry(registry_url)
    found = await records_since(broker, start)
    kept = [await registry.decode(record.value, QuarantinedRequest) for record in found]
    await registry.aclose()
    assert (unsigned.status_code, malformed.status_code) == (401, 422)
    assert malformed.json()["errors"] == [
        {"path": "details[0].call_id", "message": "expected string or integer, got null"}
    ]
    assert [(record.reason, record.body) for record in kept] == [("bad_signature", BODY), ("malformed", unreadable)]
    assert [record.key.decode() for record in found] == [record.event_id for record in kept]
    assert "authorization" not in kept[0].headers
    assert {dict(record.headers)["ce_type"] for record in found} == {b"airudder.QuarantinedRequest.v1"}


async def raw_request(client: Client, *parts: bytes) -> bytes:
    """What the gateway answers on a bare connection, up to its end or its first answer."""
    host, port = client.gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for part in parts:
        writer.write(part)
    async with asyncio.timeout(10):
        answer = await reader.readuntil(b"\r\n\r\n")
        answer += await reader.read(65536)
    writer.close()
    await writer.wait_closed()
    return answer


HEAD = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n".encode()
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "status"),
    [
        pytest.param([HEAD + b"Content-Length: 10001\r\n\r\n"], b"413", id="declared too large"),
        pytest.param([CHUNKED, *[b"3e8\r\n" + b"x" * 1000 + b"\r\n"] * 11], b"413", id="chunked too large"),
        pytest.param([CHUNKED, b"1\r\nx\r\n" * 10_001], b"413", id="one-byte chunks too large"),
        pytest.param([HEAD + b"Content-Length: 10\r\n\r\n", b"{"], b"408", id="declared and never sent"),
        pytest.param([CHUNKED, b"1\r\n{\r\n"], b"408", id="chunked and never ended"),
    ],
)
async def test_bodies_too_large_or_too_slow_are_refused_and_the_connection_closed(
    client: Client, parts: list[bytes], status: bytes
) -> None:
    answer = await raw_request(client, *parts)

    assert answer.startswith(b"HTTP/1.1 " + status)
    assert b"connection: close" in answer.lower()
    assert b"application/problem+json" in answer


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", WEBHOOK, {"content-type": "text/plain"}, 415),
        ("GET", WEBHOOK, {}, 405),
        ("POST", "/elsewhere", {}, 404),
        ("POST", WEBHOOK + "/", {}, 404),
    ],
)
async def test_other_requests_get_a_problem_document(
    client: Client, method: str, path: str, headers: dict[str, str], status: int
) -> None:
    response = await client.http.request(method, client.gateway.url + path, headers=headers)

    assert response.status_code == status
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["status"] == status


async def test_health_and_metrics_are_on_the_other_port_only(client: Client) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        assert (await client.http.get(client.gateway.ops_url + path)).status_code == 200
        assert (await client.http.get(client.gateway.url + path)).status_code == 404


async def test_sigterm_finishes_what_is_in_flight_and_exits_0(broker: str, registry_url: str, tmp_path: Path) -> None:
    async with running_gateway(broker, registry_url, tmp_path) as client:
        start = await end_offsets(broker, CALLBACKS)
        body, half_sent, terminated = body_of("drained"), asyncio.Event(), asyncio.Event()

        async def slow_body() -> AsyncIterator[bytes]:
            yield body[:100]
            half_sent.set()
            await terminated.wait()
            yield body[100:]

        url = client.gateway.url + WEBHOOK
        post = asyncio.create_task(client.http.post(url, content=slow_body(), headers=signed(body)))
        await half_sent.wait()
        await wait_until(lambda: in_flight(client), PATIENCE_S, "the request in flight")
        client.gateway.signal(signal.SIGTERM)
        await wait_until(lambda: client.gateway.lines("gateway.draining"), PATIENCE_S, "the drain")
        readyz = await client.readyz()
        await wait_until(lambda: refuses_connections(client), PATIENCE_S, "the end of listening")
        terminated.set()

        assert readyz.status_code == 503
        assert (await post).status_code == 200
        assert await client.gateway.exit_code() == 0
        assert len(await records_since(broker, start)) == 1


async def refuses_connections(client: Client) -> bool:
    host, port = client.gateway.url.removeprefix("http://").split(":")
    try:
        _, writer = await asyncio.open_connection(host, int(port))
    except ConnectionRefusedError:
        return True
    writer.close()
    await writer.wait_closed()
    return False


async def in_flight(client: Client) -> bool:
    text = (await client.http.get(client.gateway.ops_url + "/metrics")).text
    return "webhook_in_flight 1.0" in text


async def test_the_log_has_one_line_per_callback_and_no_secret_number_or_body(
    broker: str, registry_url: str, tmp_path: Path
) -> None:
    body = to_body(with_detail(callee="+447700900123", call_id="logged"))
    async with running_gateway(broker, registry_url, tmp_path) as client:
        await client.post(body)
        await client.post(to_body(with_detail(callee=447700900123)))
        await client.post(body, {"content-type": "application/json"})
        await wait_until(lambda: len(client.gateway.lines("callback")) == 3, PATIENCE_S, "three log lines")
        await client.gateway.stop()

    log = client.gateway.log_path.read_text()
    accepted = client.gateway.lines("callback")[0]
    assert accepted["outcome"] == "accepted"
    assert {"event_id", "topic", "partition", "offset", "duration_ms"} <= set(accepted)
    for secret in ("447700900123", KEY.secret.decode(), signed(body)["X-AIRudder-Sign"], "Willingness"):
        assert secret not in log
    for line in log.splitlines():
        json.loads(line)


def sender_environment(client: Client, **changes: str) -> dict[str, Any]:
    port = client.gateway.url.rsplit(":", 1)[1]
    return {"GATEWAY_PORT": port, "AIRUDDER_SIGNING_KEYS": f"{KEY.id}:{KEY.secret.decode()}", **changes}


async def test_send_posts_a_file_unchanged_or_a_sample_of_its_own(client: Client, broker: str, tmp_path: Path) -> None:
    start = await end_offsets(broker, CALLBACKS)
    file = tmp_path / "callback.json"
    file.write_bytes(body_of("sent from a file") + b"\n\n")

    from_file = await run_gateway_command("send", str(file), **sender_environment(client))
    sample = await run_gateway_command("send", **sender_environment(client))

    found = await records_since(broker, start)
    assert from_file == (0, "200 {}\n", "")
    assert sample == (0, "200 {}\n", "")
    assert dict(found[0].headers)["ce_id"].decode() == hashlib.sha256(file.read_bytes()).hexdigest()


async def test_send_says_what_was_refused_and_exits_1(client: Client) -> None:
    wrong_key = sender_environment(client, AIRUDDER_SIGNING_KEYS="k1:wrong")

    code, output, _ = await run_gateway_command("send", **wrong_key)

    assert code == 1
    assert output.startswith("401 ")


async def test_simulated_calls_are_accepted_and_each_is_in_the_topic(client: Client, broker: str) -> None:
    start = await end_offsets(broker, CALLBACKS)

    code, output, _ = await run_gateway_command(
        "simulate", "--rate", "100", "--count", "40", "--seed", "7", **sender_environment(client)
    )

    assert code == 0
    assert output.splitlines()[-1].startswith("accepted 40 distinct calls")
    assert len({record.key for record in await records_since(broker, start)}) == 40


async def timed_answer(client: Client, call_id: str) -> tuple[int, float]:
    """To a genuine callback on a connection of its own: the status, and the seconds it took."""
    body = body_of(call_id)
    started = time.perf_counter()
    async with httpx2.AsyncClient(timeout=10, trust_env=False) as http:
        response = await http.post(client.gateway.url + WEBHOOK, content=body, headers=signed(body))
    return response.status_code, time.perf_counter() - started


async def signs_of_attack(client: Client) -> float:
    text = (await client.http.get(client.gateway.ops_url + "/metrics")).text
    names = (
        "gateway_http_refused_total{",
        "webhook_arriving ",
        "http_server_request_duration_seconds_count{http_request",
    )
    return sum(float(line.split()[-1]) for line in text.splitlines() if line.startswith(names))


async def test_beside_every_attack_genuine_callbacks_are_accepted_within_two_seconds(
    broker: str, registry_url: str, tmp_path: Path
) -> None:
    within_s, beside_s, connections = 2.0, 0.3, "768"  # what 1,024 descriptors leave
    async with running_gateway(broker, registry_url, tmp_path, GATEWAY_MAX_CONNECTIONS=connections) as client:
        port = int(client.gateway.url.rsplit(":", 1)[1])
        for name, attack in ATTACKS.items():
            calm = await signs_of_attack(client)

            async def is_noticed(calm: float = calm) -> bool:
                return await signs_of_attack(client) > calm

            async with under(attack, port):
                await wait_until(is_noticed, PATIENCE_S, f"{name} to be noticed")
                answers: list[tuple[int, float]] = []
                until = time.monotonic() + beside_s
                while time.monotonic() < until:
                    answers.append(await timed_answer(client, f"{name}-{len(answers)}"))
                readyz = await client.readyz()

            assert ({status for status, _ in answers}, readyz.status_code) == ({200}, 200), name
            assert max(seconds for _, seconds in answers) < within_s, name
