"""What stock Faust loses on a real broker, so that nobody takes our overrides for caution: L1, L2 and L3.

The same faults on our worker: test_worker_outages.py (a refused output), test_worker_ends.py (an agent that raises) and
test_worker.py (a record that cannot be read).
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tests.conftest import StartKafka
from tests.integration.stock_faust import GROUP, SOURCE, TARGET
from tests.support.waiting import wait_until

TAKEN_BYTES = 2_000
GOOD: dict[str, Any] = {"n": 1}
FAULTS = {
    "an output the broker refuses": json.dumps({"text": "x" * 3 * TAKEN_BYTES}).encode(),
    "an agent that raises": json.dumps({"raise": True}).encode(),
    "a record that does not decode": b"{not json",
}


@pytest.fixture
def bootstrap(start_kafka: StartKafka) -> str:
    return start_kafka().bootstrap_servers


@pytest.fixture
def stock(bootstrap: str, tmp_path: Path) -> Iterator[Any]:
    """Starts it, once the topics are there."""
    processes: list[subprocess.Popen[bytes]] = []

    def start() -> None:
        with (tmp_path / "stock.log").open("wb") as log:
            arguments = ["-m", "tests.integration.stock_faust", bootstrap, str(tmp_path / "data")]
            processes.append(subprocess.Popen([sys.executable, *arguments], stdout=log, stderr=log))

    yield start
    for process in processes:
        process.kill()
        process.wait()


async def committed(admin: Any) -> int:
    found = (await admin.list_consumer_group_offsets(GROUP)).get(TopicPartition(SOURCE, 0))
    return int(found.offset) if found else 0


@pytest.mark.parametrize("fault", FAULTS)
async def test_stock_commits_past_a_record_that_never_came_out(bootstrap: str, stock: Any, fault: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    sizes = {"max.message.bytes": str(TAKEN_BYTES)}
    await admin.create_topics([NewTopic(SOURCE, 1, 1), NewTopic(TARGET, 1, 1, topic_configs=sizes)])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap)
    await producer.start()
    good = json.dumps(GOOD).encode()

    async def is_copied(count: int) -> bool:
        return len(await copied(bootstrap)) >= count

    stock()
    await producer.send_and_wait(SOURCE, good)
    await wait_until(lambda: is_copied(1), 120, "stock Faust copies")
    await producer.send_and_wait(SOURCE, FAULTS[fault])
    await wait_until(lambda: is_past(admin, 2), 60, "the offset is past the faulty one: what is lost is lost alone")
    await producer.send_and_wait(SOURCE, good)
    await wait_until(lambda: is_past(admin, 3), 60, "the offset is past all three")
    await wait_until(lambda: is_copied(2), 60, "the good ones have come out")

    assert await copied(bootstrap) == [GOOD, GOOD]
    await producer.stop()
    await admin.close()


async def is_past(admin: Any, offset: int) -> bool:
    return await committed(admin) >= offset


async def copied(bootstrap: str) -> list[Any]:
    """What has come out."""
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    await consumer.start()
    try:
        tp = TopicPartition(TARGET, 0)
        consumer.assign([tp])
        await consumer.seek_to_beginning(tp)
        [end] = (await consumer.end_offsets([tp])).values()
        found: list[Any] = []
        while len(found) < end:
            for records in (await consumer.getmany(timeout_ms=300)).values():
                found.extend(json.loads(record.value) for record in records)
        return found
    finally:
        await consumer.stop()
