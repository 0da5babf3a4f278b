"""A callback that was told 503 may be in Kafka all the same: sent again, it has one effect."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from schemas.topics import CALLBACKS, CALLS, WORKFLOW_OUTCOMES
from tests.support.deliveries import delivery, detail, to_body
from tests.support.processes.broker import SLOW_S, ProxiedKafka
from tests.support.processes.gateway import running_gateway
from tests.support.processes.proxy import Proxy
from tests.support.processes.worker import WorkerSystem
from tests.support.waiting import wait_until

RECOVERY_S = 5.0
WORKFLOW = "late"


@pytest.fixture
def kafka(tmp_path: Path) -> Iterator[ProxiedKafka]:
    with Proxy() as proxy, ProxiedKafka(tmp_path / "kafka", proxy) as kafka:
        yield kafka


async def test_an_acknowledgement_after_the_deadline_and_a_retry_are_one_call_downstream(
    kafka: ProxiedKafka, registry_url: str, tmp_path: Path
) -> None:
    body = to_body(delivery(detail("late-1"), workflow=WORKFLOW))
    async with WorkerSystem(kafka.bootstrap_servers, registry_url, tmp_path) as system:
        async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path) as client:

            async def is_accepted() -> bool:
                return (await client.post(body)).status_code == 200

            kafka.proxy.delay(SLOW_S)
            refused = await client.post(body)
            kafka.proxy.forward()
            await system.read(CALLBACKS, 1, WORKFLOW)
            await wait_until(is_accepted, RECOVERY_S, "the retry to be accepted")
        written = await system.read(CALLBACKS, 2, WORKFLOW)
        await system.start_worker()
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 1, WORKFLOW)
        await system.wait_until_processed()
        calls = await system.read(CALLS, 1, WORKFLOW)
        counted = await system.windows(WORKFLOW_OUTCOMES, WORKFLOW)

    assert refused.status_code == 503
    assert {(record.key, record.ce_id, record.value.event_id) for record in written} == {
        ("late-1", written[0].ce_id, written[0].ce_id)
    }
    assert [(call.key, call.value.revision) for call in calls] == [("late-1", 1)]
    assert sum(window.calls for window in counted.values()) == 1
