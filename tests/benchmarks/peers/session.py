"""What a benchmark's broker and registry are set to."""

from __future__ import annotations

from schemas.registry import Registry
from schemas.topics import TOPICS
from tests.benchmarks.peers.work import SchemaIds

BROKER_HEAP_MIB = 1024


async def schema_ids(registry_url: str) -> SchemaIds:
    """Our schemas registered, and the ids they got."""
    registry = Registry(registry_url)
    await registry.register(TOPICS)
    ids = SchemaIds(registry._ids)
    await registry.aclose()
    return ids
