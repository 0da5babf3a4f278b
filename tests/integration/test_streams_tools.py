"""`recount` and `dead-letters` as an operator runs them, on a real broker with a worker."""

from __future__ import annotations

import json
import time
from base64 import b64decode
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from aiokafka import AIOKafkaProducer
from msgspec import structs

from schemas.codec import schema_text
from schemas.headers import TraceContext, headers_for
from schemas.topics import (
    CALLBACKS,
    CALLS,
    DEAD_LETTERS,
    LATE_CALLS,
    SIP_LINE_OUTCOMES,
    WORKFLOW_OUTCOMES,
)
from tests.conftest import StartKafka, StartRegistry
from tests.support.deliveries import delivery, detail, redial
from tests.support.processes.tools import run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.times import now_ms
from tests.support.topics import callback_of
from tests.support.traffic import Broken, ContractTraffic

GRACE_OF_A_WEEK = {"STREAMS_GRACE_S": str(7 * 24 * 3600)}


async def report(system: WorkerSystem, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and report of `recount --json`."""
    ran = await run(system, "recount", "--json", *arguments)
    assert ran.stdout, ran.stderr
    return ran.code, json.loads(ran.stdout)


def place_of(line: dict[str, Any]) -> str:
    """Where the record of a letter was read."""
    return f"{line['source_topic']}[{line['source_partition']}]@{line['source_offset']}"


async def letters(system: WorkerSystem, *arguments: str) -> list[dict[str, Any]]:
    """What `dead-letters list --json` prints."""
    ran = await run(system, "dead-letters", "list", "--json", *arguments)
    assert ran.code == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


async def replay(system: WorkerSystem, *arguments: str) -> str:
    """What `dead-letters replay` prints."""
    ran = await run(system, "dead-letters", "replay", *arguments)
    assert ran.code == 0, ran.stderr
    return ran.stdout.strip()


@pytest.fixture
async def system(start_kafka: StartKafka, registry_url: str, tmp_path: Path) -> AsyncIterator[WorkerSystem]:
    """A system of the test's own, without a worker."""
    async with WorkerSystem(start_kafka().bootstrap_servers, registry_url, tmp_path) as system:
        yield system


async def write_load(system: WorkerSystem, count: int, seed: int = 5) -> None:
    for item in ContractTraffic(seed).batch(count, at := now_ms()):
        if not isinstance(item, Broken):
            await system.writer.write([item], at)


async def register(system: WorkerSystem, subject: str, doc: str) -> int:
    """Register our Callback schema with another doc text under a subject; its id."""
    schema = json.dumps({**json.loads(schema_text("Callback")), "doc": doc})
    async with httpx2.AsyncClient() as client:
        url = f"{system.registry_url}/subjects/{subject}/versions"
        response = await client.post(url, json={"schema": schema, "schemaType": "AVRO"})
    return int(response.raise_for_status().json()["id"])


async def write_under(system: WorkerSystem, schema_id: int, told: dict[str, Any]) -> None:
    """Write a delivery as a newer gateway would, under a schema id of its own."""
    callback = callback_of(told, now_ms())
    wire = system.registry.encode(CALLBACKS, callback)
    headers = headers_for(
        "Callback", callback.event_id, "/airudder/gateway", callback.received_at, TraceContext(callback.event_id[:32])
    )
    async with AIOKafkaProducer(bootstrap_servers=system.bootstrap) as producer:
        await producer.send_and_wait(
            CALLBACKS.name,
            wire[:1] + schema_id.to_bytes(4) + wire[5:],
            key=(callback.details[0].call_id or "").encode(),
            headers=headers,
        )


async def test_recount_agrees_with_the_worker_under_repeats_and_corrections_and_finds_a_planted_window(
    system: WorkerSystem,
) -> None:
    system.settings = GRACE_OF_A_WEEK
    await system.start_worker()
    await write_load(system, 400)
    await system.writer.write([delivery(detail("planted"), workflow="planted", line="PLANTED")], now_ms())
    await system.writer.write([delivery(detail("probe"), workflow="__probe__", line="PROBED")], now_ms())
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 1, "planted")
    await system.wait_until_processed()
    await wait_until_committed(system)

    ran = await run(system, "recount")
    assert ran.code == 0, ran.stdout + ran.stderr
    assert "different" not in ran.stdout
    code, equal = await report(system)
    assert (code, equal["differences"]) == (0, [])
    assert equal["calls"] > 300
    assert equal["windows"]["equal"] > 50

    [(key, window)] = (await system.windows(WORKFLOW_OUTCOMES, "planted")).items()
    doctored = structs.replace(window, revision=window.revision + 1, talk_round_sum=99)
    await system.writer.write_raw(system.registry.encode(WORKFLOW_OUTCOMES, doctored), key.encode(), WORKFLOW_OUTCOMES)

    ran = await run(system, "recount")
    assert ran.code == 1
    assert all(text in ran.stdout for text in ("workflow planted", "talk_round_sum", "99", "1 different"))
    code, found = await report(system, "--workflow", "planted")
    assert (code, found["windows"]["different"]) == (1, 1)
    assert found["differences"][0]["cells"] == [{"field": "talk_round_sum", "recounted": 5, "published": 99}]
    assert (await report(system, "--sip-line", "PLANTED"))[0] == 0
    assert (await report(system, "--from", "2024-03-11T13:25:01"))[0] == 0
    assert (await report(system, "--from", "2024-03-11T13:25:00Z", "--to", "2024-03-11T13:30:00Z"))[0] == 1


async def test_what_the_worker_has_not_processed_is_moving_and_not_different(system: WorkerSystem) -> None:
    worker = await system.start_worker()
    await system.writer.write([delivery(detail("a"))], now_ms())
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 1)
    await wait_until_committed(system)
    worker.kill()
    await system.writer.write([delivery(detail("a", duration=0)), delivery(detail("b"))], now_ms())
    [(key, window)] = (await system.windows(WORKFLOW_OUTCOMES)).items()
    halfway = structs.replace(window, revision=2, calls=2)  # published, and the worker killed before it committed
    await system.writer.write_raw(system.registry.encode(WORKFLOW_OUTCOMES, halfway), key.encode(), WORKFLOW_OUTCOMES)

    code, found = await report(system)

    assert code == 0
    assert [(window["dimension"], window["state"]) for window in found["differences"]] == [("workflow", "moving")]
    traced = await run(system, "trace-call", "b")
    assert (traced.code, ", not yet processed: the worker has 1 to go in" in traced.stdout) == (0, True), traced.stdout


async def test_a_late_call_is_no_difference_for_its_workflow_and_is_named_for_its_sip_line(
    system: WorkerSystem,
) -> None:
    system.settings = {"STREAMS_WINDOW_S": "1", "STREAMS_GRACE_S": "1"}
    await system.start_worker()
    at = now_ms() - 60_000
    end = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at / 1000))
    await system.writer.write([delivery(detail("c1", end))], at)
    await system.wait_for_calls(WORKFLOW_OUTCOMES, 1)
    await system.writer.write([delivery(detail("c2", end))], now_ms())
    await system.read(LATE_CALLS, 1)
    await system.wait_until_processed()
    await wait_until_committed(system)

    code, found = await report(system)

    assert code == 0
    assert [(window["dimension"], window["state"]) for window in found["differences"]] == [("sip_line", "late")]


async def test_without_kafka_both_end_with_69_and_say_so(registry_url: str, tmp_path: Path) -> None:
    system = WorkerSystem("127.0.0.1:1", registry_url, tmp_path)

    for arguments in (["recount"], ["dead-letters", "list"], ["dead-letters", "replay"]):
        ran = await run(system, *arguments)
        assert (ran.code, ran.stdout) == (69, "")
        assert "broker_unavailable" in ran.stderr


async def test_poison_is_listed_with_its_origin_and_reason_and_no_payload(system: WorkerSystem) -> None:
    await system.start_worker()
    await system.writer.write_raw(b"\x01secret payload", key=b"secret key")
    await system.writer.write([delivery(detail("next"))], now_ms())
    [letter] = await system.read(DEAD_LETTERS, 1)

    ran = await run(system, "dead-letters", "list")
    [line] = await letters(system, "--reason", "undecodable", "--topic", CALLBACKS.name)

    value = letter.value
    place = {name: getattr(value, name) for name in ("source_topic", "source_partition", "source_offset", "reason")}
    assert place.items() <= line.items()
    assert (line["value_bytes"], line["source_topic"]) == (15, CALLBACKS.name)
    assert f"{CALLBACKS.name}[{value.source_partition}]@{value.source_offset}" in ran.stdout
    assert "secret" not in ran.stdout + ran.stderr + json.dumps(line)
    assert await letters(system, "--reason", "invalid") == []
    assert await letters(system, "--to", "2024-03-11") == []
    shown = await run(system, "dead-letters", "show", f"callbacks[{value.source_partition}]@{value.source_offset}")
    revealed = await run(system, "dead-letters", "show", place_of(line), "--reveal", "--json")
    assert (shown.code, "secret" in shown.stdout, "0x01" in shown.stdout) == (0, False, True)
    told = json.loads(revealed.stdout)
    assert (told["key"], b64decode(told["value_base64"])) == ("secret key", b"\x01secret payload")
    assert (await run(system, "dead-letters", "show", "callbacks[0]@999")).code == 1


async def test_a_record_of_an_unknown_schema_is_replayed_once_when_the_schema_is_there(
    start_kafka: StartKafka, start_registry: StartRegistry, tmp_path: Path
) -> None:
    async with WorkerSystem(start_kafka().bootstrap_servers, start_registry().url, tmp_path) as system:
        await system.start_worker()
        await system.writer.write([delivery(detail("before"))], now_ms())
        schema_id = 1 + await register(system, "somebody-elses", "the latest schema so far")
        told = delivery(detail("lost", redail_call=[redial("r", "2024-03-11 13:20:00")]))
        await write_under(system, schema_id, told)
        await system.read(DEAD_LETTERS, 1)
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 1)
        [line] = await letters(system)
        assert line["reason"] == "unknown_schema"
        origin = place_of(line)

        assert await register(system, "newer-gateways", "the schema of the record that failed") == schema_id
        masked = await run(system, "dead-letters", "show", origin)
        revealed = await run(system, "dead-letters", "show", origin, "--reveal")
        assert [told["details"][0]["callee"] in shown.stdout for shown in (masked, revealed)] == [False, True]
        assert '"call_id": "lost"' in masked.stdout
        assert await replay(system, "--dry-run") == "1 record would be replayed"
        assert await replay(system, "--reason", "invalid") == "no dead letter matches, of 1"
        assert await replay(system, "--rate", "50") == "1 record replayed"
        assert await replay(system) == "0 records replayed, 1 left out: replayed before"

        await system.wait_for_calls(WORKFLOW_OUTCOMES, 2)
        await system.wait_for_calls(SIP_LINE_OUTCOMES, 2)
        assert await replay(system, "--again") == "1 record replayed"
        await system.wait_until_processed()
        await system.wait_for_calls(WORKFLOW_OUTCOMES, 2)
        [call] = [call for call in await system.read(CALLS) if call.key == "lost"]
        assert call.value.revision == 1
        sent = [r for r in await system.read(CALLBACKS) if r.key == "lost"]
        assert [r.headers.get("replayed_from") for r in sent] == [None, *[origin.encode()] * 2]
        assert len({(r.raw, r.partition, r.headers["ce_id"]) for r in sent}) == 1
        await wait_until_committed(system)
        assert (await report(system))[0] == 0
