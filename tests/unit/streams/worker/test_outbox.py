"""Records reach each partition in the order they were given, in batches the broker takes."""

from __future__ import annotations

import asyncio

import pytest
from aiokafka.errors import MessageSizeTooLargeError
from aiokafka.partitioner import DefaultPartitioner
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.placement import partition_of
from streams.worker import outbox as module
from streams.worker.outbox import Outbox, Outgoing
from tests.unit.streams.worker.fakes import FakeProducer, outgoing, records_of, turn


def numbered(topic: str, count: int, size: int = 1, partition: int = 0) -> list[Outgoing]:
    return [outgoing(topic, str(n).encode().zfill(size), partition) for n in range(count)]


async def test_records_of_one_partition_travel_as_one_batch() -> None:
    producer = FakeProducer()

    (handed,) = await Outbox(lambda: producer).hand_over(numbered("t", 3))

    assert (handed.topic, handed.partition, handed.records) == ("t", 0, 3)
    assert producer.values("t") == [b"0", b"1", b"2"]


async def test_each_partition_of_each_topic_gets_a_batch_of_its_own() -> None:
    producer = FakeProducer()
    records = [outgoing(topic, b"v", partition) for topic in "tu" for partition in (0, 1)] * 2

    handed = await Outbox(lambda: producer).hand_over(records)

    assert sorted((one.topic, one.partition, one.records) for one in handed) == [
        ("t", 0, 2),
        ("t", 1, 2),
        ("u", 0, 2),
        ("u", 1, 2),
    ]


async def test_nothing_to_send_is_nothing_handed_over() -> None:
    producer = FakeProducer()

    assert (await Outbox(lambda: producer).hand_over([]), producer.batches) == ([], [])


async def test_more_than_a_batch_holds_is_split_in_order() -> None:
    producer = FakeProducer(batch_bytes=1_000)

    handed = await Outbox(lambda: producer).hand_over(numbered("t", 50, size=100))

    assert len(handed) > 5
    assert sum(one.records for one in handed) == 50
    assert producer.values("t") == [str(n).encode().zfill(100) for n in range(50)]


async def test_a_record_larger_than_a_batch_travels_alone() -> None:
    producer = FakeProducer(batch_bytes=1_000)
    records = [outgoing("t", b"a"), outgoing("t", b"b" * 5_000), outgoing("t", b"c")]

    await Outbox(lambda: producer).hand_over(records)

    assert [sent.values for sent in producer.batches] == [[b"a"], [b"b" * 5_000], [b"c"]]


async def test_key_value_headers_and_tombstones_arrive_as_given() -> None:
    producer = FakeProducer()
    headers = [("ce_id", b"x"), ("synthetic", b"1")]

    await Outbox(lambda: producer).hand_over(
        [Outgoing("t", 0, b"key", b"v", headers), Outgoing("t", 0, b"key", None, [])]
    )

    first, second = records_of(producer.batches[0].batch)
    assert (first.key, first.value, list(first.headers)) == (b"key", b"v", headers)
    assert (second.key, second.value, list(second.headers)) == (b"key", None, [])


async def test_a_batch_handed_over_takes_no_records_of_others() -> None:
    producer = FakeProducer()
    await Outbox(lambda: producer).hand_over(numbered("t", 1))

    assert producer.batches[0].was_closed


async def test_delivery_is_not_awaited() -> None:
    producer = FakeProducer(holding=True)

    (handed,) = await Outbox(lambda: producer).hand_over(numbered("t", 1))

    assert not handed.delivered.done()


async def test_full_buffers_are_waited_for_and_order_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "RETRY_PAUSE_S", 0)
    producer = FakeProducer(batch_bytes=1_000)
    producer.away = 3

    handed = await Outbox(lambda: producer).hand_over(numbered("t", 20, size=200))

    assert sum(one.records for one in handed) == 20
    assert producer.values("t") == [str(n).encode().zfill(200) for n in range(20)]


async def test_a_partition_that_must_wait_keeps_no_other_waiting() -> None:
    class Stuck(FakeProducer):
        async def send_batch(self, batch: object, topic: str, *, partition: int) -> asyncio.Future[object]:
            if topic == "stuck":
                await asyncio.Event().wait()
            return await super().send_batch(batch, topic, partition=partition)

    producer = Stuck()
    task = asyncio.create_task(Outbox(lambda: producer).hand_over([*numbered("stuck", 1), *numbered("t", 1)]))
    await turn()

    assert (producer.values("t"), task.done()) == ([b"0"], False)
    task.cancel()


async def test_what_waiting_does_not_mend_is_raised() -> None:
    class Refusing(FakeProducer):
        async def send_batch(self, batch: object, topic: str, *, partition: int) -> asyncio.Future[object]:
            raise MessageSizeTooLargeError

    with pytest.raises(MessageSizeTooLargeError):
        await Outbox(Refusing).hand_over(numbered("t", 1))


async def test_the_producer_is_asked_for_anew_each_time() -> None:
    # After a rebalance Faust may have made another one.
    producers = [FakeProducer(), FakeProducer()]
    current = [producers[0]]
    box = Outbox(lambda: current[0])
    await box.hand_over(numbered("t", 1))
    current[0] = producers[1]
    await box.hand_over(numbered("t", 2))

    assert [len(producer.values("t")) for producer in producers] == [1, 2]


@settings(max_examples=100)
@given(st.binary(max_size=60), st.integers(1, 64))
def test_the_partition_of_a_key_is_every_kafka_clients(key: bytes, partitions: int) -> None:
    numbers = list(range(partitions))

    assert partition_of(key, partitions) == DefaultPartitioner()(key, numbers, numbers)


@pytest.mark.parametrize(("key", "expected"), [(b"21", -973932308), (b"foobar", -790332482), (b"", 275646681)])
def test_the_partition_of_a_key_is_javas(key: bytes, expected: int) -> None:
    # Vectors of Apache Kafka's UtilsTest.testMurmur2.
    assert partition_of(key, 12) == (expected & 0x7FFFFFFF) % 12
