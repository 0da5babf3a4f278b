"""A registry that hangs: not missed by a gateway that runs, waited for by one that starts."""

from __future__ import annotations

import time
from pathlib import Path

from schemas.topics import CALLBACKS
from streams.topics.schemas import apply_schemas
from tests.conftest import StartKafka, StartRegistry
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import end_offsets, records_since, running_gateway
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

ANSWER_S = 3.5
RECOVERY_S = 5.0


def body_of(call_id: str) -> bytes:
    return to_body(with_detail(call_id=call_id))


async def test_a_hanging_registry_stops_no_running_gateway_and_a_starting_one_only_until_it_answers(
    start_kafka: StartKafka, start_registry: StartRegistry, tmp_path: Path
) -> None:
    kafka, registry = start_kafka(), start_registry()
    await create_topics(kafka.bootstrap_servers)
    await apply_schemas(registry.url)
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    async with running_gateway(kafka.bootstrap_servers, registry.url, tmp_path) as client:

        async def is_accepted(call_id: str) -> bool:
            return (await client.post(body_of(call_id))).status_code == 200

        registry.freeze()
        try:
            running = [await is_accepted(f"running-{number}") for number in range(5)]
            still_ready = await client.is_ready()
            await client.gateway.stop()
            client.gateway.start()
            asked = time.monotonic()
            refused = await client.post(body_of("starting"))
            took_s = time.monotonic() - asked
            reasons = (await client.readyz()).json()["reasons"]
        finally:
            registry.thaw()
        await wait_until(lambda: is_accepted("started"), RECOVERY_S, "a callback to be accepted")
        await client.wait_until_ready(RECOVERY_S)

    stored = {record.key.decode() for record in await records_since(kafka.bootstrap_servers, start)}
    assert running == [True] * 5
    assert still_ready
    assert (refused.status_code, int(refused.headers["retry-after"]) >= 1) == (503, True)
    assert took_s < ANSWER_S
    assert "schema registry" in str(reasons)
    assert stored == {"started", *(f"running-{number}" for number in range(5))}
