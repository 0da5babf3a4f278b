"""Reads whole topics, from their beginning on, without a consumer group."""

from dataclasses import dataclass
from typing import Final

from aiokafka import TopicPartition

from streams.monitor.broker import connecting, groupless, partitions_of, stop, translated
from streams.settings import KafkaSettings

MAX_RECORDS: Final = 500


@dataclass(frozen=True)
class KeptRecord:
    """One record of a topic; appended_at in epoch ms, value None for a tombstone."""

    topic: str
    partition: int
    offset: int
    appended_at: int
    key: bytes | None
    value: bytes | None


class WholeTopicsConsumer:
    """Every record of some topics, oldest first within a partition. After an error close it and open another."""

    def __init__(self, settings: KafkaSettings, topics: tuple[str, ...]) -> None:
        self._settings = settings
        self._topics = topics
        self._admin, self._consumer = groupless(settings, "earliest")
        self._behind: dict[TopicPartition, int] = {}
        self._held_since: dict[TopicPartition, int] = {}

    async def open(self) -> None:
        """Start at the beginning. Raises: TopicsMissingError, BrokerUnavailableError."""
        async with connecting(self._settings):
            await self._admin.start()
            await self._consumer.start()
            tps = await self._partitions()
            self._consumer.assign(tps)
            begin = await self._consumer.beginning_offsets(tps)
            end = await self._consumer.end_offsets(tps)
            for tp in tps:
                self._consumer.seek(tp, begin[tp])
        self._behind = {tp: end[tp] for tp in tps if begin[tp] < end[tp]}

    async def _partitions(self) -> list[TopicPartition]:
        found = await partitions_of(self._admin, self._topics)
        return [TopicPartition(name, number) for name, numbers in found.items() for number in numbers]

    async def read(self, timeout_s: float) -> list[KeptRecord]:
        """The next records; none when nothing came within the time. Raises: BrokerUnavailableError."""
        async with translated(self._settings):
            batches = await self._consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=MAX_RECORDS)
        return [
            KeptRecord(tp.topic, tp.partition, record.offset, record.timestamp, record.key, record.value)
            for tp, records in batches.items()
            for record in records
        ]

    async def is_caught_up(self) -> bool:
        """True once everything that was there at `open` has been returned by `read`."""
        async with translated(self._settings):
            for tp, end in list(self._behind.items()):
                if await self._consumer.position(tp) >= end:
                    del self._behind[tp]
        return not self._behind

    async def has_all_partitions(self) -> bool:
        """False once the topics have other partitions than were assigned at `open`."""
        async with translated(self._settings):
            return bool(set(await self._partitions()) == self._consumer.assignment())

    def heard_at_ms(self) -> int | None:
        """Up to when all partitions were read completely, epoch ms; None before they ever were.

        Records behind an open transaction cannot be read: then its partition was complete when the transaction began.
        """
        heard = [self._heard_of(tp) for tp in self._consumer.assignment()]
        return min(known) if (known := [at_ms for at_ms in heard if at_ms is not None]) and None not in heard else None

    def held_back(self) -> list[str]:
        """The partitions with records behind an open transaction."""
        return sorted(f"{tp.topic}/{tp.partition}" for tp in self._held_since)

    def _heard_of(self, tp: TopicPartition) -> int | None:
        at_ms: int | None = self._consumer.last_poll_timestamp(tp)
        if at_ms is None or at_ms == -1:
            return None
        high, stable = self._consumer.highwater(tp), self._consumer.last_stable_offset(tp)
        if high is None or stable is None or stable < 0 or high <= stable:
            self._held_since.pop(tp, None)
            return at_ms
        return self._held_since.setdefault(tp, at_ms)

    async def close(self) -> None:
        """Disconnect. Repeat: safe, also after a failed open."""
        await stop(self._consumer, self._admin)
