"""A process that spools as fast as it can and notes what it was promised, to be killed at any moment."""

from __future__ import annotations

import asyncio
import os
from itertools import count
from pathlib import Path
from random import Random

from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import FILE_NAME, Content
from schemas.codec import schema_text
from schemas.topics import CALLBACKS

MAX_BYTES = 64 * 1024 * 1024
KEYS = 20
WRITERS = 8
REMOVE_EVERY = 25  # puts of the one writer that also removes


def content_of(record_id: str) -> Content:
    """The one record of this id. The id determines every byte."""
    random = Random(record_id)
    headers = [("ce_id", record_id.encode())]
    value = random.randbytes(random.randrange(10, 3000))
    return Content(CALLBACKS.name, f"call-{random.randrange(KEYS)}", record_id, schema_text("Callback"), headers, value)


def run(directory: Path, notes: Path, life: str) -> None:
    """Spool until killed. Notes, a line each: `+ id log_bytes` after a put returned, `- id` before a removal."""
    fd = os.open(notes, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    asyncio.run(_spool(directory, fd, life))


async def _spool(directory: Path, fd: int, life: str) -> None:
    spool = Spool(directory, MAX_BYTES)
    await spool.open()
    log = directory / f"{FILE_NAME}-wal"
    await asyncio.gather(
        _put_for_ever(spool, log, fd, f"{life}-0", remove_every=REMOVE_EVERY),
        *(_put_for_ever(spool, log, fd, f"{life}-{number}") for number in range(1, WRITERS)),
    )


async def _put_for_ever(spool: Spool, log: Path, fd: int, name: str, remove_every: int | None = None) -> None:
    for number in count(1):
        content = content_of(f"{name}-{number}")
        await spool.put(content)
        os.write(fd, f"+ {content.record_id} {_size(log)}\n".encode())
        if remove_every and number % remove_every == 0:
            await _remove_some(spool, fd)


def _size(path: Path) -> int:
    return path.stat().st_size


async def _remove_some(spool: Spool, fd: int) -> None:
    """What a drain does: the first entries go."""
    entries = await spool.first(WRITERS * REMOVE_EVERY // 2)
    for entry in entries:
        if entry.content:
            os.write(fd, f"- {entry.content.record_id}\n".encode())
    await spool.remove([entry.seq for entry in entries])
