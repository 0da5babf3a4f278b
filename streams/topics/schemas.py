"""Schemas in the registry: `topics apply` registers them, `topics check` compares them."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from schemas.connection import RegistryConnection
from schemas.errors import RegistryUnavailableError, SchemaError
from schemas.registry import Registry
from schemas.topics import TOPICS, Topic
from streams.errors import SchemasError
from streams.topics.registry_errors import registry_errors


async def apply_schemas(registry: RegistryConnection | str) -> int:
    """Register every schema in one order, after setting the rule of its subject. Returns how many. Repeat: safe.

    Raises: SchemasError naming each refused schema and each foreign version, RegistryAwayError.
    """
    async with _opened(registry) as known:
        await known.register(TOPICS)
        await _refuse_foreign(known)
    return len(TOPICS)


async def check_schemas(registry: RegistryConnection | str) -> int:
    """How many schemas are registered. Raises: SchemasError for a missing or foreign one, RegistryAwayError."""
    async with _opened(registry) as known:
        try:
            await known.look_up(TOPICS)
        except RegistryUnavailableError:
            raise
        except SchemaError as error:
            there = [topic for topic in TOPICS if known.has(topic)]
            raise SchemasError("\n".join([str(error), *await _foreign(known, there)])) from error
        await _refuse_foreign(known)
    return len(TOPICS)


async def _refuse_foreign(registry: Registry) -> None:
    if faults := await _foreign(registry, TOPICS):
        raise SchemasError("\n".join(faults))


async def _foreign(registry: Registry, topics: Iterable[Topic]) -> list[str]:
    return [fault for topic in topics for fault in await registry.foreign_versions(topic)]


@asynccontextmanager
async def _opened(connection: RegistryConnection | str) -> AsyncIterator[Registry]:
    registry = Registry(connection)
    try:
        with registry_errors():
            yield registry
    finally:
        await registry.aclose()
