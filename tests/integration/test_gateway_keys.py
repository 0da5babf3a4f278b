"""Keys are rolled under load, and slow headers given up, in a gateway that is not restarted."""

from __future__ import annotations

import asyncio
import json
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from gateway.signatures.verification import Key, sign
from schemas.topics import CALLBACKS
from tests.support.processes.gateway import Client, create_topics, end_offsets, records_since, running_gateway
from tests.support.processes.service import KafkaProcess
from tests.support.samples import to_body, with_detail
from tests.support.waiting import PATIENCE_S, wait_until

OLD, NEW = Key("2024-01", b"old-s3cret"), Key("2024-02", b"new-s3cret")
SENDERS = 8
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


class Load:
    """Genuine callbacks without a pause, each signed with the sender's key of the moment."""

    def __init__(self, client: Client) -> None:
        self.key = OLD
        self.answers: Counter[int] = Counter()
        self._client = client
        self._made = 0
        self._senders = [asyncio.create_task(self._send_on()) for _ in range(SENDERS)]

    async def go_on(self) -> None:
        """Until PER_STEP more are accepted."""
        goal = self.answers[200] + PER_STEP
        await wait_until(lambda: self.answers[200] >= goal, 60, f"{PER_STEP} more accepted")

    async def stop(self) -> None:
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)

    async def _send_on(self) -> None:
        while True:
            self._made += 1
            body = to_body(with_detail(call_id=f"roll-{self._made}"))
            self.answers[await post(self._client, body, self.key)] += 1


async def post(client: Client, body: bytes, key: Key) -> int:
    headers = sign(body, "hmac-sha256", key, "X-AIRudder-Sign", 0)
    return (await client.post(body, {"content-type": "application/json", **headers})).status_code


async def test_a_key_roll_under_load_refuses_no_genuine_callback(client: Client, broker: str, keys_file: Path) -> None:
    start = await end_offsets(broker, CALLBACKS)
    load = Load(client)
    await load.go_on()

    write(keys_file, OLD, NEW)  # taken by itself, on change
    await wait_until(lambda: in_force(client, OLD, NEW), PATIENCE_S, "both keys in force")
    await load.go_on()
    load.key = NEW  # the provider changes over
    await load.go_on()
    slip(keys_file)
    client.gateway.signal(signal.SIGHUP)
    await wait_until(lambda: client.gateway.lines("keys.refused"), PATIENCE_S, "the refusal")
    await load.go_on()
    write(keys_file, NEW)
    client.gateway.signal(signal.SIGHUP)
    await wait_until(lambda: in_force(client, NEW), PATIENCE_S, "the old key gone")
    await load.go_on()
    await load.stop()

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
