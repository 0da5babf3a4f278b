"""The ids under which our records are written: learnt from the schema registry, and asked for again now and then."""

import asyncio
from collections.abc import Sequence
from itertools import cycle

import structlog

from gateway.errors import PublishError
from schemas.connection import RegistryConnection
from schemas.errors import MissingSchemaError, RegistryUnavailableError, SchemaError
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import Topic

RETRY_INTERVAL_S = 0.5
CHECK_INTERVAL_S = 2.0  # one topic's id each time: a registry that was replaced differs in many

log = structlog.get_logger()


class SchemaIds:
    """What the registry calls our schemas. `keep` must run for as long as records are encoded.

    topics: the first one is what readiness is about; the others are refused each by itself.
    """

    def __init__(self, connection: RegistryConnection, topics: Sequence[Topic]) -> None:
        self._registry = Registry(connection)
        self._topics = topics
        self._trouble = "schema registry: not asked yet"
        self._is_asked = False  # for each topic, whatever it said

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._registry.aclose()

    def encode(self, topic: Topic, record: Record) -> bytes:
        """The record's wire bytes. Raises: PublishError, without a word of the registry's: the sender may read it."""
        if not self._registry.has(topic):
            raise PublishError("the schema registry has no schema for it, or is away")
        return self._registry.encode(topic, record)

    def fault(self) -> str:
        """Why nothing can be encoded; empty when the first topic's records can."""
        return "" if self._can_begin() else self._trouble

    def note(self) -> str:
        """What is wrong although the first topic's records can be encoded; empty when all is well."""
        return self._trouble if self._can_begin() and not self._are_all_known() else ""

    async def keep(self) -> None:
        """Learn the ids, then ask for one after the other whether it still holds; never ends, whatever goes wrong."""
        in_turn = cycle(self._topics)
        while True:
            try:
                await self._learn_or_check(next(in_turn))
            except RegistryUnavailableError as error:
                self._tell(str(error))
            except SchemaError as error:
                self._is_asked = isinstance(error, MissingSchemaError)
                self._tell(str(error))
            except Exception as error:
                log.error("schemas.check_failed", exc_info=error)
                self._tell(f"schema registry: unexpected trouble, {type(error).__name__}")
            await asyncio.sleep(CHECK_INTERVAL_S if self._are_all_known() else RETRY_INTERVAL_S)

    async def _learn_or_check(self, topic: Topic) -> None:
        if self._are_all_known():
            await self._registry.check(topic)
            return
        await self._registry.look_up(self._topics)
        self._is_asked = True
        log.info("schemas.known", topics=[topic.name for topic in self._topics])

    def _can_begin(self) -> bool:
        return self._is_asked and self._registry.has(self._topics[0])

    def _are_all_known(self) -> bool:
        return all(map(self._registry.has, self._topics))

    def _tell(self, trouble: str) -> None:
        """A registry that is away changes nothing for ids that are known."""
        if self._are_all_known():
            return
        if trouble != self._trouble:
            log.error("schemas.unknown", reason=trouble)
        self._trouble = trouble
