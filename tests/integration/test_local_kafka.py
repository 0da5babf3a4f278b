"""The local broker is a real one, and what it holds outlives it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer

from streams.local.errors import LocalDiskError, NotStartedError
from tests.conftest import StartKafka
from tests.support.clients import consume, create_topic, produce
from tests.support.processes.service import KafkaProcess


async def test_a_client_produces_and_consumes_by_group(kafka_bootstrap: str) -> None:
    topic = await create_topic(kafka_bootstrap)

    await produce(kafka_bootstrap, topic, b"one")

    assert await consume(kafka_bootstrap, topic, 1) == [b"one"]


async def test_an_unknown_topic_is_not_created_by_accident(kafka_bootstrap: str) -> None:
    async with AIOKafkaConsumer(bootstrap_servers=kafka_bootstrap) as consumer:
        consumer.subscribe(["never-declared"])
        await consumer.getmany(timeout_ms=500)

        assert "never-declared" not in await consumer.topics()


async def test_records_and_cluster_id_outlive_a_kill_and_another_port(start_kafka: StartKafka) -> None:
    kafka = start_kafka()
    topic = await create_topic(kafka.bootstrap_servers)
    await produce(kafka.bootstrap_servers, topic, b"before the kill")

    kafka.kill()

    with KafkaProcess(kafka.data_dir) as moved:
        await produce(moved.bootstrap_servers, topic, b"after the kill")
        assert await consume(moved.bootstrap_servers, topic, 2) == [b"before the kill", b"after the kill"]
        assert kafka.cluster_id
        assert (kafka.cluster_id, True) == (moved.cluster_id, kafka.port != moved.port)


def test_a_broker_that_cannot_start_is_reported_with_the_end_of_its_log(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        kafka = KafkaProcess(tmp_path, server.getsockname()[1])

        with pytest.raises(
            NotStartedError, match=r"kafka ended with exit code 1 while starting\.(?s:.*)Address already in use"
        ):
            kafka.start()

    assert not kafka.running


def test_a_data_dir_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(LocalDiskError, match="--data-dir"):
        KafkaProcess(tmp_path / "file" / "kafka").start()
