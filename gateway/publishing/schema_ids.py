"""The ids under which our records are written: looked up in the schema registry, and checked again in turn."""

import asyncio
from collections.abc import Sequence
from itertools import cycle
from typing import Final

import structlog

from gateway.errors import PublishError
from schemas.connection import RegistryConnection
from schemas.errors import MissingSchemaError, RegistryUnavailableError, SchemaError
from schemas.records.record import Record
from schemas.registry import Registry
from schemas.topics import Topic

RETRY_INTERVAL_S: Final = 0.5
CHECK_INTERVAL_S: Final = 2.0  # one topic's id each time: a registry that was replaced differs in many

log = structlog.get_logger()


class SchemaIds:
    """The registry's ids of our schemas. `keep` must run as long as records are encoded.

    topics: readiness depends on the first one; records of another are refused while its own schema is unknown.
    """

    def __init__(self, connection: RegistryConnection, topics: Sequence[Topic]) -> None:
        self._registry = Registry(connection)
        self._names = connection.names
        self._topics = topics
        self._trouble = "schema registry: not asked yet"
        self._is_asked = False  # for each topic, whatever the answer

    async def aclose(self) -> None:
        """Close the connections. Safe to call twice."""
        await self._registry.aclose()

    def encode(self, topic: Topic, record: Record) -> bytes:
        """The record's wire bytes. Raises: PublishError, without the registry's text: the sender may read it."""
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
        """Look up the ids, then check one after the other; never ends, whatever goes wrong."""
        in_turn = cycle(self._topics)
        while True:
            try:
                await self._look_up_or_check(next(in_turn))
            except RegistryUnavailableError as error:
                self._set_trouble(str(error))
            except SchemaError as error:
                self._is_asked = isinstance(error, MissingSchemaError)
                self._set_trouble(str(error))
            except Exception as error:
                log.error("schemas.check_failed", exc_info=error)
                self._set_trouble(f"schema registry: unexpected trouble, {type(error).__name__}")
            await asyncio.sleep(CHECK_INTERVAL_S if self._are_all_known() else RETRY_INTERVAL_S)

    async def _look_up_or_check(self, topic: Topic) -> None:
        if self._are_all_known():
            await self._registry.check(topic)
            return
        await self._registry.look_up(self._topics)
        self._is_asked = True
        log.info("schemas.known", topics=[self._names.of(topic) for topic in self._topics])

    def _can_begin(self) -> bool:
        return self._is_asked and self._registry.has(self._topics[0])

    def _are_all_known(self) -> bool:
        return all(map(self._registry.has, self._topics))

    def _set_trouble(self, trouble: str) -> None:
        """Note and log it, unless all ids are known: then an absent registry changes nothing."""
        if self._are_all_known():
            return
        if trouble != self._trouble:
            log.error("schemas.unknown", reason=trouble)
        self._trouble = trouble
