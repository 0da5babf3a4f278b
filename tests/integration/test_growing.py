"""Two sets of topics on one cluster, and the second one grown out of the first: 12 partitions become 24.

A history with redeliveries, corrections, records that nobody can read, and a late call goes through the real worker
under `small.`, is copied in two parts, and goes through the real worker under `grown.`.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from msgspec import structs

from schemas.headers import REPLAYED_FROM
from schemas.placement import partition_of
from schemas.records.kept import QuarantinedRequest
from schemas.runtime.instants import text
from schemas.topics import (
    ANSWERS,
    CALL_ATTEMPTS,
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    QUARANTINE,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
    Topic,
)
from tests.support.deliveries import EXAMPLE, delivery, detail, to_body
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.tools import Ran, run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.requests import signed
from tests.support.times import now_ms
from tests.support.topics import all_records
from tests.support.traffic import MINUTE, ContractTraffic
from tests.support.waiting import wait_until

SMALL, GROWN = 12, 24
HOUR = 60 * MINUTE
OUTCOMES = (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)


@pytest.fixture
async def small(kafka_bootstrap: str, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    """A set of its own on the session's broker."""
    async with WorkerSystem(kafka_bootstrap, registry_url, tmp_path / "small", SMALL, prefix="small.") as system:
        system.directory.mkdir()
        yield system


async def write_history(system: WorkerSystem, traffic: ContractTraffic, start: int) -> None:
    """Some 150 deliveries that are received within half an hour."""
    for number in range(5):
        at = start + number * 6 * MINUTE
        for item in traffic.batch(30, at):
            if isinstance(item, dict):
                await system.writer.write([item], at)
            elif item.base is None and len(item.value or b"") < 1000:
                await system.writer.write_raw(item.value, item.key)


async def write_late_call(system: WorkerSystem, start: int) -> None:
    """A call of a minute's end that is told five hours after another one of the same window and partition."""
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(start / 1000))
    place = partition_of(b"timely", GROWN)
    late = next(name for i in count() if partition_of((name := f"late-{i}").encode(), GROWN) == place)
    for call_id, after_ms in (("timely", 2000), (late, 5 * HOUR)):
        told = delivery(detail(call_id, end), workflow="late", line="LATE_LINE")
        await system.writer.write([told], start + after_ms)


async def replay(system: WorkerSystem, *arguments: str) -> Ran:
    """From `small.` to `grown.`."""
    return await run(system, "replay", "--to-prefix", "grown.", *arguments)


def copied(ran: Ran) -> dict[str, int]:
    """Records by topic."""
    assert ran.code == 0, ran.stderr
    return {name: int(rest.split()[0]) for name, rest in (line.split(": ") for line in ran.stdout.splitlines())}


async def contents(system: WorkerSystem, topic: Topic) -> Counter[tuple[str, str, bytes | None]]:
    """A topic's records without their places: what a subscriber keeps who drops repeats."""
    return Counter({(read.ce_id, read.key, read.raw): 1 for read in await system.subscriber.read(topic)})


async def finals(system: WorkerSystem, topic: Topic) -> dict[str, Any]:
    """Every window once it is final."""
    found: dict[str, Any] = {}

    async def are_final() -> bool:
        found.clear()
        found.update(await system.windows(topic))
        return bool(found) and all(window.is_final for window in found.values())

    await wait_until(are_final, 120, f"all windows of {system.prefix}{topic.name} are final")
    return found


async def recount_of(system: WorkerSystem) -> Any:
    """The report of a recount that finds nothing wrong."""
    ran = await run(system, "recount", "--json")
    assert ran.code == 0, ran.stdout + ran.stderr
    return json.loads(ran.stdout)


async def test_a_set_of_topics_grows_by_replay_and_shares_its_cluster(small: WorkerSystem, tmp_path: Path) -> None:
    start, traffic = now_ms() - 24 * HOUR, ContractTraffic(7, oldest_ms=10 * MINUTE, is_ordered=True)
    await write_history(small, traffic, start)
    await write_late_call(small, start)
    assert (await replay(small)).code == 69
    assert (await run(small, "replay", "--to-prefix", "small.")).code == 78

    async with AsyncExitStack() as stack:
        grown = WorkerSystem(small.bootstrap, small.registry_url, tmp_path / "grown", GROWN, prefix="grown.")
        await stack.enter_async_context(grown)
        grown.directory.mkdir()
        first = copied(await replay(small))
        await write_history(small, traffic, start + 6 * HOUR)  # what comes before the gateway changes over
        rest = copied(await replay(small))
        assert set(copied(await replay(small)).values()) == {0}
        await assert_all_is_copied_in_order(small, grown, first, rest)

        await asyncio.gather(small.start_worker(), grown.start_worker())
        for system in (small, grown):
            await wait_until_committed(system)
        await assert_outputs_are_equal(small, grown)
        await assert_gateways_keep_to_their_set(stack, small, grown)
        refused = await replay(small)
        assert (refused.code, "a worker of group grown.airudder-streams has begun" in refused.stderr) == (69, True)


def pairs(sets: list[Any]) -> list[tuple[Any, Any]]:
    return [(sets[0], sets[1]), (sets[1], sets[0])]


async def assert_all_is_copied_in_order(
    small: WorkerSystem, grown: WorkerSystem, first: dict[str, int], rest: dict[str, int]
) -> None:
    before, after = [await records_of(system, CALLBACKS) for system in (small, grown)]
    assert min(first["grown." + CALLBACKS.name], rest["grown." + CALLBACKS.name]) > 100
    assert len(before) == len(after) == first["grown." + CALLBACKS.name] + rest["grown." + CALLBACKS.name]
    assert {read.partition for read in after} == set(range(GROWN))
    origins = [value.decode() for read in after for name, value in read.headers if name == REPLAYED_FROM]
    assert sorted(origins) == sorted(f"{read.topic}[{read.partition}]@{read.offset}" for read in before)
    assert by_key(before) == by_key(after)


async def records_of(system: WorkerSystem, topic: Topic) -> list[Any]:
    """A topic as Kafka has it."""
    async with AIOKafkaConsumer(bootstrap_servers=system.bootstrap, enable_auto_commit=False) as consumer:
        return await all_records(consumer, system.prefix + topic.name)


def by_key(records: list[Any]) -> dict[bytes, list[Any]]:
    """Values and headers of each key, in order."""
    found: dict[bytes, list[Any]] = {}
    for record in records:
        headers = [header for header in record.headers if header[0] != REPLAYED_FROM]
        found.setdefault(record.key, []).append((record.value, headers))
    return found


async def assert_outputs_are_equal(small: WorkerSystem, grown: WorkerSystem) -> None:
    for topic in (CALLS, ANSWERS, CALL_ATTEMPTS, LATE_CALLS):
        assert await contents(small, topic) == await contents(grown, topic), topic.name
    assert any(read.key.startswith("late-") for read in await grown.subscriber.read(LATE_CALLS))
    reasons = [
        Counter((read.key, read.value.reason) for read in await system.subscriber.read(DEAD_LETTERS))
        for system in (small, grown)
    ]
    assert reasons[0] == reasons[1] != Counter()
    assert {read.value.source_topic for read in await grown.subscriber.read(DEAD_LETTERS)} == {
        "grown." + CALLBACKS.name
    }
    reports = [await recount_of(system) for system in (small, grown)]
    assert reports[0]["calls"] == reports[1]["calls"]
    assert min(report["windows"]["equal"] for report in reports) > 50
    assert {window["state"] for report in reports for window in report["differences"]} <= {"late"}
    # Which calls a key counts as late depends on the order in which partitions are read, in any set and at any time.
    late = {place_of(window) for report in reports for window in report["differences"]}
    for topic in OUTCOMES:
        both = [await finals(system, topic) for system in (small, grown)]
        assert both[0].keys() == both[1].keys()
        different = [
            window
            for key, window in both[0].items()
            if structs.replace(both[1][key], revision=window.revision) != window
        ]
        assert [
            window for window in different if (window.dimension, window.value, text(window.window_start_at)) not in late
        ] == []


def place_of(window: dict[str, Any]) -> tuple[str, str, str]:
    """Which window a line of a recount is about."""
    return window["dimension"], window["value"], window["window_start_at"]


async def assert_gateways_keep_to_their_set(stack: AsyncExitStack, small: WorkerSystem, grown: WorkerSystem) -> None:
    """The same callback to both gateways, a refused one to one: nothing crosses over."""
    clients: list[Client] = []
    for system in (small, grown):
        context = running_gateway(
            system.bootstrap, system.registry_url, system.directory, AIRUDDER_TOPIC_PREFIX=system.prefix
        )
        clients.append(await stack.enter_async_context(context))
    answers = [await client.post(to_body(EXAMPLE)) for client in clients]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert (await clients[1].post(b"{}", {**signed(b"{}"), "x-airudder-sign": "0" * 64})).status_code == 401
    kept = [await system.subscriber.read(QUARANTINE) for system in (small, grown)]
    assert [len(reads) for reads in kept] == [0, 1]
    assert isinstance(kept[1][0].value, QuarantinedRequest)
    for system in (small, grown):
        await system.wait_until_processed()
        await wait_until_committed(system)
        lag = await run(system, "lag", "--json")
        [group] = json.loads(lag.stdout)["groups"]
        assert group["consumergroup"] == system.prefix + "airudder-streams"
        assert {row["topic"].startswith(system.prefix) for row in group["partitions"]} == {True}
        assert {row["lag"] for row in group["partitions"]} == {0}
        check = await run(system, "topics", "check")
        assert (check.code, f"{system.prefix}{CALLS.name}: {system.partitions} partitions" in check.stdout) == (0, True)
    calls = [{(read.ce_id, read.key) for read in await system.subscriber.read(CALLS)} for system in (small, grown)]
    assert [{key for _, key in mine - other if not key.startswith("mark-")} for mine, other in pairs(calls)] == [
        set()
    ] * 2
    assert EXAMPLE["details"][0]["call_id"] in {key for _, key in calls[0] & calls[1]}
    recounts = await asyncio.gather(*(run(system, "recount") for system in (small, grown)))
    assert [ran.code for ran in recounts] == [0, 0]
