"""The changelogs of a worker as a broker's housekeeping leaves them: cut off in front, emptied, compacted."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.errors import for_code

from schemas.topics import TABLES, changelog_name
from streams.settings import DEFAULT_APP_ID
from streams.topics.expected import expected_topics
from tests.support.waiting import wait_until

CLEANED_S = 90
AT_ONCE = {
    "segment.ms": "50",
    "min.cleanable.dirty.ratio": "0.0",
    "delete.retention.ms": "0",
    "max.compaction.lag.ms": "1",
}
BROKER_ID = "1"


class Changelogs:
    """All changelogs of the default app."""

    def __init__(self, bootstrap: str, partitions: int) -> None:
        self._bootstrap = bootstrap
        self.topics = [changelog_name(DEFAULT_APP_ID, table) for table in TABLES]
        wanted = {topic.name: topic.config for topic in expected_topics(DEFAULT_APP_ID)}
        self._configuration = wanted[self.topics[0]]  # the same for all
        self.partitions = [TopicPartition(topic, number) for topic in self.topics for number in range(partitions)]

    async def __aenter__(self) -> Self:
        self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
        self._consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, enable_auto_commit=False)
        await self._admin.start()
        await self._consumer.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._consumer.stop()
        await self._admin.close()

    async def ends(self) -> dict[Any, int]:
        """The end offset of each partition."""
        found: dict[Any, int] = await self._consumer.end_offsets(self.partitions)
        return found

    async def cut(self, before: dict[Any, int]) -> None:
        """Delete every record before these offsets: the log starts there. As after a time with another policy."""
        for topic in self.topics:
            await self._configure(ConfigResourceType.TOPIC, topic, {"cleanup.policy": "compact,delete"})
        await self._admin.delete_records({tp: RecordsToDelete(offset) for tp, offset in before.items()})
        for topic in self.topics:
            await self._configure(ConfigResourceType.TOPIC, topic, self._configuration)
        assert await self._consumer.beginning_offsets(list(before)) == before

    async def empty(self) -> None:
        """Delete every record."""
        await self.cut(await self.ends())

    async def let_compact(self) -> None:
        """Let the broker compact at once what is written from now on, tombstones too."""
        await self._configure(ConfigResourceType.BROKER, BROKER_ID, {"log.cleaner.backoff.ms": "200"})
        for topic in self.topics:
            await self._configure(ConfigResourceType.TOPIC, topic, {**self._configuration, **AT_ONCE})

    async def wait_for_compaction(self, *tables: str) -> None:
        """Wait until every partition of these tables, written to more than once, has lost records.

        What was written last is always there: the broker compacts no segment that may still grow.
        """
        topics = [changelog_name(DEFAULT_APP_ID, table) for table in tables]

        async def is_compacted() -> bool:
            ends = {tp: end for tp, end in (await self.ends()).items() if tp.topic in topics and end > 1}
            return all([len(await self.read(tp)) < end for tp, end in ends.items()])

        await wait_until(is_compacted, CLEANED_S, "every changelog is compacted")

    async def _configure(self, kind: ConfigResourceType, name: str, values: dict[str, str]) -> None:
        for response in await self._admin.alter_configs([ConfigResource(kind, name, values)]):
            for code, message, *_ in response.resources:
                assert not code, f"{for_code(code)}: {message}"

    async def read(self, tp: Any) -> list[Any]:
        """All records of a partition that are there."""
        [end], found = (await self._consumer.end_offsets([tp])).values(), []
        self._consumer.assign([tp])
        await self._consumer.seek_to_beginning(tp)
        while await self._consumer.position(tp) < end:
            for fetched in (await self._consumer.getmany(tp, timeout_ms=500)).values():
                found.extend(fetched)
        return found
