"""Callbacks that came another way, imported into a real system: what was received before counts once, the rest counts.

One system for all of it: each step begins with what the steps before have counted.
"""

from __future__ import annotations

import asyncio
import json
import sys
from asyncio.subprocess import DEVNULL
from collections import Counter
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from schemas.topics import CALLBACKS, CALLS, LATE_CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.conftest import StartKafka
from tests.support.deliveries import delivery, detail
from tests.support.processes.gateway import Client, running_gateway
from tests.support.processes.tools import Ran, environ_of, run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.times import ended, now_ms
from tests.support.traffic import Broken, ContractTraffic
from tests.support.waiting import wait_until

HOUR_MS = 3_600_000
LIVE = 60
KILLED_AFTER = 3
PAIR = ("alone", "imported")


def bodies(deliveries: Iterable[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(one, ensure_ascii=False).encode() for one in deliveries]


def lines_of(path: Path, *lines: bytes) -> str:
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return str(path)


async def imported(system: WorkerSystem, *arguments: str) -> Ran:
    """`gateway import`, once the worker is done with what it published."""
    ran = await run(system, "import", *arguments, program="gateway")
    await wait_until_committed(system)
    return ran


async def counted(system: WorkerSystem) -> dict[str, Any]:
    """All that is counted: every window of both dimensions, every call once, and what a recount says."""
    ran = await run(system, "recount", "--json")
    windows = {topic.name: await system.windows(topic) for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)}
    calls = {call.ce_id: call.raw for call in await system.read(CALLS)}
    return {"windows": windows, "calls": calls, "recount": json.loads(ran.stdout), "code": ran.code}


async def calls_of(system: WorkerSystem, workflow: str) -> int:
    """The calls in all windows of a workflow."""
    return sum(window.calls for window in (await system.windows(WORKFLOW_OUTCOMES, workflow)).values())


async def callbacks(system: WorkerSystem) -> Counter[str]:
    """How often each delivery is in its topic."""
    return Counter(record.value.event_id for record in await system.read(CALLBACKS))


async def test_an_import_counts_what_never_came_and_nothing_twice(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        await system.start_worker()
        async with running_gateway(system.bootstrap, registry_url, tmp_path) as client:
            received = await receive_live_traffic(system, client)
        await all_of_it_again_changes_nothing(system, received, tmp_path)
        await what_never_came_is_counted_and_what_is_no_callback_is_named(system, tmp_path)
        await a_killed_import_goes_on_and_loses_no_line(system, tmp_path)
        await old_calls_are_late_and_counted_once_the_grace_reaches_back_to_them(system, tmp_path)


async def receive_live_traffic(system: WorkerSystem, client: Client) -> list[bytes]:
    """Repeats, corrections, redials and odd times, received by the gateway over HTTP."""
    traffic = ContractTraffic(11, oldest_ms=HOUR_MS // 2)
    received = bodies(item for item in traffic.batch(LIVE, now_ms()) if not isinstance(item, Broken))
    for body in received:
        assert (await client.post(body)).status_code == 200
    await wait_until_committed(system)
    return received


async def all_of_it_again_changes_nothing(system: WorkerSystem, received: list[bytes], tmp_path: Path) -> None:
    before, once = await counted(system), await callbacks(system)
    ran = await imported(system, lines_of(tmp_path / "received.jsonl", *received))

    twice = await callbacks(system)
    assert (ran.code, ran.stdout.splitlines()[0]) == (
        0,
        f"{len(received)} lines: {len(received)} published, 0 left out",
    )
    assert twice == once + Counter(sha256(body).hexdigest() for body in received)
    assert twice.keys() == once.keys()
    assert (before["code"], before["recount"]["windows"]["equal"] > 10) == (0, True)
    assert await counted(system) == before


async def what_never_came_is_counted_and_what_is_no_callback_is_named(system: WorkerSystem, tmp_path: Path) -> None:
    at = now_ms()
    new = bodies(delivery(detail(f"new{number}", ended(at - 60_000)), workflow="imported") for number in range(9))
    ran = await imported(system, lines_of(tmp_path / "new.jsonl", *new[:4], b'{"workflow_id": "+15550100"}', *new[4:]))

    assert (ran.code, ran.stdout.splitlines()[0]) == (1, "10 lines: 9 published, 1 left out")
    assert ran.stderr.splitlines() == [f"{tmp_path / 'new.jsonl'}:5: left out: details: missing"]
    assert await calls_of(system, "imported") == 9
    kept = [record for record in await system.read(CALLBACKS) if record.value.workflow_id == "imported"]
    assert {record.value.signature_scheme for record in kept} == {"import"}
    assert all(record.ce_id == record.value.event_id and record.value.received_at >= at for record in kept)
    assert (await counted(system))["code"] == 0


async def a_killed_import_goes_on_and_loses_no_line(system: WorkerSystem, tmp_path: Path) -> None:
    at = now_ms()
    new = bodies(delivery(detail(f"k{number}", ended(at)), workflow="killed") for number in range(40))
    file, state = lines_of(tmp_path / "killed.jsonl", *new), tmp_path / "state"
    arguments = ("import", file, "--state", str(state))
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "gateway", *arguments, "--rate", "10"),
        env=environ_of(system),
        stdout=DEVNULL,
        stderr=DEVNULL,
    )
    await wait_until(lambda: state.exists() and places(state)[file] >= KILLED_AFTER, 60, "some lines")
    process.kill()
    await process.wait()
    done = places(state)[file]
    ran = await imported(system, *arguments[1:])

    assert KILLED_AFTER <= done < len(new)
    assert ran.stdout == f"40 lines: {40 - done} published, {done} done before, 0 left out\n"
    assert {sha256(body).hexdigest() for body in new} <= (await callbacks(system)).keys()
    assert await calls_of(system, "killed") == 40


def places(state: Path) -> dict[str, int]:
    return {file: place["line"] for file, place in json.loads(state.read_bytes()).items()}


async def old_calls_are_late_and_counted_once_the_grace_reaches_back_to_them(
    system: WorkerSystem, tmp_path: Path
) -> None:
    at, hours = now_ms(), 40
    ends = [ended(at - (hours - number) * HOUR_MS) for number in range(hours - 3)]
    late = [delivery(detail(f"late{n}", end), workflow="imported") for n, end in enumerate(ends[:5])]
    await imported(system, lines_of(tmp_path / "late.jsonl", *bodies(late)))
    assert await calls_of(system, "imported") == 9
    assert {call.key for call in await system.read(LATE_CALLS)} == {f"late{n}" for n in range(5)}
    assert (await counted(system))["code"] == 0

    system.settings = {"STREAMS_GRACE_S": str(hours * 3600)}
    assert system.workers[0].terminate() == 0
    await system.start_worker()
    old = [
        delivery(detail(f"{workflow}{n}", end), workflow=workflow) for n, end in enumerate(ends) for workflow in PAIR
    ]
    await imported(system, lines_of(tmp_path / "old.jsonl", *bodies(old)))
    assert [await calls_of(system, workflow) for workflow in PAIR] == [len(ends), 9 + len(ends)]
    assert len(await system.read(LATE_CALLS)) == 5
    assert [(await run(system, "recount", "--workflow", workflow)).code for workflow in PAIR] == [0, 0]
