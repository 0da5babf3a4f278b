"""A wall clock that jumps changes what records say of their receipt, and nothing else: deadlines run on another one."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path

from schemas import codec
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS
from tests.conftest import StartKafka
from tests.faults.gateway import clock
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import Client, end_offsets, records_since, running_gateway
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

DEADLINE_S = 3.0
ANSWER_S = DEADLINE_S + 0.5
RECOVERY_S = 5.0
JUMPS_S = (600, -600)


def body_of(call_id: str) -> bytes:
    return to_body(with_detail(call_id=call_id))


async def test_a_clock_that_jumps_ten_minutes_moves_no_deadline_and_loses_nothing(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    kafka, offset = start_kafka(), tmp_path / "offset"
    await create_topics(kafka.bootstrap_servers)
    jump(offset, 0)
    environ = {"PYTHONPATH": os.pathsep.join(clock.__path__), "CLOCK_OFFSET_FILE": str(offset)}
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)
    async with running_gateway(kafka.bootstrap_servers, registry_url, tmp_path, is_ready=True, **environ) as client:
        assert (await client.post(body_of("before"))).status_code == 200
        for jump_s in JUMPS_S:
            jump(offset, jump_s)
            for call_id in (f"jumped {jump_s}", "before"):
                assert (await client.post(body_of(call_id))).status_code == 200
            kafka.freeze()
            try:
                took_s, status = await seconds_to_an_answer(client, offset, f"frozen {jump_s}")
            finally:
                kafka.thaw()
            thawed = time.monotonic()
            await wait_until(lambda: is_accepted(client, jump_s), RECOVERY_S, "a callback to be accepted")  # noqa: B023

            assert status == 503
            assert DEADLINE_S - 0.1 < took_s < ANSWER_S
            assert time.monotonic() - thawed < RECOVERY_S
            await client.wait_until_ready()

    records = await records_since(kafka.bootstrap_servers, start)
    received = {record.key.decode(): received_at_s(record.value) for record in records}
    assert {"before", *(f"{what} {jump_s}" for what in ("jumped", "thawed") for jump_s in JUMPS_S)} <= set(received)
    assert [record.key for record in records].count(b"before") == 1
    for jump_s in JUMPS_S:
        assert abs(received[f"jumped {jump_s}"] - received["before"] - jump_s) < 60


def jump(offset: Path, seconds: int) -> None:
    """Whole at any moment: the gateway reads it whenever it looks at the clock."""
    new = offset.with_suffix(".new")
    new.write_text(str(seconds))
    new.replace(offset)


async def seconds_to_an_answer(client: Client, offset: Path, call_id: str) -> tuple[float, int]:
    """The clock jumps back while the answer is waited for."""
    started = time.monotonic()
    post = asyncio.create_task(client.post(body_of(call_id)))
    await asyncio.wait([post], timeout=DEADLINE_S / 2)
    jump(offset, 0)
    status = (await post).status_code
    return time.monotonic() - started, status


async def is_accepted(client: Client, jump_s: int) -> bool:
    return (await client.post(body_of(f"thawed {jump_s}"))).status_code == 200


def received_at_s(value: bytes) -> float:
    return codec.decode(value, codec.parsed_schema("Callback"), Callback).received_at / 1000
