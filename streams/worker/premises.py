"""What a worker takes for granted from its start on, and asks for again: it must not go on when it is so no more.

- The number of partitions: keys are placed by it, in the topics as in the tables.
- Schema ids: records are written under them.
"""

import asyncio
from collections.abc import Mapping
from itertools import cycle
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import RegistryReplacedError, RegistryUnavailableError, SchemaError
from schemas.placement import WAY_OUT, changed_counts
from schemas.registry import Registry
from schemas.topics import CALLBACKS, CO_PARTITIONED, TOPICS
from streams.admin import admin_client, placed_by_count
from streams.errors import BrokerUnavailableError, SchemasError, TopicsError
from streams.settings import KafkaSettings

log = structlog.get_logger()

CHECK_INTERVAL_S: Final = 2.0
_NOTE: Final = "partitions="


def commit_note(partitions: Mapping[str, int]) -> str:
    """What is kept with each committed offset: the number of partitions that the state behind it was made with."""
    return f"{_NOTE}{partitions[CALLBACKS.name]}"


async def check_state(kafka: KafkaSettings, app_id: str, partitions: Mapping[str, int]) -> None:
    """Before anything is read: the state must have been made with as many partitions as there are now.

    Raises: TopicsError with the way out, BrokerUnavailableError.
    """
    async with admin_client(kafka) as admin:
        try:
            committed = await admin.list_consumer_group_offsets(app_id)
        except KafkaError as error:
            if not error.retriable:
                raise
            raise BrokerUnavailableError(
                f"Kafka does not tell the offsets of {app_id}: {type(error).__name__}"
            ) from error
    names = {topic.name for topic in CO_PARTITIONED}
    notes = {committed[tp].metadata for tp in committed if tp.topic in names}
    if foreign := sorted(note for note in notes if note.startswith(_NOTE) and note != commit_note(partitions)):
        made_with, now = foreign[0].removeprefix(_NOTE), partitions[CALLBACKS.name]
        raise TopicsError(
            f"the topics that {app_id} reads have {now} partitions each, and its state was made with {made_with}: "
            f"{WAY_OUT}"
        )


class Premises:
    """Asks again for as long as the worker runs."""

    def __init__(self, kafka: KafkaSettings, app_id: str, partitions: Mapping[str, int], registry: Registry) -> None:
        self._kafka = kafka
        self._counts = {name: partitions[name] for name in placed_by_count(app_id) if name in partitions}
        self._registry = registry

    async def watch(self) -> None:
        """Raises: TopicsError or SchemasError once something is so no more. Who is away is asked again."""
        topics = cycle(TOPICS)
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await self._check_ids(next(topics))
            try:
                await self._watch_counts(topics)
            except (BrokerUnavailableError, KafkaError, OSError, TimeoutError) as error:
                log.info("topics.not_checked", reason=type(error).__name__)

    async def _watch_counts(self, topics: Any) -> None:
        async with admin_client(self._kafka) as admin:
            while True:
                described = await admin.describe_topics()
                now = {topic["topic"]: len(topic["partitions"]) for topic in described}
                if fault := changed_counts(self._counts, {name: now.get(name, 0) for name in self._counts}):
                    raise TopicsError(fault)
                await asyncio.sleep(CHECK_INTERVAL_S)
                await self._check_ids(next(topics))

    async def _check_ids(self, topic: Any) -> None:
        try:
            await self._registry.check(topic)
        except RegistryReplacedError as error:
            raise SchemasError(str(error)) from error
        except RegistryUnavailableError:
            pass  # what is known stays true as far as anybody can tell
        except SchemaError as error:
            log.info("schemas.not_checked", reason=str(error))
