"""The floor on librdkafka (confluent-kafka): its threads batch and compress; flushed and committed once a second."""

from __future__ import annotations

import sys
import time
from typing import Any

from confluent_kafka import Consumer, KafkaException, Producer

from streams.worker.faust_app import BATCH_BYTES, COMMIT_INTERVAL_S
from tests.benchmarks.peers.floor_work import FloorWork
from tests.benchmarks.peers.work import Output, Place

POLLED = 500
FLUSH_S = 30


class Floor:
    """Runs until it is killed."""

    def __init__(self, place: Place, *, windows: bool) -> None:
        self._work = FloorWork(place, windows=windows)
        self._consumer = Consumer(
            {
                "bootstrap.servers": place.bootstrap,
                "group.id": place.group,
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        self._producer = Producer(
            {
                "bootstrap.servers": place.bootstrap,
                "enable.idempotence": True,
                "compression.type": "zstd",
                "partitioner": "murmur2_random",
                "linger.ms": 5,
                "batch.size": BATCH_BYTES,
                "queue.buffering.max.messages": 500_000,
            }
        )
        self._committed_at = time.monotonic()

    def run(self) -> None:
        """Poll, work, produce; flush and commit once a second."""
        self._consumer.subscribe(list(self._work.topics))
        while True:
            runs: dict[tuple[str, int], None] = {}
            for message in self._consumer.consume(POLLED, 0.1):
                if message.error():
                    raise KafkaException(message.error())
                place = str(message.topic()), int(message.partition() or 0)
                runs[place] = None
                headers: Any = message.headers() or []
                self._send(
                    self._work.take(
                        *place, int(message.offset() or 0), message.key() or b"", message.value() or b"", headers
                    )
                )
            for place in runs:
                self._send(self._work.results(*place))
            self._producer.poll(0)
            if time.monotonic() - self._committed_at >= COMMIT_INTERVAL_S:
                self._commit()

    def _send(self, outputs: list[Output]) -> None:
        for output in outputs:
            headers: Any = output.headers
            while True:
                try:
                    self._producer.produce(
                        output.topic, output.value, output.key, headers=headers, on_delivery=_must_succeed
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)

    def _commit(self) -> None:
        if self._producer.flush(FLUSH_S):
            raise TimeoutError(f"not flushed within {FLUSH_S} s")
        try:
            self._consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].name() != "_NO_OFFSET":  # nothing new to commit
                raise
        self._committed_at = time.monotonic()


def _must_succeed(error: Any, message: Any) -> None:
    del message
    if error is not None:
        raise KafkaException(error)


if __name__ == "__main__":
    Floor(Place.from_env(), windows="--windows" in sys.argv).run()
