"""Every metric moves when what it tells of happens; one that nothing here drives fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from importlib.metadata import version

from prometheus_client.parser import text_string_to_metric_families

from gateway.http.refusals import HttpRefusals
from gateway.publishing.spool import SpoolState
from schemas.topics import CALLBACKS
from tests.support.samples import KEY, WEBHOOK, signed, to_body, with_detail
from tests.support.waiting import PATIENCE_S, wait_until
from tests.unit.gateway.http.test_app import Door, open_door

UNSIGNED = {"content-type": "application/json"}
KIND = "call-completion"
DRIVEN = {
    'webhook_requests_total{source="airudder",outcome="accepted"}': 1,
    'webhook_requests_total{source="airudder",outcome="duplicate"}': 1,
    'webhook_requests_total{source="airudder",outcome="bad_signature"}': 2,
    'webhook_requests_total{source="airudder",outcome="limited"}': 1,
    f'http_server_request_duration_seconds_count{{http_route="{WEBHOOK}",http_request_method="POST",'
    'http_response_status_code="200"}': 2,
    f'webhook_publish_duration_seconds_count{{topic="{CALLBACKS.name}"}}': 1,
    "webhook_in_flight": 2,
    "webhook_arriving": 1,
    "webhook_in_flight_limit": 500,
    "webhook_in_flight_bytes": 8,
    "webhook_in_flight_bytes_limit": 128 * 1024 * 1024,
    f'webhook_signatures_total{{key_id="{KEY.id}"}}': 3,
    'webhook_rate_limited_total{scope="global"}': 1,
    f'webhook_signing_key_valid{{key_id="{KEY.id}"}}': 1,
    'webhook_signing_key_loads_total{outcome="loaded"}': 1,
    'webhook_quarantined_total{reason="bad_signature",outcome="kept"}': 1,
    'gateway_http_refused_total{reason="bad_request"}': 1,
    'webhook_quarantined_total{reason="bad_signature",outcome="over_cap"}': 1,
    "webhook_quarantine_bytes_limit": 8000,
    f'webhook_unknown_fields_total{{kind="{KIND}",field="details.new_field"}}': 1,
    f'webhook_unknown_words_total{{kind="{KIND}",field="details.ring_type"}}': 1,
    f'webhook_deviating_fields_total{{kind="{KIND}",field="details.duration",found="string"}}': 1,
    'webhook_spool_entries{state="waiting"}': 3,
    'webhook_spool_entries{state="refused"}': 2,
    "webhook_spool_bytes": 11,
    "webhook_spool_bytes_limit": 13,
    "webhook_spool_disk_free_bytes": 17,
    "gateway_kafka_up": 1,
    "gateway_kafka_unacknowledged_age_seconds": 1,
    "gateway_ready": 1,
    f'gateway_build_info{{version="{version("airudder-kafka")}"}}': 1,
    'gateway_config_info{signature_mode="enforce",signature_scheme="auto",spool="off"}': 1,
}
MORE_OR_LESS = {  # from, to
    "webhook_quarantine_bytes_today": (5000, 8000),
    "webhook_spool_oldest_age_seconds": (60, 100),
}


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
    HttpRefusals(door.gateway.metrics.refused, "webhook").note("bad_request")
    now = await samples(door)
    door.publisher.hold.set()
    await asyncio.gather(last, arriving)
    return now


async def slowly(end: asyncio.Event) -> AsyncIterator[bytes]:
    yield b"["
    await end.wait()
    yield b"]"


async def test_every_metric_tells_what_happened() -> None:
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


async def test_a_broker_that_is_away_is_told() -> None:
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
