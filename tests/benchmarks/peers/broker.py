"""What the benchmark itself does at the broker: fresh topics, the input, how far a group is, what has been written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from typing import Any

from confluent_kafka import (
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec
from confluent_kafka.cimpl import NewTopic

from schemas import codec
from schemas.records.outcomes import WindowedOutcomes
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLBACKS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from streams.settings import KafkaSettings, TopicSettings
from streams.topics.admin import apply_topics
from tests.benchmarks.peers.checks import Found
from tests.benchmarks.peers.groups import Groups
from tests.benchmarks.peers.job import Input, Trace, Windows, trace_of
from tests.benchmarks.peers.work import BY_SIP_LINE, BY_WORKFLOW
from tests.support.waiting import wait_until_true

OUTPUT_TOPICS = (CALLS.name, ANSWERS.name, CALL_ATTEMPTS.name)
RESULT_TOPICS = (WORKFLOW_OUTCOMES.name, SIP_LINE_OUTCOMES.name)
ASK_S = 30
READ_AT_ONCE = 10_000
FRAMED = 0  # the first byte of Confluent framing; counts of peers are written as digits

Ends = dict[tuple[str, int], int]


class Broker:
    """One benchmark's view of its broker. Synchronous. Close it while the broker lives: librdkafka 2.16's admin client
    was seen to wait forever for the end of its thread when its broker had gone first.
    """

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.groups = Groups(bootstrap)
        self._admin = self._new_admin()

    def __enter__(self) -> Broker:
        return self

    def __exit__(self, *error: object) -> None:
        self.groups.close()
        del self._admin  # there is no close; the last reference ends it

    def fresh_topics(self, app_id: str) -> None:
        """Drop every topic of an earlier run and create those of this one."""
        old = self._topics()
        if old:
            for future in self._admin.delete_topics(old, operation_timeout=ASK_S).values():
                future.result()
        wait_until_true(lambda: not self._topics(), ASK_S, "the old topics are gone")
        kafka = KafkaSettings(bootstrap_servers=self.bootstrap)
        asyncio.run(
            apply_topics(TopicSettings(kafka=kafka, app_id=app_id, partitions=self.partitions, replication_factor=1))
        )
        between = [NewTopic(name, self.partitions, 1) for name in (BY_WORKFLOW, BY_SIP_LINE)]
        for future in self._admin.create_topics(between).values():
            future.result()
        self._admin = self._new_admin()  # librdkafka remembers how many partitions a topic of that name had

    def _new_admin(self) -> AdminClient:
        return AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 2})

    def fill(self, inputs: Iterable[Input]) -> None:
        """Write the input, in order, and wait until all of it is acknowledged."""
        failed: list[KafkaError] = []
        producer = Producer(
            {
                "bootstrap.servers": self.bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 20,
                "compression.type": "zstd",
                "log_level": 2,  # no word of a coordinator that still loads: it asks again
            }
        )
        for record in inputs:
            while True:
                try:
                    headers: Any = record.headers
                    producer.produce(
                        CALLBACKS.name,
                        record.value,
                        record.key,
                        headers=headers,
                        on_delivery=lambda error, _: failed.append(error) if error else None,
                    )
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        left = producer.flush(ASK_S)
        assert not left, f"{left} callbacks were not acknowledged"
        assert not failed, f"{len(failed)} callbacks were refused: {failed[0]}"

    def ends(self, *topics: str) -> Ends:
        """End offset of every partition of topics that exist."""
        latest: Any = OffsetSpec.latest()  # type: ignore[no-untyped-call]
        asked = {TopicPartition(topic, n): latest for topic in topics for n in range(self.partitions)}
        found = {}
        for place, future in self._admin.list_offsets(asked, request_timeout=ASK_S).items():
            try:
                found[place.topic, place.partition] = int(future.result().offset)
            except KafkaException:  # a topic that the runner has not created yet
                continue
        return found

    def is_processed(self, group: str, reads: Iterable[str]) -> bool:
        """True when the group has committed the end of each topic, asked in this order: input first."""
        for topic in reads:
            committed, ends = self.groups.committed(group), self.ends(topic)
            if len(ends) < self.partitions or any(committed.get(place, 0) < end for place, end in ends.items()):
                return False
        return True

    def found(self) -> Found:
        """Everything that has been written until now."""
        outputs = [_trace(message) for message in self._read(OUTPUT_TOPICS)]
        windows: Windows = {topic: {} for topic in RESULT_TOPICS}
        for message in self._read(RESULT_TOPICS):
            windows[str(message.topic())][message.key().decode()] = calls_in(message.value())
        return Found(outputs, windows)

    def _topics(self) -> list[str]:
        return [name for name in self._admin.list_topics(timeout=ASK_S).topics if not name.startswith("__")]

    def _read(self, topics: Iterable[str]) -> Iterator[Any]:
        """All committed records of topics, each partition in its order."""
        ends = {place: end for place, end in self.ends(*topics).items() if end}
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": "bench-reader",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
            }
        )
        try:
            consumer.assign([TopicPartition(topic, number, 0) for topic, number in ends])
            yield from _until_ends(consumer, set(ends))
        finally:
            consumer.close()


def _until_ends(consumer: Consumer, open_places: set[tuple[str, int]]) -> Iterator[Any]:
    deadline = time.monotonic() + 10 * ASK_S
    while open_places:
        assert time.monotonic() < deadline, f"could not read {sorted(open_places)} to the end"
        for message in consumer.consume(READ_AT_ONCE, 1.0):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                open_places.discard((str(message.topic()), int(message.partition() or 0)))
            else:
                raise KafkaException(error)


def calls_in(value: bytes) -> int:
    """The calls that a window's record counts: ours as Avro, the peers' as digits."""
    if value[0] == FRAMED:
        return codec.decode(value, codec.parsed_schema("WindowedOutcomes"), WindowedOutcomes).calls
    return int(value)


def _trace(message: Any) -> Trace:
    headers = dict(message.headers() or [])
    return trace_of(message.topic(), headers["ce_id"].decode(), message.key(), message.value())
