"""One suite for every Publisher: what holds in memory holds on a real broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, NamedTuple

import pytest
from aiokafka.errors import ProducerFenced

from gateway.errors import PublishError, RecordTooLargeError
from gateway.publishing.kafka import KafkaPublisher
from gateway.publishing.publisher import KafkaState, Published, Publisher
from gateway.webhooks.kinds import TOPICS as GATEWAY_TOPICS
from schemas.connection import KafkaConnection, RegistryConnection
from schemas.headers import TraceContext, headers_for
from schemas.records.kept import QuarantinedRequest
from schemas.records.webhooks import Callback
from schemas.topics import CALLBACKS, MAX_RECORD_BYTES, QUARANTINE
from tests.support.deliveries import EXAMPLE, to_body
from tests.support.fakes import FakePublisher
from tests.support.processes.gateway import end_offsets, records_since
from tests.support.processes.service import KafkaProcess
from tests.support.provider import read_callback
from tests.support.requests import settings
from tests.support.topics import create_topics
from tests.support.waiting import wait_until

DEADLINE_S = 1.0
RECOVERY_S = 15.0
AT_ONCE_S = 2.5  # less than the one probe that a start which waited would take

Keys = Callable[[], Awaitable[list[str]]]


class Rig(NamedTuple):
    """A publisher, ways to take its broker away and bring it back, and the keys stored since the test began."""

    publisher: Publisher
    take_away: Callable[[], None]
    bring_back: Callable[[], None]
    keys: Keys


def at(kafka: KafkaProcess, registry_url: str) -> dict[str, Any]:
    """Settings for a gateway there."""
    return {
        "kafka": KafkaConnection(bootstrap_servers=kafka.bootstrap_servers),
        "registry": RegistryConnection(url=registry_url),
    }


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaProcess]:
    with KafkaProcess(tmp_path_factory.mktemp("publisher-kafka")) as kafka:
        asyncio.run(create_topics(kafka.bootstrap_servers))
        yield kafka


@pytest.fixture(params=["memory", "kafka"])
async def rig(request: pytest.FixtureRequest, kafka: KafkaProcess, registry_url: str) -> AsyncIterator[Rig]:
    if request.param == "memory":
        yield in_memory()
        return
    start = await end_offsets(kafka.bootstrap_servers, CALLBACKS)

    async def keys() -> list[str]:
        return [record.key.decode() for record in await records_since(kafka.bootstrap_servers, start)]

    configured = settings(
        **at(kafka, registry_url),
        publish_timeout_s=DEADLINE_S,
    )
    publisher = KafkaPublisher(configured, GATEWAY_TOPICS)
    yield Rig(publisher, kafka.freeze, kafka.thaw, keys)
    kafka.thaw()
    await publisher.stop()


def in_memory() -> Rig:
    publisher = FakePublisher(DEADLINE_S)

    def take_away() -> None:
        publisher.fault = "Kafka: away"

    def bring_back() -> None:
        publisher.fault = ""

    async def keys() -> list[str]:
        return [stored.key for stored in publisher.records(CALLBACKS)]

    return Rig(publisher, take_away, bring_back, keys)


@pytest.fixture
async def started(rig: Rig) -> Rig:
    await rig.publisher.start()
    await wait_until(lambda: not rig.publisher.faults(), RECOVERY_S, "the publisher to be ready")
    return rig


def callback() -> Callback:
    return read_callback(
        to_body(EXAMPLE), event_id="e" * 64, received_at=1, signature_scheme="none", signature_key_id=None
    )


HEADERS = headers_for("Callback", "e" * 64, "/airudder/gateway", 1, TraceContext("1" * 32))


async def test_what_is_published_is_stored_once_where_it_says(started: Rig) -> None:
    first = await started.publisher.publish(CALLBACKS, "a", callback(), HEADERS)
    second = await started.publisher.publish(CALLBACKS, "a", callback(), HEADERS)

    assert isinstance(first, Published)
    assert isinstance(second, Published)
    assert (first.topic, second.topic) == (CALLBACKS.name, CALLBACKS.name)
    assert (second.partition, second.offset) == (first.partition, first.offset + 1)
    assert await started.keys() == ["a", "a"]


async def test_many_publishes_at_once_are_all_stored(started: Rig) -> None:
    names = [f"call-{number}" for number in range(200)]

    await asyncio.gather(*(started.publisher.publish(CALLBACKS, name, callback(), HEADERS) for name in names))

    assert sorted(await started.keys()) == sorted(names)


async def test_a_record_over_the_topics_limit_is_refused_for_good_and_others_go_on(started: Rig) -> None:
    huge = QuarantinedRequest(
        event_id="e",
        received_at=1,
        reason="malformed",
        detail="",
        method="POST",
        path="/",
        headers={},
        body=bytes(MAX_RECORD_BYTES + 1),
        remote_address="",
    )

    with pytest.raises(RecordTooLargeError):
        await started.publisher.publish(QUARANTINE, "e", huge, HEADERS)

    assert not started.publisher.faults()
    assert await started.publisher.publish(CALLBACKS, "after", callback(), HEADERS)


async def test_an_absent_broker_is_an_error_to_try_again_within_the_deadline_and_passes(started: Rig) -> None:
    started.take_away()
    async with asyncio.timeout(DEADLINE_S + 0.5):
        with pytest.raises(PublishError) as caught:
            await started.publisher.publish(CALLBACKS, "away", callback(), HEADERS)
    await wait_until(started.publisher.faults, 5, "the publisher to notice")
    await wait_until(lambda: not started.publisher.kafka_state().is_up, 5, "the broker to be called down")
    started.bring_back()
    await wait_until(lambda: not started.publisher.faults(), RECOVERY_S, "the publisher to recover")
    await started.publisher.publish(CALLBACKS, "back", callback(), HEADERS)

    assert caught.value.retry_after_s
    assert started.publisher.kafka_state() == KafkaState(is_up=True)
    assert "back" in await started.keys()


async def test_the_age_of_the_oldest_record_without_an_answer_is_reported(
    kafka: KafkaProcess, registry_url: str
) -> None:
    configured = settings(**at(kafka, registry_url), publish_timeout_s=RECOVERY_S)
    publisher = KafkaPublisher(configured, GATEWAY_TOPICS)
    await publisher.start()
    try:
        await wait_until(lambda: not publisher.faults(), RECOVERY_S, "the publisher to be ready")
        kafka.freeze()
        waiting = [asyncio.create_task(publisher.publish(CALLBACKS, "k", callback(), HEADERS)) for _ in range(3)]
        await wait_until(lambda: publisher.kafka_state().unacknowledged_s > 0.5, RECOVERY_S, "the age to grow")
        kafka.thaw()
        await asyncio.gather(*waiting)

        assert publisher.kafka_state() == KafkaState(is_up=True)
    finally:
        kafka.thaw()
        await publisher.stop()


async def test_starting_without_a_broker_returns_at_once(rig: Rig) -> None:
    rig.take_away()
    async with asyncio.timeout(AT_ONCE_S):
        await rig.publisher.start()


async def test_stopping_is_bounded_without_a_broker_and_may_be_repeated(started: Rig) -> None:
    started.take_away()
    async with asyncio.timeout(12):
        await started.publisher.stop()
        await started.publisher.stop()

    assert started.publisher.faults()
    with pytest.raises(PublishError):
        await started.publisher.publish(CALLBACKS, "late", callback(), HEADERS)


async def test_a_producer_that_kafka_fenced_is_replaced(kafka: KafkaProcess, registry_url: str) -> None:
    configured = settings(**at(kafka, registry_url))
    publisher = KafkaPublisher(configured, GATEWAY_TOPICS)
    await publisher.start()
    try:
        await wait_until(lambda: not publisher.faults(), RECOVERY_S, "the publisher to be ready")
        fenced = publisher._producer
        assert fenced
        fenced._message_accumulator.fail_all(ProducerFenced())  # what aiokafka does on a fatal answer
        with pytest.raises(PublishError):
            await publisher.publish(CALLBACKS, "fenced", callback(), HEADERS)
        await wait_until(lambda: publisher._producer not in (None, fenced), RECOVERY_S, "another producer")

        assert await publisher.publish(CALLBACKS, "after", callback(), HEADERS)
    finally:
        await publisher.stop()
