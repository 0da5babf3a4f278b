"""Every metric moves when what it tells of happens; one that nothing here drives fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

from prometheus_client.parser import text_string_to_metric_families

from gateway.http.refusals import HttpRefusals
from gateway.publishing.publisher import SpoolState
from schemas.topics import WEBHOOKS_PATH
from tests.support.deliveries import to_body, with_detail
from tests.support.door import Door, open_door
from tests.support.gateway_metrics import DRIVEN, MORE_OR_LESS
from tests.support.requests import signed
from tests.support.waiting import PATIENCE_S, wait_until

UNSIGNED = {"content-type": "application/json"}


async def samples(door: Door) -> dict[str, float]:
    text = (await door.ops.get("/metrics")).text
    return {
        f"{sample.name}{{{labels}}}" if (labels := _labels(sample.labels)) else sample.name: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in sorted(labels.items()))


def _sorted(series: str) -> str:
    name, _, labels = series.partition("{")
    return f"{name}{{{','.join(sorted(labels[:-1].split(',')))}}}" if labels else name


async def drive(door: Door) -> dict[str, float]:
    """Let everything happen once, and look while one request is under way and Kafka silent."""
    body = to_body(with_detail(ring_type="surprise", new_field=1, duration="43"))
    for _ in range(2):
        await door.post(body)
    for call_id in ("kept", "over the cap"):
        await door.post(to_body(with_detail(call_id=call_id)), UNSIGNED)
    door.gateway.keys.reload()
    door.publisher.hold = asyncio.Event()
    last = asyncio.create_task(door.post(b'{"a":1}', signed(b'{"a":1}')))
    await wait_until(lambda: door.publisher.waiting, PATIENCE_S, "a request in flight")
    arriving = asyncio.create_task(door.post(slowly(door.publisher.hold), signed(b"[]")))
    await wait_until(lambda: door.gateway.in_flight.bytes == 8, PATIENCE_S, "a body on its way")
    await door.post(body)
    await door.hook.post(f"{WEBHOOKS_PATH}surprise", content=body)
    HttpRefusals(door.gateway.metrics.refused, "webhook").note("bad_request")
    door.gateway.metrics.count_spans("dropped", 3)
    now = await samples(door)
    door.publisher.hold.set()
    await asyncio.gather(last, arriving)
    return now


async def slowly(end: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"["
    await end.wait()
    yield b"]"


async def test_every_metric_shows_what_happened() -> None:
    async with open_door(quarantine_bytes_per_day=8000, rate_global_per_s=3) as door:
        before = await samples(door)
        oldest_at = int(time.time() - 60) * 1000
        door.publisher.spool = SpoolState(
            entries=3, refused=2, bytes=11, max_bytes=13, oldest_at=oldest_at, free_bytes=17
        )
        after = await drive(door)

    assert {series: after.get(_sorted(series)) for series in DRIVEN} == DRIVEN
    for series, (least, most) in MORE_OR_LESS.items():
        assert least <= after[series] <= most
    driven = {series.partition("{")[0].removesuffix("_count") for series in (*DRIVEN, *MORE_OR_LESS)}
    told = {name.partition("{")[0] for name in (*before, *after)}
    told = {name for name in told if not name.endswith(("_created", "_bucket", "_sum")) and name[:8] != "process_"}
    assert {name.removesuffix("_count") for name in told} == driven
    assert after["process_resident_memory_bytes"] > 0


async def test_a_broker_that_is_away_is_reported() -> None:
    async with open_door() as door:
        door.publisher.fault = "Kafka: away"
        told = await samples(door)

    assert (told["gateway_kafka_up"], told["gateway_ready"]) == (0, 0)


async def test_the_bytes_kept_today_are_none_after_midnight() -> None:
    async with open_door() as door:
        await door.post(headers=UNSIGNED)
        quarantine = door.gateway.reception.quarantine
        now_ms = time.time_ns() // 1_000_000

        assert quarantine.unverified_bytes(now_ms) > 1000
        assert quarantine.unverified_bytes(now_ms + 24 * 3600 * 1000) == 0
