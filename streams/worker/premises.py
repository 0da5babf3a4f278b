"""The premises of a running worker, checked again and again: it must not go on when one no longer holds.

- The number of partitions: it places keys, in the topics and in the tables.
- Schema ids: records are written under them.
- Its name in the group: no other member has it, as a copy of its data would.
"""

import asyncio
from collections.abc import Collection, Mapping
from itertools import cycle
from typing import Any, Final

import structlog
from aiokafka.errors import KafkaError

from schemas.errors import RegistryReplacedError, RegistryUnavailableError, SchemaError
from schemas.placement import WAY_OUT, changed_counts
from schemas.registry import Registry
from schemas.topic_names import TopicNames
from schemas.topics import CALLBACKS, CO_PARTITIONED, TOPICS
from streams.errors import BrokerUnavailableError, DataDirInUseError, SchemasError, TopicsError
from streams.settings import KafkaSettings
from streams.topics.admin import admin_client
from streams.topics.expected import placed_by_count
from streams.worker.identity import Identity

log = structlog.get_logger()

CHECK_INTERVAL_S: Final = 2.0
_NOTE: Final = "partitions="


def commit_note(partitions: int) -> str:
    """The note of each committed offset: the number of partitions that the state behind it was made with."""
    return f"{_NOTE}{partitions}"


async def check_state(kafka: KafkaSettings, group: str, partitions: Mapping[str, int]) -> None:
    """Before anything is read: the state must have been made with as many partitions as there are now.

    Raises: TopicsError with the way out, BrokerUnavailableError.
    """
    async with admin_client(kafka) as admin:
        try:
            committed = await admin.list_consumer_group_offsets(group)
        except KafkaError as error:
            if not error.retriable:
                raise
            raise BrokerUnavailableError(
                f"Kafka does not answer with the offsets of {group}: {type(error).__name__}"
            ) from error
    _refuse_foreign_topics(kafka.names, group, {tp.topic for tp in committed})
    names = set(map(kafka.names.of, CO_PARTITIONED))
    now = partitions[kafka.names.of(CALLBACKS)]
    notes = {committed[tp].metadata for tp in committed if tp.topic in names}
    if foreign := sorted(note for note in notes if note.startswith(_NOTE) and note != commit_note(now)):
        made_with = foreign[0].removeprefix(_NOTE)
        raise TopicsError(
            f"the topics that {group} reads have {now} partitions each, and its state was made with {made_with}: "
            f"{WAY_OUT}"
        )


def _refuse_foreign_topics(names: TopicNames, group: str, topics: Collection[str]) -> None:
    """A group that has read topics under another prefix: its tables and changelogs belong to those."""
    if foreign := names.foreign(topics):
        raise TopicsError(
            f"group {group} has read {foreign[0]}, which is no topic under AIRUDDER_TOPIC_PREFIX={names.prefix}: the "
            "state of another set of topics is in its changelogs; give this one another STREAMS_APP_ID"
        )


async def check_name(kafka: KafkaSettings, group: str, identity: Identity) -> None:
    """Before the group is joined: no member elsewhere may have this worker's name.

    Kafka forgets a dead member after the session's time-out, so the check is worth repeating for that long.
    Raises: DataDirInUseError, BrokerUnavailableError.
    """
    async with admin_client(kafka) as admin:
        try:
            await _refuse_twin(admin, group, identity)
        except KafkaError as error:
            if not error.retriable:
                raise
            raise BrokerUnavailableError(
                f"Kafka does not answer about group {group}: {type(error).__name__}"
            ) from error


async def _refuse_twin(admin: Any, group: str, identity: Identity) -> None:
    [response] = await admin.describe_consumer_groups([group])
    [group] = response.to_object()["groups"]
    if hosts := identity.hosts_elsewhere(group):
        raise DataDirInUseError(
            f"a worker on {', '.join(sorted(hosts))} is in group {group} by the name that STREAMS_DATA_DIR gives to "
            "this one: one of the two directories is a copy. Empty the copy, or set another directory: what was in it "
            "is restored from Kafka"
        )


class Premises:
    """Checks the premises for as long as the worker runs."""

    def __init__(
        self,
        kafka: KafkaSettings,
        group: str,
        partitions: Mapping[str, int],
        registry: Registry,
        identity: Identity,
    ) -> None:
        self._kafka = kafka
        self._group = group
        self._identity = identity
        self._counts = {name: partitions[name] for name in placed_by_count(group, kafka.names) if name in partitions}
        self._registry = registry

    async def watch(self) -> None:
        """Raises: TopicsError, SchemasError or DataDirInUseError once a premise no longer holds.

        A request to an unreachable broker or registry is repeated.
        """
        topics = cycle(TOPICS)
        while True:
            await asyncio.sleep(CHECK_INTERVAL_S)
            await self._check_ids(next(topics))
            try:
                await self._watch_kafka(topics)
            except (BrokerUnavailableError, KafkaError, OSError, TimeoutError) as error:
                log.info("topics.not_checked", reason=type(error).__name__)

    async def _watch_kafka(self, topics: Any) -> None:
        async with admin_client(self._kafka) as admin:
            while True:
                described = await admin.describe_topics()
                now = {topic["topic"]: len(topic["partitions"]) for topic in described}
                if fault := changed_counts(self._counts, {name: now.get(name, 0) for name in self._counts}):
                    raise TopicsError(fault)
                await _refuse_twin(admin, self._group, self._identity)
                await asyncio.sleep(CHECK_INTERVAL_S)
                await self._check_ids(next(topics))

    async def _check_ids(self, topic: Any) -> None:
        try:
            await self._registry.check(topic)
        except RegistryReplacedError as error:
            raise SchemasError(str(error)) from error
        except RegistryUnavailableError:
            pass  # the known ids hold until the registry says otherwise
        except SchemaError as error:
            log.info("schemas.not_checked", reason=str(error))
