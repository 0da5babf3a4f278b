"""The monitor as a process: it starts without Kafka, says why it is not ready, recovers by itself, stops when told."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx2
from aiokafka import AIOKafkaConsumer, TopicPartition

from schemas.runtime import exits
from schemas.topics import CALLBACKS
from tests.support.panes import PANE_MS, pane
from tests.support.processes.monitor import (
    MonitorProcess,
    kafka_producer,
    running_monitor,
    send_outcomes,
)
from tests.support.processes.service import KafkaProcess
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

GROUP = "airudder-streams"
NOWHERE = "127.0.0.1:1"
RECOVERS_S = 45
NOTICES_S = 30

METRICS = (
    "kafka_consumergroup_lag{",
    "kafka_consumergroup_lag_seconds{",
    "kafka_consumergroup_lag_sum{",
    "kafka_consumergroup_current_offset{",
    "kafka_consumergroup_members{",
    "kafka_consumergroup_drain_seconds{",
    "kafka_consumergroup_partition_state{",
    "kafka_consumergroup_records_lost_total{",
    "kafka_topic_partition_current_offset{",
    "kafka_topic_partition_oldest_offset{",
    "kafka_lag_poll_duration_seconds_bucket{",
    "kafka_lag_last_success_timestamp_seconds ",
    "workflow_kpi_samples{",
    "label_values_dropped_total{",
    "monitor_undecodable_records_total ",
)


async def commit_one_of_three(bootstrap: str) -> None:
    async with kafka_producer(bootstrap) as producer:
        for _ in range(3):
            await producer.send_and_wait(CALLBACKS.name, b"x", partition=0)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=GROUP, enable_auto_commit=False)
    tp = TopicPartition(CALLBACKS.name, 0)
    consumer.assign([tp])
    await consumer.start()
    await consumer.commit({tp: 1})
    await consumer.stop()


def now() -> int:
    """The start of the pane that lasts now."""
    at_ms = int(time.time() * 1000)
    return at_ms - at_ms % PANE_MS


async def first_partition(monitor: MonitorProcess) -> dict[str, object]:
    """The row of the first partition; empty as long as the last poll knew none."""
    body = await monitor.json("/api/lag")
    groups = body["groups"]
    assert isinstance(groups, list)
    rows = [row for group in groups if group["consumergroup"] == GROUP for row in group["partitions"]]
    found = [row for row in rows if (row["topic"], row["partition"]) == (CALLBACKS.name, 0)]
    return dict(found[0]) if found else {}


async def reasons(monitor: MonitorProcess) -> str:
    answer = await monitor.get("/readyz")
    return "" if answer is None or answer.status_code != 503 else str(answer.json()["reasons"])


async def test_it_outlives_kafka_and_recovers_by_itself(tmp_path: Path, registry_url: str) -> None:
    kafka = KafkaProcess(tmp_path / "kafka")
    try:
        with running_monitor(kafka.bootstrap_servers, registry_url, tmp_path / "log") as monitor:
            await _starts_without_kafka(monitor)

            kafka.start()
            await wait_until(lambda: _has(monitor, "topics do not exist"), RECOVERS_S, "it misses the topics")
            await create_topics(kafka.bootstrap_servers)
            await wait_until(monitor.is_ready, RECOVERS_S, "it is ready once there are topics")

            await commit_one_of_three(kafka.bootstrap_servers)
            await send_outcomes(kafka.bootstrap_servers, registry_url, pane(now(), value="kept", calls=3))
            await wait_until(lambda: _knows(monitor), RECOVERS_S, "it knows the lag and the window")
            await _names_every_metric(monitor)

            kafka.kill()
            await wait_until(lambda: _has(monitor, "lag: last read"), NOTICES_S, "it says that its lag is old")
            assert await _knows(monitor)
            assert await monitor.status("/livez") == 200

            kafka.start()
            await wait_until(monitor.is_ready, RECOVERS_S, "it is ready again")
            assert await _knows(monitor)
            assert monitor.stop() == 0
    finally:
        kafka.stop()


async def test_open_event_streams_do_not_delay_the_stop(tmp_path: Path) -> None:
    with running_monitor(NOWHERE, f"http://{NOWHERE}", tmp_path / "log") as monitor:
        await wait_until(lambda: monitor.status("/livez"), NOTICES_S, "it listens")
        async with (
            httpx2.AsyncClient(base_url=monitor.url, timeout=20) as client,
            client.stream("GET", "/api/events") as events,
        ):
            assert events.status_code == 200
            assert await asyncio.to_thread(monitor.stop) == 0


async def test_a_port_that_is_taken_ends_it_with_an_error(tmp_path: Path) -> None:
    with running_monitor(NOWHERE, f"http://{NOWHERE}", tmp_path / "log") as first:
        await wait_until(lambda: first.status("/livez"), NOTICES_S, "it listens")
        with running_monitor(NOWHERE, f"http://{NOWHERE}", tmp_path / "log2", first.port) as second:
            assert await asyncio.to_thread(second.process.wait, NOTICES_S) == exits.PORT_TAKEN
    assert f"127.0.0.1:{first.port}: the port is taken" in (tmp_path / "log2").read_text()


async def _starts_without_kafka(monitor: MonitorProcess) -> None:
    await wait_until(lambda: monitor.status("/livez"), NOTICES_S, "it listens")
    assert await monitor.status("/livez") == 200
    assert await monitor.status("/") == 200
    for path in ("/api/lag", "/api/outcomes/workflows"):
        answer = await monitor.get(path)
        assert answer is not None
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
    await wait_until(lambda: _has(monitor, "nobody listens"), NOTICES_S, "it names Kafka")


async def _has(monitor: MonitorProcess, words: str) -> bool:
    return words in await reasons(monitor)


async def _knows(monitor: MonitorProcess) -> bool:
    row = await first_partition(monitor)
    is_lag_known = (row.get("current_offset"), row.get("lag")) == (1, 2)
    return is_lag_known and await monitor.status("/api/outcomes/workflows/kept") == 200


async def _names_every_metric(monitor: MonitorProcess) -> None:
    async def named() -> bool:
        answer = await monitor.get("/metrics")
        return answer is not None and all(f"\n{name}" in answer.text for name in METRICS)

    await wait_until(named, RECOVERS_S, "every metric; those of outcomes are made every 10 s")
    answer = await monitor.get("/metrics")
    assert answer is not None
    labels = f'consumergroup="{GROUP}",partition="0",topic="{CALLBACKS.name}"'
    assert f"kafka_consumergroup_lag{{{labels}}} 2.0" in answer.text
