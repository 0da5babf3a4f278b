"""How far a copy has come: the offsets that a group without members has committed, so that Kafka itself keeps them.

A mark is set only when everything before it is acknowledged. After a kill the records behind the last mark are copied
again: at most one chunk, under the same `ce_id`.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from aiokafka import AIOKafkaConsumer, OffsetAndMetadata, TopicPartition

from streams.settings import KafkaSettings
from streams.topics.admin import admin_client

_NOTE: Final = "copied="


class Mark(NamedTuple):
    """One partition that is copied: the next offset to copy, and how many records were copied before it."""

    offset: int
    copied: int = 0


class Marks:
    """The marks of one copy. Use as a context manager."""

    def __init__(self, source: KafkaSettings, group: str) -> None:
        self.group = group
        self._kafka = source
        self._consumer = AIOKafkaConsumer(**source.client_arguments(), group_id=group, enable_auto_commit=False)

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._consumer.stop()

    async def read(self, beginnings: Mapping[TopicPartition, int]) -> dict[TopicPartition, Mark]:
        """The mark of each partition; its beginning where there is none yet, or where retention has passed it."""
        self._consumer.assign(list(beginnings))
        self._consumer.pause(*beginnings)  # it commits, and fetches nothing
        async with admin_client(self._kafka) as admin:
            committed = await admin.list_consumer_group_offsets(self.group)
        return {tp: _mark(committed.get(tp), beginning) for tp, beginning in beginnings.items()}

    async def set(self, marks: Mapping[TopicPartition, Mark]) -> None:
        """Keep the marks. Raises: KafkaError."""
        await self._consumer.commit(
            {tp: OffsetAndMetadata(mark.offset, f"{_NOTE}{mark.copied}") for tp, mark in marks.items()}
        )


def _mark(committed: Any, beginning: int) -> Mark:
    if committed is None or committed.offset < 0:
        return Mark(beginning)
    copied = committed.metadata.removeprefix(_NOTE)
    return Mark(max(committed.offset, beginning), int(copied) if copied.isdigit() else 0)
