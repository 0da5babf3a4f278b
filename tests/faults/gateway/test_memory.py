"""The short form of `python -m tests.faults.gateway.memory`."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import StartKafka
from tests.faults.gateway.memory import load_a_frozen_gateway
from tests.support.topics import create_topics

RATE = 200  # well under what two cores answer beside the sender: this is about memory, the long form about speed
SECONDS = 8
RSS_CAP_MIB = 256  # 178 to 219 were seen at 2,000 requests a second for 30 s, more than the machine could answer


async def test_memory_stays_under_its_cap_and_every_request_is_answered_while_kafka_is_frozen(
    start_kafka: StartKafka, registry_url: str, tmp_path: Path
) -> None:
    kafka = start_kafka()
    await create_topics(kafka.bootstrap_servers)

    frozen = await load_a_frozen_gateway(tmp_path, kafka, registry_url, RATE, SECONDS)

    assert set(frozen.load.statuses) <= {"429", "503"}, str(frozen)
    assert (frozen.load.unanswered, frozen.load.broken) == (0, 0), str(frozen)
    assert frozen.rss_peak < RSS_CAP_MIB, str(frozen)
