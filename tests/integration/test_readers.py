"""`tail` and `trace-call` as a subscriber runs them, beside a real worker."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from aiokafka.admin import AIOKafkaAdminClient
from msgspec import structs

from schemas.codec import schema_text
from schemas.topics import (
    ANSWERS,
    CALLBACKS,
    CALLS,
    LATE_CALLS,
    QUARANTINE,
    SIP_LINE_OUTCOMES,
    SYNTHETIC_WORKFLOW_ID,
    WORKFLOW_OUTCOMES,
)
from tests.support.deliveries import delivery, detail, redial
from tests.support.processes.tools import environ_of, run, wait_until_committed
from tests.support.processes.worker import WorkerSystem
from tests.support.records import CALL, QUARANTINED
from tests.support.times import now_ms
from tests.support.waiting import wait_until

LINE_S = 60
PHONES = ("+15550100", "+15550199")


@pytest.fixture
def system(running: WorkerSystem) -> WorkerSystem:
    """A system with a worker, which all tests here share; each has calls of its own."""
    return running


@asynccontextmanager
async def tailing(system: WorkerSystem, *arguments: str) -> AsyncIterator[Process]:
    """A tail that follows: what is written from now on, it prints."""
    command = (sys.executable, "-m", "streams", "tail", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=environ_of(system), stdout=PIPE, stderr=PIPE)
    assert process.stderr is not None
    try:
        said = await asyncio.wait_for(process.stderr.readline(), LINE_S)
        assert said == b"following; Ctrl-C ends\n"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def line_of(process: Process) -> dict[str, Any]:
    assert process.stdout is not None
    found: dict[str, Any] = json.loads(await asyncio.wait_for(process.stdout.readline(), LINE_S))
    return found


async def printed(system: WorkerSystem, *arguments: str) -> list[dict[str, Any]]:
    """What a tail prints that does not follow."""
    ran = await run(system, "tail", *arguments, "--no-follow")
    assert ran.code == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]


async def wait_for_call(system: WorkerSystem, call_id: str) -> None:
    async def is_there() -> bool:
        return call_id in {call.key for call in await system.subscriber.read(CALLS)}

    await wait_until(is_there, LINE_S, f"call {call_id}")


async def groups(system: WorkerSystem) -> set[str]:
    admin = AIOKafkaAdminClient(bootstrap_servers=system.bootstrap)
    await admin.start()
    try:
        return {group[0] for group in await admin.list_consumer_groups()}
    finally:
        await admin.close()


async def test_it_prints_what_comes_decoded_line_by_line_until_ctrl_c_and_leaves_no_group(system: WorkerSystem) -> None:
    await system.writer.write([delivery(detail("before"), workflow="live")], now_ms())
    await system.read(CALLS, 1, "live")
    async with tailing(system, "calls", "--workflow", "live", "--headers") as process:
        await system.writer.write([delivery(detail("other")), delivery(detail("after"), workflow="live")], now_ms())
        line = await line_of(process)
        process.send_signal(signal.SIGINT)
        rest, _ = await process.communicate()

    assert (process.returncode, rest) == (0, b"")
    [record] = [record for record in await system.read(CALLS) if record.key == "after"]
    assert (line["topic"], line["partition"], line["offset"]) == (record.topic, record.partition, record.offset)
    assert line["key"] == line["value"]["call_id"] == "after"
    assert line["value"]["ended_at"] == "2024-03-11T13:25:12.000Z"
    assert (line["value"]["callee"], line["value"]["duration_s"]) == ("+15550100", 30)
    assert {"name": "ce_id", "value": record.ce_id} in line["headers"]
    assert await groups(system) == {"airudder-streams"}


async def test_it_leaves_probes_out_unless_they_are_asked_for(system: WorkerSystem) -> None:
    await system.writer.write([delivery(detail("a-probe"), workflow=SYNTHETIC_WORKFLOW_ID)], now_ms())
    await wait_for_call(system, "a-probe")

    assert "a-probe" not in [line["key"] for line in await printed(system, "calls")]
    asked = await printed(system, "calls", "--workflow", SYNTHETIC_WORKFLOW_ID)
    assert [line["key"] for line in asked] == ["a-probe"]


async def test_history_since_an_instant_comes_in_the_order_of_appending_and_is_filtered(system: WorkerSystem) -> None:
    for number in range(5):
        await system.writer.write([delivery(detail(f"h{number}"), line="HISTORY")], now_ms())
        await wait_for_call(system, f"h{number}")
    lines = await printed(system, CALLS.name, "--sip-line", "HISTORY")

    assert [line["key"] for line in lines] == [f"h{number}" for number in range(5)]
    assert [line["key"] for line in await printed(system, "calls", "--call", "h3")] == ["h3"]
    assert [line["key"] for line in await printed(system, "calls", "--sip-line", "HISTORY", "--limit", "2")] == [
        "h0",
        "h1",
    ]
    since = lines[2]["appended_at"]
    expected = [line["key"] for line in lines if line["appended_at"] >= since]
    assert [line["key"] for line in await printed(system, "calls", "--sip-line", "HISTORY", "--from", since)] == (
        expected
    )
    assert await printed(system, "calls", "--from", "2100-01-01") == []
    assert {line["value"]["value"] for line in await printed(system, "sip-line-outcomes", "--sip-line", "HISTORY")} == {
        "HISTORY"
    }


async def test_a_table_fits_the_terminal_and_neither_it_nor_a_mask_shows_personal_data(system: WorkerSystem) -> None:
    await system.writer.write([delivery(detail("masked"), workflow="masks")], now_ms())
    await system.read(ANSWERS, 2, "masks")

    [plain] = await printed(system, "calls", "--call", "masked")
    masked = await run(system, "tail", "calls", "--call", "masked", "--mask", "--no-follow")
    tables = [
        (await run(system, "tail", topic, "--workflow", "masks", "-o", "table", "--no-follow")).stdout
        for topic in ("calls", "answers", "callbacks", "call-attempts")
    ]

    assert plain["value"]["caller_number"] == PHONES[1]
    assert not [phone for phone in PHONES if phone in masked.stdout + "".join(tables)]
    value = json.loads(masked.stdout)["value"]
    assert (value["callee"], value["variables"], value["duration_s"]) == ("***", {"name": "***"}, 30)
    assert [len(table.splitlines()) for table in tables] == [2, 3, 2, 2]
    assert "disposition=answered" in tables[0]


async def test_a_newer_writers_record_is_shown_whole_and_what_is_no_record_is_named_and_passed(
    system: WorkerSystem,
) -> None:
    schema = json.loads(schema_text("Call"))
    schema["fields"].append({"name": "mood", "type": "string", "default": ""})
    async with httpx2.AsyncClient() as client:
        url = f"{system.registry_url}/subjects/newer-workers/versions"
        answer = await client.post(url, json={"schema": json.dumps(schema), "schemaType": "AVRO"})
    ours = system.registry.encode(CALLS, structs.replace(CALL, call_id="newer"))
    calm = b"\x08calm"  # Avro's text of four bytes
    await system.writer.write_raw(b"\x01no record", b"newer", LATE_CALLS)
    await system.writer.write_raw(
        b"\x00" + answer.json()["id"].to_bytes(4, "big") + ours[5:] + calm, b"newer", LATE_CALLS
    )

    broken, newer = await printed(system, "late-calls", "--call", "newer")

    assert (broken["value"], broken["error"]["code"], broken["error"]["value_bytes"]) == (None, "undecodable", 10)
    assert "0x01" in broken["error"]["detail"]
    assert (newer["value"]["mood"], newer["offset"]) == ("calm", broken["offset"] + 1)
    assert newer["value"].keys() == {*CALL.__struct_fields__, "mood"}


async def test_a_reader_that_goes_ends_it_at_once_and_quietly(system: WorkerSystem) -> None:
    await system.writer.write([delivery(detail("piped"), workflow="pipes")], now_ms())
    await system.read(CALLS, 1, "pipes")
    tail = f"{shlex.quote(sys.executable)} -m streams tail calls --from 2020-01-01 --workflow pipes"
    script = f"set -o pipefail; {tail} | head -n 1"
    process = await asyncio.create_subprocess_exec(
        *("bash", "-c", script), env=environ_of(system), stdout=PIPE, stderr=PIPE
    )
    stdout, stderr = await asyncio.wait_for(process.communicate(), LINE_S)

    assert process.returncode == 0, stderr
    assert json.loads(stdout)["key"] == "piped"
    assert stderr.decode().splitlines() in ([], ["following; Ctrl-C ends"])


async def traced(system: WorkerSystem, call_id: str) -> dict[str, Any]:
    ran = await run(system, "trace-call", call_id, "-o", "json")
    assert ran.stderr == ""
    found: dict[str, Any] = json.loads(ran.stdout)
    assert ran.code == (0 if found["is_found"] else 1)
    return found


async def test_a_trace_has_every_delivery_of_a_call_with_what_came_of_it_and_where_it_counts(
    system: WorkerSystem,
) -> None:
    dial = redial("dial", "2024-03-11 13:20:00")
    first = delivery(detail("traced", redail_call=[dial]), detail("second"), workflow="traces", line="TRACED")
    await system.writer.write([first], now_ms())
    await system.writer.write([first, delivery(detail("traced", duration=7), workflow="traces")], now_ms())
    await system.wait_for_calls(SIP_LINE_OUTCOMES, 1, "TRACED")
    await system.read(CALLS, 3, "traces")
    await wait_until_committed(system)

    found = await traced(system, "traced")
    assert [one["outcome"] for one in found["deliveries"]] == ["revision 1", "duplicate", "revision 2"]
    assert [len(one["value"]["details"]) for one in found["deliveries"]] == [1, 1, 1]
    assert [one["value"]["duration_s"] for one in found["revisions"]] == [30, 7]
    assert [one["value"]["state"] for one in found["answers"]] == ["completed", "skipped"]
    assert [one["value"]["call_id"] for one in found["attempts"]] == ["traced"]
    assert {topic: one["value"]["value"] for topic, one in found["windows"].items()} == {
        WORKFLOW_OUTCOMES.name: "traces",
        SIP_LINE_OUTCOMES.name: "LINE_1",
    }
    assert found["state"] == "revision 2 holds; its windows are published"
    assert found["searched"][CALLBACKS.name].items() >= {"partitions": 1, "of": 3}.items()

    later = await traced(system, "second")
    assert [one["outcome"] for one in later["deliveries"]] == ["revision 1", "duplicate"]
    assert later["searched"][CALLBACKS.name]["partitions"] == 3
    assert (await traced(system, "dial"))["dial_of"] == ["traced"]

    text = (await run(system, "trace-call", "traced")).stdout
    assert [heading for heading in ("deliveries", "revisions", "windows", "searched") if heading not in text] == []
    assert not [phone for phone in PHONES if phone in text]


async def test_a_trace_of_a_refused_call_says_so_and_one_of_a_call_that_never_came_is_exit_code_1(
    system: WorkerSystem,
) -> None:
    body = json.dumps(delivery(detail("refused"))).encode()
    request = structs.replace(QUARANTINED, body=body, reason="bad_signature")
    await system.writer.write_raw(system.registry.encode(QUARANTINE, request), b"event", QUARANTINE)

    found = await traced(system, "refused")

    assert found["state"].startswith("refused by the gateway")
    assert [one["value"]["reason"] for one in found["quarantine"]] == ["bad_signature"]
    assert (await traced(system, "refuse"))["state"] == "nothing of it was found"
