"""Keys are rolled under load, and slow headers given up, in a gateway that is not restarted."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from schemas.signatures.keys import Key
from schemas.topics import CALLBACKS
from tests.support.deliveries import to_body, with_detail
from tests.support.load.steady import SteadyLoad
from tests.support.processes.gateway import Client, end_offsets, records_since, running_gateway
from tests.support.processes.service import KafkaProcess
from tests.support.requests import signed
from tests.support.topics import create_topics
from tests.support.waiting import PATIENCE_S, wait_until

OLD, NEW = Key("2024-01", b"old-s3cret"), Key("2024-02", b"new-s3cret")
PER_STEP = 150  # callbacks accepted between the steps of the roll


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with KafkaProcess(tmp_path_factory.mktemp("keys-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka.bootstrap_servers


@pytest.fixture
def keys_file(tmp_path: Path) -> Path:
    file = tmp_path / "keys.json"
    write(file, OLD)
    return file


@pytest.fixture
async def client(broker: str, registry_url: str, tmp_path: Path, keys_file: Path) -> AsyncIterator[Client]:
    environ = {"AIRUDDER_SIGNING_KEYS": "unused:x", "AIRUDDER_SIGNING_KEYS_FILE": str(keys_file)}
    environ["GATEWAY_HEADERS_TIMEOUT_S"] = "0.5"
    async with running_gateway(broker, registry_url, tmp_path, is_ready=True, **environ) as client:
        yield client


def write(file: Path, *keys: Key) -> None:
    """Replaced at once, as a deployment does it."""
    fresh = file.with_suffix(".fresh")
    fresh.write_text(json.dumps([{"id": key.id, "secret": key.secret.decode()} for key in keys]))
    fresh.rename(file)


async def keys_in_force(client: Client) -> set[str]:
    text = (await client.http.get(client.gateway.ops_url + "/metrics")).text
    lines = [line for line in text.splitlines() if line.startswith("webhook_signing_key_valid{")]
    return {line.split('"')[1] for line in lines if line.endswith(" 1.0")} - {"unused"}


def slip(file: Path) -> None:
    """Something that is no key file."""
    file.write_text('[{"id": "2024-03"')


async def post(client: Client, body: bytes, key: Key) -> int:
    return (await client.post(body, signed(body, key=key))).status_code


async def test_a_key_roll_under_load_refuses_no_genuine_callback(client: Client, broker: str, keys_file: Path) -> None:
    start = await end_offsets(broker, CALLBACKS)
    async with SteadyLoad([client.gateway], "roll", OLD) as load:
        await load.go_on(PER_STEP)

        write(keys_file, OLD, NEW)  # taken by itself, on change
        await wait_until(lambda: in_force(client, OLD, NEW), PATIENCE_S, "both keys in force")
        await load.go_on(PER_STEP)
        load.key = NEW  # the provider changes over
        await load.go_on(PER_STEP)
        slip(keys_file)
        client.gateway.signal(signal.SIGHUP)
        await wait_until(lambda: client.gateway.lines("keys.refused"), PATIENCE_S, "the refusal")
        await load.go_on(PER_STEP)
        write(keys_file, NEW)
        client.gateway.signal(signal.SIGHUP)
        await wait_until(lambda: in_force(client, NEW), PATIENCE_S, "the old key gone")
        await load.go_on(PER_STEP)

    accepted = load.answers[200]
    assert set(load.answers) == {200}
    assert accepted >= 5 * PER_STEP
    assert len(await records_since(broker, start)) >= accepted
    assert await post(client, to_body(with_detail(call_id="after")), OLD) == 401
    log = client.gateway.log_path.read_text()
    assert not any(key.secret.decode() in log for key in (OLD, NEW))


async def in_force(client: Client, *keys: Key) -> bool:
    return await keys_in_force(client) == {key.id for key in keys}


@pytest.mark.parametrize(
    "sent", [b"", b"POST / HTTP/1.1\r\nHost: x\r\n", b"GET /x HTTP/1.1\r\nHost: x\r\n\r\nGET /y HTTP/1.1\r\n"]
)
async def test_a_connection_that_does_not_say_what_it_wants_is_closed(client: Client, sent: bytes) -> None:
    host, port = client.gateway.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(sent)

    async with asyncio.timeout(10):
        answer = await reader.read()

    writer.close()
    await writer.wait_closed()
    assert b"HTTP/1.1 408" in answer
    assert b"slow_headers" in answer
