"""The floor on aiokafka: record batches with one future each, three runs on their way, commits once a second."""

from __future__ import annotations

import asyncio
import sys
import time
from collections import deque
from typing import Any

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from schemas.placement import partition_of
from streams.worker.faust_app import BATCH_BYTES, COMMIT_INTERVAL_S, MAX_POLL_RECORDS
from streams.worker.outbox import Outbox, Outgoing
from streams.worker.pipeline import DEPTH
from tests.benchmarks.peers.floor_work import FloorWork
from tests.benchmarks.peers.job import PARTITIONS
from tests.benchmarks.peers.work import Output, Place

BREATHE_EVERY = 20


class Floor:
    """Runs until it is killed."""

    def __init__(self, place: Place, *, windows: bool) -> None:
        self._work = FloorWork(place, windows=windows)
        self._consumer = AIOKafkaConsumer(
            *self._work.topics,
            bootstrap_servers=place.bootstrap,
            group_id=place.group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_records=MAX_POLL_RECORDS,
        )
        self._producer = AIOKafkaProducer(
            bootstrap_servers=place.bootstrap,
            acks="all",
            enable_idempotence=True,
            compression_type="zstd",
            linger_ms=5,
            max_batch_size=BATCH_BYTES,
        )
        self._outbox = Outbox(lambda: self._producer)
        self._on_their_way: deque[tuple[Any, int, list[Any]]] = deque()
        self._settled: dict[Any, int] = {}
        self._committed_at = time.monotonic()

    async def run(self) -> None:
        """Poll, work, hand over; settle in order; commit what is settled."""
        await self._producer.start()
        await self._consumer.start()
        while True:
            runs = await self._consumer.getmany(timeout_ms=100, max_records=MAX_POLL_RECORDS)
            for tp, records in runs.items():
                await self._take(tp, records)
            while self._on_their_way and (len(self._on_their_way) > DEPTH or not runs):
                await self._settle_oldest()
            if self._settled and time.monotonic() - self._committed_at >= COMMIT_INTERVAL_S:
                await self._consumer.commit(self._settled)
                self._settled, self._committed_at = {}, time.monotonic()

    async def _take(self, tp: Any, records: list[Any]) -> None:
        outputs: list[Output] = []
        for number, record in enumerate(records):
            outputs += self._work.take(tp.topic, tp.partition, record.offset, record.key, record.value, record.headers)
            if number % BREATHE_EVERY == 0:
                await asyncio.sleep(0)
        outputs += self._work.results(tp.topic, tp.partition)
        out = [Outgoing(o.topic, partition_of(o.key, PARTITIONS), o.key, o.value, o.headers) for o in outputs]
        handed = await self._outbox.hand_over(out)
        self._on_their_way.append((tp, records[-1].offset + 1, [batch.delivered for batch in handed]))

    async def _settle_oldest(self) -> None:
        tp, offset, delivered = self._on_their_way.popleft()
        await asyncio.gather(*delivered)
        self._settled[tp] = offset


async def main() -> None:
    await Floor(Place.from_env(), windows="--windows" in sys.argv).run()


if __name__ == "__main__":
    uvloop.run(main())
