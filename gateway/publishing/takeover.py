"""Taking over the spools of former workers, after a restart with another number of workers.

A single process has its spool in GATEWAY_SPOOL_DIR itself; of several workers each has a directory below it. Worker 1,
or the single process, takes over before it serves, so that later callbacks of a key wait behind the earlier ones.
"""

import asyncio
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import structlog

from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import FILE_NAME
from gateway.settings import WORKER_DIR

TAKEN_AT_ONCE: Final = 500

log = structlog.get_logger()


def leftover_spools(root: str, workers: int) -> list[Path]:
    """Spools below `root` that belong to none of the present workers."""
    own = {Path(root)} if workers == 1 else {Path(root) / f"{WORKER_DIR}{number + 1}" for number in range(workers)}
    found = [file.parent for pattern in (FILE_NAME, f"{WORKER_DIR}*/{FILE_NAME}") for file in Path(root).glob(pattern)]
    return sorted(directory for directory in found if directory not in own)


async def take_over(spool: Spool, leftovers: Iterable[Path]) -> int:
    """Move the entries of other spools into this one, also over its size: they are acknowledged. Returns how many.

    Raises: SpoolError when another process has one open, or the disk refuses.
    Repeat: safe; an entry leaves the old spool only when it is in the new one. A damaged entry stays where it is.
    """
    max_bytes, spool.max_bytes = spool.max_bytes, sys.maxsize
    try:
        return sum([await _take_over(spool, Spool(directory, 0, spool.names)) for directory in leftovers])
    finally:
        spool.max_bytes = max_bytes


async def _take_over(spool: Spool, old: Spool) -> int:
    await old.open()
    try:
        taken = 0
        while entries := await old.first(TAKEN_AT_ONCE):
            whole = [(seq, content) for seq, content in entries if content is not None]
            await asyncio.gather(*(spool.put(content) for _, content in whole))
            await old.remove([seq for seq, _ in whole])
            for damaged in {seq for seq, _ in entries} - {seq for seq, _ in whole}:
                await old.set_aside(damaged, "its checksum does not hold")
                log.error("spool.set_aside", directory=str(old.directory), seq=damaged, reason="damaged")
            taken += len(whole)
        if taken:
            log.warning("spool.taken_over", directory=str(old.directory), entries=taken)
        return taken
    finally:
        await old.close()
