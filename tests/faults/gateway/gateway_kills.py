"""Kill a gateway with a spool again and again while its Kafka comes and goes, then hold the topic against the answers.

The oracle knows only what it sent and what it was told: every id that got a 200 is in the topic, no other id is.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

import httpx2
from aiokafka import TopicPartition

from schemas.topics import CALLBACKS
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import Client, GatewayProcess, end_offsets, records_since
from tests.support.processes.service import KafkaProcess
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

SENDERS = 8
MAX_ANSWERS = 120  # of one life of the gateway
BROKER_KILL_EVERY = 10
PATIENCE_S = 60.0
TWIN_SHARE = 0.1


@dataclass
class GatewayOutcome:
    """What was sent, what was told, and what is there."""

    kills: int = 0
    broker_kills: int = 0
    freezes: int = 0
    cut: int = 0  # requests that a kill left without an answer
    answers: Counter[int] = field(default_factory=Counter)
    acknowledged: int = 0
    records: int = 0
    repeats: int = 0  # records beyond the first of their id
    missing: int = 0
    invented: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of the gateway, {self.broker_kills} of the broker, {self.freezes} freezes: "
            f"{self.acknowledged} callbacks acknowledged, {self.missing} missing, {self.invented} invented; "
            f"answers {dict(self.answers)}, {self.cut} cut off, {self.records} records, {self.repeats} repeats"
        )


class Senders:
    """Post until told to stop; a request without a 200 is sent again, as the provider would."""

    def __init__(self, client: Client, seed: int, outcome: GatewayOutcome) -> None:
        self._client = client
        self._seed = seed
        self._outcome = outcome
        self._serial = 0
        self._stop = asyncio.Event()
        self._is_serving = asyncio.Event()
        self.attempted: set[str] = set()
        self.acknowledged: set[str] = set()
        self.answered = 0

    def pause(self) -> None:
        self._is_serving.clear()

    def resume(self) -> None:
        self.answered = 0
        self._is_serving.set()

    async def run(self) -> None:
        await asyncio.gather(*(self._send_for_ever(Random(f"{self._seed}-{n}")) for n in range(SENDERS)))

    def stop(self) -> None:
        self._stop.set()
        self._is_serving.set()

    async def _send_for_ever(self, random: Random) -> None:
        while not self._stop.is_set():
            self._serial += 1
            body = to_body(with_detail(call_id=f"{self._seed}-{self._serial}", duration=self._serial))
            event_id = hashlib.sha256(body).hexdigest()
            self.attempted.add(event_id)
            while not self._stop.is_set() and await self._post(body) != httpx2.codes.OK:
                pass
            if random.random() < TWIN_SHARE:
                await self._post(body)

    async def _post(self, body: bytes) -> int:
        await self._is_serving.wait()
        try:
            response = await self._client.post(body)
        except httpx2.TransportError:
            self._outcome.cut += 1
            await asyncio.sleep(0)
            return 0
        self.answered += 1
        self._outcome.answers[response.status_code] += 1
        if response.status_code == httpx2.codes.OK:
            self.acknowledged.add(hashlib.sha256(body).hexdigest())
        return response.status_code


class Flapping:
    """The broker's troubles: frozen, thawed, killed and started again, by a seed."""

    def __init__(self, kafka: KafkaProcess, random: Random, outcome: GatewayOutcome) -> None:
        self._kafka = kafka
        self._random = random
        self._outcome = outcome
        self._is_frozen = False

    def flap(self) -> None:
        if self._random.random() < 0.5:
            self.thaw() if self._is_frozen else self._freeze()

    def thaw(self) -> None:
        self._kafka.thaw()
        self._is_frozen = False

    def kill_and_start(self) -> None:
        self.thaw()
        self._kafka.kill()
        self._kafka.start()
        self._outcome.broker_kills += 1

    def _freeze(self) -> None:
        self._kafka.freeze()
        self._is_frozen = True
        self._outcome.freezes += 1


async def kill_gateways(directory: Path, registry_url: str, seed: int, kills: int) -> GatewayOutcome:
    """Raises AssertionError when the system does not come back. The outcome counts what was lost."""
    outcome, random = GatewayOutcome(), Random(seed)
    with KafkaProcess(directory / "kafka") as kafka:
        await create_topics(kafka.bootstrap_servers)
        start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
        gateway = _gateway(kafka, registry_url, directory)
        client, flapping = Client(gateway), Flapping(kafka, random, outcome)
        senders = Senders(client, seed, outcome)
        sending = asyncio.create_task(senders.run())
        try:
            for number in range(kills):
                await _one_life(gateway, senders, flapping, random)
                outcome.kills += 1
                if number % BROKER_KILL_EVERY == BROKER_KILL_EVERY // 2:
                    await asyncio.to_thread(flapping.kill_and_start)
            flapping.thaw()
            await asyncio.to_thread(gateway.start)
            senders.resume()
            senders.stop()
            await sending
            await client.wait_until_ready()
            await wait_until(lambda: _is_drained(client), PATIENCE_S, "the spool to be drained")
            assert await gateway.stop() == 0
        finally:
            flapping.thaw()
            sending.cancel()
            gateway.kill()
            await client.http.aclose()
        await _compare(kafka, start, senders, outcome)
    return outcome


async def _one_life(gateway: GatewayProcess, senders: Senders, flapping: Flapping, random: Random) -> None:
    """Start, serve a random number of answers with Kafka coming and going, be killed in the middle of them."""
    flapping.flap()
    await asyncio.to_thread(gateway.start)
    senders.resume()
    for _ in range(2):
        wanted = senders.answered + random.randrange(MAX_ANSWERS // 2)
        await wait_until(lambda: senders.answered >= wanted, PATIENCE_S, f"{wanted} answers")  # noqa: B023
        flapping.flap()
    gateway.kill()
    senders.pause()


def _gateway(kafka: KafkaProcess, registry_url: str, directory: Path) -> GatewayProcess:
    return GatewayProcess(
        kafka.bootstrap_servers,
        registry_url,
        directory / "gateway.log",
        GATEWAY_SPOOL_DIR=str(directory / "spool"),
        GATEWAY_PUBLISH_TIMEOUT_S="0.5",
    )


async def _is_drained(client: Client) -> bool:
    text = (await client.http.get(client.gateway.ops_url + "/metrics")).text
    return 'webhook_spool_entries{state="waiting"} 0.0' in text


async def _compare(
    kafka: KafkaProcess, start: dict[TopicPartition, int], senders: Senders, outcome: GatewayOutcome
) -> None:
    found = await records_since(kafka.bootstrap_servers, start)
    ids = [dict(record.headers)["ce_id"].decode() for record in found]
    outcome.acknowledged = len(senders.acknowledged)
    outcome.records = len(ids)
    outcome.missing = len(senders.acknowledged - set(ids))
    outcome.invented = len(set(ids) - senders.attempted)
    outcome.repeats = len(ids) - len(set(ids))
