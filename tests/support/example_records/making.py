"""The example records: the provider's examples sent through a real gateway, Kafka and worker, and read back.

The same in every run, because the inputs are fixed: the bodies, the signing key, the headers of the requests, and the
gateway's clock, which stands still at RECEIVED_AT. What is left differs by the broker's clock alone: the arrival of a
record is in its dead letter and in the letter's id, and is set to RECEIVED_AT here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import structs

from gateway.webhooks.kinds import CALL_COMPLETION
from schemas.topics import DEAD_LETTERS, LATE_CALLS, OUTPUTS, QUARANTINE, Topic
from streams.worker.dead_letters import dead_letter_headers
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.kinds import SAMPLES, SERVED
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.worker import WorkerSystem
from tests.support.requests import signed
from tests.support.topics import Read

RECEIVED_AT: Final = 1_710_163_513_250  # 2024-03-11T13:25:13.250Z, a second after the provider's example ended
CLOCK: Final = Path(__file__).parent / "clock"
ROOT: Final = Path(__file__).parents[3]
GONE_WRONG: Final = (LATE_CALLS, QUARANTINE, DEAD_LETTERS)
HEADERS: Final = {"host": "webhooks.example.com", "user-agent": "example", "accept": "*/*", "accept-encoding": "gzip"}


@dataclass(frozen=True)
class Made:
    """The first record of one topic, as a subscriber got it."""

    topic: Topic
    read: Read

    @property
    def json(self) -> Any:
        """Key, headers and value as JSON; bytes are base64, instants epoch ms."""
        headers = {name: value.decode() for name, value in sorted(self.read.headers.items())}
        value = msgspec.json.decode(msgspec.json.encode(self.read.value))
        return {"key": self.read.key, "headers": headers, "value": value}


def late_call() -> dict[str, Any]:
    """The provider's example as another call of its workflow that ended hours before: it comes too late."""
    delivery = copy.deepcopy(EXAMPLE)
    [call] = delivery["details"]
    call |= {"call_id": "ic1689265xxxxxxxxxxlate", "call_start_time": "2024-03-11 09:24:29"}
    call |= {"call_end_time": "2024-03-11 09:25:12", "redail_call": [], "call_times": 1}
    return delivery


async def make_examples(bootstrap: str, registry_url: str, directory: Path) -> list[Made]:
    """The first record of every output topic, in the order of the topics. The broker must be a new one."""
    found: dict[Topic, Read] = {}
    async with WorkerSystem(bootstrap, registry_url, directory) as system:
        await system.start_worker()
        python, clock = f"{CLOCK}:{ROOT}", str(RECEIVED_AT)
        async with running_gateway(bootstrap, registry_url, directory, PYTHONPATH=python, CLOCK_MS=clock) as client:
            for kind in SERVED:
                await _post(client, kind.path, to_body(SAMPLES[kind.name]))
            for topic in OUTPUTS:
                if topic not in GONE_WRONG:
                    found[topic] = await _first(system, topic)
            await _post(client, CALL_COMPLETION.path, to_body(late_call()))
            await _post(client, CALL_COMPLETION.path, to_body(EXAMPLE), {"x-airudder-sign": "0" * 64})
        await system.writer.write_raw(to_body(EXAMPLE)[:48], b"a stranger's key")
        for topic in GONE_WRONG:
            found[topic] = await _first(system, topic)
    return [Made(topic, found[topic]) for topic in OUTPUTS]


async def _post(client: Client, path: str, body: bytes, changes: Mapping[str, str] | None = None) -> None:
    headers = {name.lower(): value for name, value in signed(body).items()} | HEADERS | (dict(changes or {}))
    answer = await client.http.post(client.gateway.url + path, content=body, headers=headers)
    assert answer.status_code == (401 if changes else 200), answer.text


async def _first(system: WorkerSystem, topic: Topic) -> Read:
    first = min(await system.read(topic, 1), key=lambda record: record.offset)
    return _dated(first) if topic is DEAD_LETTERS else first


def _dated(letter: Read) -> Read:
    """The same letter of a record that arrived at RECEIVED_AT."""
    assert dict(dead_letter_headers(letter.value, [])) == letter.headers
    value = structs.replace(letter.value, failed_at=RECEIVED_AT)
    headers = dict(dead_letter_headers(value, []))
    return Read(letter.topic, letter.partition, letter.offset, letter.key, value, letter.raw, headers)
