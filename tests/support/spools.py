"""Spools on disk for tests, and what goes into them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import Content
from schemas.codec import schema_text
from schemas.topics import CALLBACKS

MIB = 1024 * 1024


def content_of(record_id: str, key: str = "call", size: int = 10) -> Content:
    headers = [("ce_id", record_id.encode()), ("synthetic", b"1")]
    return Content(CALLBACKS.name, key, record_id, schema_text("Callback"), headers, b"v" * size)


@asynccontextmanager
async def open_spool(directory: Path, max_bytes: int = MIB) -> AsyncIterator[Spool]:
    spool = Spool(directory, max_bytes)
    await spool.open()
    try:
        yield spool
    finally:
        await spool.close()


async def ids(spool: Spool) -> list[str | None]:
    return [entry.content.record_id if entry.content else None for entry in await spool.first(10_000)]
