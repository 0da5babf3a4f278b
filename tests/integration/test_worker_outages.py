"""What a worker needs goes away or refuses: nothing is acknowledged that is not done, and all is done afterwards."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.codec import schema_text
from schemas.placement import partition_of
from schemas.reader import TopicReader
from schemas.topics import (
    CALLBACKS,
    CALLS,
    CALLS_TABLE,
    DEAD_LETTERS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
    changelog_name,
)
from streams.errors import TopicsError
from streams.settings import DEFAULT_APP_ID, KafkaSettings, TopicSettings
from streams.topics.admin import apply_topics, check_topics
from tests.conftest import StartKafka, StartRegistry
from tests.support.deliveries import delivery, detail
from tests.support.processes.service import RegistryProcess
from tests.support.processes.worker import WorkerProcess, WorkerSystem
from tests.support.times import now_ms
from tests.support.topics import callback_of
from tests.support.waiting import wait_until

HURRIED = ("-m", "tests.integration.hurried_worker")
EXIT_S = 90
AWAY_S = 15
"""For as long as nothing may happen to what waits. The registry may be away for any time: nothing counts it."""


@pytest.fixture
def registry(start_registry: StartRegistry) -> RegistryProcess:
    return start_registry()


@pytest.fixture
async def system(start_kafka: StartKafka, registry: RegistryProcess, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    settings = {"HURRIED_NO_PROGRESS_S": "20"}
    async with WorkerSystem(
        start_kafka().bootstrap_servers, registry.url, tmp_path, settings=settings, command=HURRIED
    ) as system:
        yield system


async def write(system: WorkerSystem, first: int, last: int) -> None:
    await system.writer.write([delivery(detail(f"c{i}")) for i in range(first, last)], now_ms())


async def assert_exact(system: WorkerSystem, count: int) -> None:
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        await system.wait_for_calls(topic, count)
    await system.wait_until_processed()
    for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES):
        await system.wait_for_calls(topic, count)


async def committed(system: WorkerSystem) -> dict[int, int]:
    """The group's offset of each partition of the callbacks topic."""
    async with TopicReader(KafkaSettings(bootstrap_servers=system.bootstrap), DEFAULT_APP_ID) as reader:
        return {tp.partition: offset for tp, offset in (await reader.committed(CALLBACKS)).items()}


async def all_committed(system: WorkerSystem) -> dict[int, int]:
    """`committed`, once everything written is."""

    async def is_done() -> bool:
        async with TopicReader(KafkaSettings(bootstrap_servers=system.bootstrap), DEFAULT_APP_ID) as reader:
            return await reader.committed(CALLBACKS) == await reader.ends(CALLBACKS)

    await wait_until(is_done, 60, "everything is committed")
    return await committed(system)


async def end_of(worker: WorkerProcess) -> int:
    """The exit code."""
    return await asyncio.to_thread(worker.process.wait, EXIT_S)


async def register(system: WorkerSystem, subject: str, schema: dict[str, Any]) -> int:
    """Another schema in the registry; its id."""
    async with httpx2.AsyncClient() as client:
        url = f"{system.registry_url}/subjects/{subject}/versions"
        response = await client.post(url, json={"schema": json.dumps(schema), "schemaType": "AVRO"})
    return int(response.raise_for_status().json()["id"])


def under(schema_id: int, wire: bytes) -> bytes:
    return wire[:1] + schema_id.to_bytes(4) + wire[5:]


async def test_while_the_registry_is_away_known_schemas_flow_and_a_new_one_waits_without_a_commit(
    system: WorkerSystem, registry: RegistryProcess
) -> None:
    new = await register(system, "newer-gateway", {**json.loads(schema_text("Callback")), "doc": "a newer gateway's"})
    worker = await system.start_worker(HURRIED_NO_PROGRESS_S="180")
    await write(system, 0, 30)
    await assert_exact(system, 30)
    await asyncio.to_thread(registry.kill)

    waits = partition_of(b"c30", system.partitions)
    wire = system.registry.encode(CALLBACKS, callback_of(delivery(detail("c30")), now_ms()))
    await system.writer.write_raw(under(new, wire), b"c30")
    [held] = [read for read in await raw(system, CALLBACKS.name) if read.value == under(new, wire)]
    await write(system, 31, 100)
    flows = {f"c{i}" for i in range(31, 100) if partition_of(f"c{i}".encode(), system.partitions) != waits}

    async def have_come_out() -> bool:
        return flows <= {call.key for call in await system.read(CALLS)}

    await wait_until(have_come_out, 60, "the calls of the other partitions have come out")
    until = time.monotonic() + AWAY_S

    async def is_still_waiting() -> bool:
        assert await worker.is_ready()
        assert await system.metric(worker, "schema_registry_waiting_partitions ") == 1
        assert (await committed(system))[waits] <= held.offset
        return time.monotonic() > until

    await wait_until(is_still_waiting, 2 * AWAY_S + 30, "the time is over")
    assert await system.read(DEAD_LETTERS) == []
    await asyncio.to_thread(registry.start)

    await assert_exact(system, 100)
    assert await system.metric(worker, "schema_registry_waiting_partitions ") == 0
    assert await system.read(DEAD_LETTERS) == []
    assert {call.key for call in await system.read(CALLS, 100, "wf-1")} == {f"c{i}" for i in range(100)}


async def raw(system: WorkerSystem, topic: str) -> list[Any]:
    """A topic's records as they are, none decoded."""
    async with TopicReader(KafkaSettings(bootstrap_servers=system.bootstrap)) as reader:
        starts, ends = await reader.beginnings(CALLBACKS), await reader.ends(CALLBACKS)
        return [record async for record in reader.records(starts, ends)]


@asynccontextmanager
async def administering(system: WorkerSystem) -> AsyncIterator[Any]:
    client = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    await client.start()
    yield client
    await client.close()


async def configure(system: WorkerSystem, topic: str, values: dict[str, str]) -> None:
    """Set a topic's configuration, all of it."""
    async with administering(system) as admin:
        [response] = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, values)])
    assert [code for code, *_ in response.resources] == [0]


async def test_no_offset_passes_a_record_that_an_output_topic_refused(system: WorkerSystem) -> None:
    worker = await system.start_worker()
    await write(system, 0, 30)
    await assert_exact(system, 30)
    before = await all_committed(system)
    await configure(system, CALLS.name, {**CALLS.config(), "max.message.bytes": "100"})

    await write(system, 30, 60)
    assert await end_of(worker) == 70
    assert "MessageSizeTooLargeError" in worker.log.read_text()
    assert await committed(system) == before
    await configure(system, CALLS.name, CALLS.config())

    await system.start_worker()
    await assert_exact(system, 60)
    assert {call.key for call in await system.read(CALLS, 60, "wf-1")} == {f"c{i}" for i in range(60)}


async def test_no_offset_passes_a_record_whose_output_topic_was_deleted(system: WorkerSystem) -> None:
    worker = await system.start_worker()
    await write(system, 0, 30)
    await assert_exact(system, 30)
    before = await all_committed(system)
    async with administering(system) as admin:
        await admin.delete_topics([CALLS.name])

    await write(system, 30, 60)
    assert await end_of(worker) == 70
    assert await committed(system) == before
    assert await end_of(again := system.launch_worker()) == 69
    assert f"topic {CALLS.name} is missing" in again.log.read_text()
    await apply_topics(
        TopicSettings(kafka=KafkaSettings(bootstrap_servers=system.bootstrap), partitions=3, replication_factor=1)
    )

    await system.start_worker()
    await assert_exact(system, 60)
    assert {f"c{i}" for i in range(30, 60)} <= {call.key for call in await system.read(CALLS, 30, "wf-1")}


async def test_a_store_that_takes_no_more_ends_the_worker_and_nothing_is_acknowledged_that_is_not_stored(
    system: WorkerSystem,
) -> None:
    worker = await system.start_worker(HURRIED_FILE_BYTES=str(96 * 1024))
    await write(system, 0, 3000)

    assert await end_of(worker) == 70
    assert "worker.failed" in worker.log.read_text()

    await system.start_worker()
    await assert_exact(system, 3000)
    assert {call.key for call in await system.read(CALLS, 3000, "wf-1")} == {f"c{i}" for i in range(3000)}


async def changelog_of_a_release_before(system: WorkerSystem) -> None:
    """One with the broker's limit, told by the check, and raised by apply, which leaves what else is set as it is."""
    name, kafka = changelog_name(DEFAULT_APP_ID, CALLS_TABLE), KafkaSettings(bootstrap_servers=system.bootstrap)
    own = {"cleanup.policy": "compact", "message.timestamp.type": "CreateTime", "segment.ms": "1234567"}
    async with administering(system) as admin:
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, own)])

        async def is_told() -> bool:
            try:
                await check_topics(kafka, DEFAULT_APP_ID)
            except TopicsError as error:
                return f"{name} has max.message.bytes=1048588, less than 4194304" in str(error)
            return False  # the broker's metadata has not caught up

        await wait_until(is_told, AWAY_S, "the check to tell the low limit")
        await apply_topics(TopicSettings(kafka=kafka, partitions=3, replication_factor=1))
        (response,) = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, name)])
    found = {entry[0]: entry[1] for entry in response.resources[0][4]}
    assert {key: found[key] for key in (*own, "max.message.bytes")} == {**own, "max.message.bytes": "4194304"}


async def test_poison_of_every_kind_is_kept_whole_and_stops_nobody(system: WorkerSystem) -> None:
    await changelog_of_a_release_before(system)
    worker = await system.start_worker()
    deep: dict[str, Any] = {"type": "record", "name": "R0", "fields": [{"name": "x", "type": "string"}]}
    for level in range(1, 60):
        deep = {"type": "record", "name": f"R{level}", "fields": [{"name": "x", "type": deep}]}
    deep_id = await register(system, "deep", deep)
    link = {"type": "record", "name": "Link", "fields": [{"name": "next", "type": ["null", "Link"]}]}
    link_id = await register(system, "link", link)
    wire = system.registry.encode(CALLBACKS, callback_of(delivery(detail("c0")), now_ms()))
    call = system.registry._ids[CALLS.name]
    poison: dict[str, bytes | None] = {
        "a megabyte of nothing": b"\xff" * 1_000_000,
        "a megabyte behind a known id": wire[:5] + b"\xff" * 1_000_000,
        "another record": under(call, wire),
        "deep nesting": under(deep_id, b"\x00" * 5 + b"\x02x"),
        "a record that holds itself a million times": under(link_id, b"\x00" * 5 + b"\x02" * 1_000_000),
        "an id nobody has": under(2**31 - 1, wire),
        "nothing behind the id": wire[:5],
        "null": None,
    }
    for value in poison.values():
        await system.writer.write_raw(value, b"poison")
    poison["a header name that is no UTF-8"] = b"\xff named oddly"
    await system.writer.write_with_odd_header(b"\xff named oddly")
    await write(system, 0, 50)

    letters = await system.read(DEAD_LETTERS, len(poison))
    await assert_exact(system, 50)
    assert {letter.value.value for letter in letters} == set(poison.values())
    assert all((letter.value.source_topic, letter.value.key) == (CALLBACKS.name, b"poison") for letter in letters)
    by_value = {letter.value.value: letter.value.reason for letter in letters}
    reasons = {name: by_value[value] for name, value in poison.items()}
    assert reasons.pop("an id nobody has") == "unknown_schema"
    assert reasons.pop("a record that holds itself a million times") == "unknown_schema"
    assert set(reasons.values()) == {"undecodable"}
    assert await worker.is_ready()
    assert await system.metric(worker, "stream_recoveries_total ") == 1, "nothing was started again"
