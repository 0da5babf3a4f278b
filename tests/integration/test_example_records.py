"""The example records are what the real system makes of the provider's examples, and a CloudEvents SDK reads them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_kafka_event

from schemas.topics import OUTPUTS
from tests.support.example_records.files import FOLDER, files_of
from tests.support.example_records.making import RECEIVED_AT, Made, make_examples
from tests.support.processes.service import KafkaProcess


@pytest.fixture(scope="module")
def made(registry_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Made]]:
    """One record of every output topic, by topic, from one run of gateway and worker."""
    with KafkaProcess(tmp_path_factory.mktemp("kafka")) as kafka:
        directory = tmp_path_factory.mktemp("roles")
        examples = asyncio.run(make_examples(kafka.bootstrap_servers, registry_url, directory))
        yield {one.topic.name: one for one in examples}


def test_the_examples_are_those_that_the_system_makes_today(made: dict[str, Made]) -> None:
    kept = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}

    assert files_of(made.values()) == kept, (
        "run python -m tests.support.example_records.write, then python -m schemas asyncapi"
    )


@pytest.mark.parametrize("topic", [topic.name for topic in OUTPUTS])
def test_the_cloudevents_sdk_parses_the_record_of_every_topic(made: dict[str, Made], topic: str) -> None:
    read = made[topic].read
    event = from_kafka_event(KafkaMessage(headers=read.headers, key=read.key.encode(), value=read.raw or b""))
    time = event.get_time()

    assert event.get_data() == read.raw
    assert event.get_extension("partitionkey") == read.key
    assert (event.get_specversion(), event.get_datacontenttype()) == ("1.0", "application/avro")
    assert (event.get_id(), event.get_source()) == (read.ce_id, read.headers["ce_source"].decode())
    assert (
        event.get_type()
        == f"airudder.{'LateCall' if topic == 'airudder.late-calls.v1' else made[topic].topic.record}.v1"
    )
    assert time is not None
    assert int(time.timestamp() * 1000) <= RECEIVED_AT
