"""A callback that was refused and landed all the same, and came again: one call to everybody downstream."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

from schemas.topics import CALLBACKS, CALLS, WORKFLOW_OUTCOMES
from tests.conftest import StartKafka
from tests.deliveries import delivery, detail
from tests.integration.gateway_harness import running_gateway
from tests.unit.gateway.samples import to_body
from tests.waiting import wait_until
from tests.worker_system import WorkerSystem


async def test_what_landed_after_its_503_has_the_id_of_its_retry_and_counts_once(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    body = to_body(delivery(detail("late-success", now), workflow="late"))
    kafka = start_kafka()
    async with WorkerSystem(kafka.bootstrap_servers, registry_url, tmp_path) as system:
        await system.start_worker()
        async with running_gateway(
            system.bootstrap, registry_url, tmp_path, is_ready=True, GATEWAY_PUBLISH_TIMEOUT_S="1"
        ) as client:
            kafka.freeze()
            try:
                refused = await client.post(body)
            finally:
                kafka.thaw()
            landed = await system.read(CALLBACKS, 1)

            async def is_accepted() -> bool:
                return (await client.post(body)).status_code == 200

            await wait_until(is_accepted, 20, "the retry to be accepted")
        stored = await system.read(CALLBACKS, 2)
        await system.wait_until_worked_off()
        calls = await system.read(CALLS, 1, "late")
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 1, "late")

    event_id = hashlib.sha256(body).hexdigest()
    assert (refused.status_code, len(landed), len(calls)) == (503, 1, 1)
    assert {(record.ce_id, record.value.event_id) for record in stored} == {(event_id, event_id)}
