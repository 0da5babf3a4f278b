"""Facts taken at the start that change later, with a gateway and a worker on a real broker and registry."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from schemas.topics import CALLBACKS, CALLS, DEAD_LETTERS, WORKFLOW_OUTCOMES
from streams.settings import DEFAULT_APP_ID
from streams.topics.expected import placed_by_count
from tests.conftest import StartKafka
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.service import RegistryProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem
from tests.support.waiting import wait_until

NOTICED_S = 20
GROWN = 5


async def is_accepted(client: Client, call_id: str) -> bool:
    answer = await client.post(to_body(with_detail(call_id=call_id)))
    assert answer.status_code in (200, 503)
    assert not {"partition", "subject"}.intersection(answer.text.split())
    return answer.status_code == 200


async def wait_for_fault(client: Client, text: str) -> None:
    async def is_told() -> bool:
        answer = await client.readyz()
        return answer.status_code == 503 and text in answer.text

    await wait_until(is_told, NOTICED_S, f"the gateway to tell of {text}")


async def ends_with_69(worker: WorkerProcess, text: str) -> None:
    assert await asyncio.to_thread(worker.process.wait, NOTICED_S + 40) == 69
    last = json.loads([line for line in worker.log.read_text().splitlines() if '"critical"' in line][-1])
    assert text in last["reason"]
    assert "Traceback" not in worker.log.read_text()


async def topics_command(system: WorkerSystem, name: str) -> tuple[int, str]:
    environ = {"KAFKA_BOOTSTRAP_SERVERS": system.bootstrap, "SCHEMA_REGISTRY_URL": system.registry_url}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "streams", "topics", name, env={**os.environ, **environ},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await process.communicate()
    return process.returncode or 0, output.decode()


async def grow(system: WorkerSystem, *topics: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    await admin.start()
    try:
        await admin.create_partitions({topic: NewPartitions(total_count=GROWN) for topic in topics})
    finally:
        await admin.close()


async def test_a_registry_that_was_replaced_and_topics_that_grew_are_named_and_nothing_is_counted_wrongly(
    start_kafka: StartKafka, tmp_path: Path
) -> None:
    kafka = start_kafka()
    first = RegistryProcess(tmp_path / "registry")
    with first:
        system = WorkerSystem(kafka.bootstrap_servers, first.url, tmp_path)
        await system.__aenter__()
        worker = await system.start_worker()
        shutil.copytree(tmp_path / "w1", tmp_path / "copy")
        copy = system.launch_worker("copy")
        running = running_gateway(system.bootstrap, system.registry_url, tmp_path)
        client = await running.__aenter__()
        assert await is_accepted(client, "before")
        await system.read(CALLS, 1)
        assert await asyncio.to_thread(copy.process.wait, 60) == 4
        assert "is a copy" in copy.log.read_text()
        assert worker.log.read_text().count("worker.recovered") == 1, "the other was never disturbed"

    try:
        with RegistryProcess(tmp_path / "empty", first.port):
            await ends_with_69(worker, "topics apply")
            await wait_for_fault(client, "topics apply")
            assert not await is_accepted(client, "meanwhile")
            await ends_with_69(system.launch_worker(), "does not have this release's schema")
            code, output = await topics_command(system, "check")
            assert (code, f"{CALLBACKS.subject} does not have" in output) == (69, True)

            assert (await topics_command(system, "apply"))[0] == 0
            await client.wait_until_ready()
            worker = await system.start_worker()
            assert await is_accepted(client, "after")
            await system.wait_for_calls(WORKFLOW_OUTCOMES, 2)
            assert [record.key for record in await system.read(DEAD_LETTERS)] == []

            await grow(system, CALLBACKS.name)
            await wait_for_fault(client, f"{CALLBACKS.name}: 3, now {GROWN}")
            assert not await is_accepted(client, "grown")
            await ends_with_69(worker, f"{CALLBACKS.name}: 3, now {GROWN}")
            await grow(system, *(name for name in placed_by_count(DEFAULT_APP_ID) if name != CALLBACKS.name))
            await ends_with_69(system.launch_worker(), f"have {GROWN} partitions each, and its state was made with 3")
            await system.wait_for_calls(WORKFLOW_OUTCOMES, 2)
    finally:
        await running.__aexit__(None, None, None)
        await system.__aexit__()
