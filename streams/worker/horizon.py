"""The horizon: the receipt time up to which everything is processed. A watermark, in Flink's word.

A window may close when no call for it can still be on its way. A wall clock does not know: a backlog may be waiting. So
the end offsets of each topic are noted as a mark now and then; once the group has committed past them, everything that
was there at that time is processed. The ends are those of the log: records behind the start of an open transaction
cannot be read yet, but they have been received. The mark then moves on to the topics that the outputs went to:

    callbacks -> re-keyed details -> changes of a partition's windows

`Horizon` is pure; `HorizonPoller` reads the broker's offsets. A mark is UTC epoch ms of the poller's clock.
"""

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from schemas.topic_names import DECLARED, TopicNames
from schemas.topics import CALLBACKS, REKEYED_DETAILS
from streams.errors import TopicsError
from streams.settings import KafkaSettings

# A callback may be on its way from gateway to broker for as long as the gateway's deadline, and clocks differ a little.
SLACK_MS: Final = 5_000
KEPT_MARKS: Final = 600
POLL_TIMEOUT_S: Final = 10.0
BEGINS_AGAIN_MS: Final = 10_000

Offsets = Mapping[TopicPartition, int]


class PendingMarks:
    """Marks waiting for their offsets to be committed."""

    def __init__(self, partitions: list[TopicPartition]) -> None:
        self._partitions = partitions
        self._waiting: deque[tuple[int, dict[TopicPartition, int]]] = deque()
        self._reached: int | None = None

    def advance(self, committed: Offsets) -> int | None:
        """The latest mark whose offsets are all committed; None before the first."""
        while self._waiting and self._is_done(self._waiting[0][1], committed):
            self._reached = self._waiting.popleft()[0]
        return self._reached

    def note(self, mark: int | None, ends: Offsets) -> None:
        """Everything that belongs to `mark` lies before these end offsets. Without a mark there is nothing to note."""
        if mark is None:
            return
        if len(self._waiting) == KEPT_MARKS:
            self._waiting.pop()  # the newest: the oldest is the next to be reached
        self._waiting.append((mark, {tp: ends.get(tp, 0) for tp in self._partitions}))

    @staticmethod
    def _is_done(ends: Offsets, committed: Offsets) -> bool:
        return all(committed.get(tp, 0) >= end for tp, end in ends.items())


class Horizon:
    """The chain of marks, up to each partition of each topic of window changes."""

    def __init__(
        self, partitions: Mapping[str, int], window_topics: tuple[str, ...], names: TopicNames = DECLARED
    ) -> None:
        self._callbacks = PendingMarks(_all_of(names.of(CALLBACKS), partitions))
        self._rekeyed = PendingMarks(_all_of(names.of(REKEYED_DETAILS), partitions))
        self._windows = {tp: PendingMarks([tp]) for name in window_topics for tp in _all_of(name, partitions)}

    def update(self, now_ms: int, committed: Offsets, ends: Offsets) -> dict[TopicPartition, int]:
        """Receipt time up to which each partition of window changes is processed; one without any is absent.

        now_ms: the clock before the first request; committed: requested before `ends`.
        """
        mark = self._callbacks.advance(committed)
        rekeyed_mark = self._rekeyed.advance(committed)
        self._callbacks.note(now_ms, ends)
        self._rekeyed.note(mark, ends)
        reached = {}
        for tp, stage in self._windows.items():
            done = stage.advance(committed)
            stage.note(rekeyed_mark, ends)
            if done is not None:
                reached[tp] = done - SLACK_MS
        return reached


class HorizonPoller:
    """Reads the offsets with clients of its own. They are opened when needed, and again after an error."""

    def __init__(
        self, kafka: KafkaSettings, group: str, partitions: Mapping[str, int], topics: tuple[str, ...]
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._horizon = Horizon(partitions, topics, kafka.names)
        watched = (kafka.names.of(CALLBACKS), kafka.names.of(REKEYED_DETAILS), *topics)
        self._partitions = [tp for name in watched for tp in _all_of(name, partitions)]
        self._admin: Any = None
        self._consumer: Any = None
        self._committed_only: Any = None
        self._behind_since: dict[TopicPartition, int] = {}
        self.lags: dict[TopicPartition, int] = {}
        """Offsets that can be read and are not yet committed, by partition, of all workers; empty while the broker does
        not answer."""
        self.held_since: dict[TopicPartition, int] = {}
        """Partitions with records behind an open transaction, which cannot be read; since when, epoch ms."""

    async def _connect(self) -> None:
        arguments = {**self._kafka.client_arguments(), "enable_auto_commit": False}
        self._admin = AIOKafkaAdminClient(**self._kafka.client_arguments())
        self._consumer = AIOKafkaConsumer(**arguments)
        self._committed_only = AIOKafkaConsumer(**arguments, isolation_level="read_committed")
        for client in (self._admin, self._consumer, self._committed_only):
            await client.start()

    async def stop(self) -> None:
        """Disconnect. Repeat: safe."""
        consumers, admin = (self._consumer, self._committed_only), self._admin
        self._admin = self._consumer = self._committed_only = None
        for consumer in consumers:
            if consumer is not None:
                await consumer.stop()
        if admin is not None:
            await admin.close()

    async def poll(self, now_ms: int) -> dict[TopicPartition, int]:
        """See `Horizon.update`. Raises aiokafka's errors, OSError or TimeoutError; polling may go on after those.

        Raises: TopicsError when a log ends before a committed offset.
        """
        try:
            async with asyncio.timeout(POLL_TIMEOUT_S):
                return await self._poll(now_ms)
        except BaseException:
            self.lags = {}
            await self.stop()
            raise

    async def _poll(self, now_ms: int) -> dict[TopicPartition, int]:
        if self._admin is None:
            await self._connect()
        found = await self._admin.list_consumer_group_offsets(self._group)
        # Records that expired unread will never be committed: they count as processed.
        begins = await self._consumer.beginning_offsets(self._partitions)
        committed = {tp: max(found[tp].offset if tp in found else 0, begin) for tp, begin in begins.items()}
        ends = await self._consumer.end_offsets(self._partitions)
        self._refuse_logs_that_begin_again(now_ms, committed, ends)
        readable = await self._committed_only.end_offsets(self._partitions)
        self.lags = {tp: end - committed[tp] for tp, end in readable.items()}
        self.held_since = {tp: self.held_since.get(tp, now_ms) for tp, end in ends.items() if readable[tp] < end}
        return self._horizon.update(now_ms, committed, ends)

    def _refuse_logs_that_begin_again(self, now_ms: int, committed: Offsets, ends: Offsets) -> None:
        """New records below the committed offset would pass for old ones. A new leader may have fewer for a moment."""
        behind = [tp for tp, end in ends.items() if end < committed[tp]]
        self._behind_since = {tp: self._behind_since.get(tp, now_ms) for tp in behind}
        if again := [tp for tp, since_ms in self._behind_since.items() if now_ms - since_ms >= BEGINS_AGAIN_MS]:
            first = min(again)
            raise TopicsError(
                f"{first.topic}[{first.partition}] ends at offset {ends[first]}, and {committed[first]} were "
                "processed: the topic was deleted and made anew, or cut short. Its new records would pass for old "
                "ones: stop the workers, run `python -m streams topics apply` with a new STREAMS_APP_ID, and start "
                "them with it; calls that are still in the topic are read again"
            )


def _all_of(topic: str, partitions: Mapping[str, int]) -> list[TopicPartition]:
    return [TopicPartition(topic, number) for number in range(partitions[topic])]
