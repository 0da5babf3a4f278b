"""Records kept on disk until Kafka has them: which keys wait, how many bytes they take, how old they are.

A record that Kafka will never take is set aside: kept, counted, not sent again until the next start. The spool uses up
to `max_bytes` of its disk, and SQLite's log of some MiB beside it.
"""

import asyncio
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gateway.errors import SpoolFullError, SpoolInUseError
from gateway.publishing.publisher import SpoolState
from gateway.publishing.spool_file import Content, Entry, FoundEntry, SpoolFile
from schemas.topic_names import DECLARED, TopicNames

OVERHEAD_BYTES: Final = 512  # what SQLite adds to an entry: its row, its two indexes, half a page
LOG_BYTES: Final = 8 * 1024 * 1024  # SQLite's log beside the entries

HeldKey = tuple[str, str]  # topic and key of records that wait


class Spool:
    """The records of one gateway process that wait for Kafka, under the real names of their topics.

    Use from one event loop.

    Open it before use. Only one process may have a directory open.
    """

    def __init__(self, directory: Path, max_bytes: int, names: TopicNames = DECLARED) -> None:
        self.directory = directory
        self.names = names
        self.max_bytes = max_bytes
        self.is_filled = asyncio.Event()
        self._file = SpoolFile(directory)
        self._held: Counter[HeldKey] = Counter()
        self._sizes: dict[int, tuple[int, HeldKey]] = {}
        self._bytes = 0
        self._refused = 0
        self._oldest_at: int | None = None

    @property
    def fault(self) -> str:
        """Why the disk refused the last time; empty when it did not."""
        return self._file.fault

    async def open(self) -> None:
        """Lock and read the directory, creating it when it is not there.

        Raises: SpoolError when it cannot be used: the start must fail, acknowledged callbacks may be in it.
        """
        await self._file.open(self._add_found)
        if foreign := self.names.foreign({topic for topic, _ in self._held}):
            await self._file.close()
            raise SpoolInUseError(
                f"{self.directory}: callbacks for {', '.join(foreign)} wait here, and AIRUDDER_TOPIC_PREFIX is "
                f"{self.names.prefix or 'unset'}: start a gateway with the former prefix until they are sent, or set "
                "another GATEWAY_SPOOL_DIR"
            )
        if self._sizes:
            self.is_filled.set()

    async def close(self) -> None:
        """Finish what is queued and unlock the directory. Repeat: safe."""
        await self._file.close()

    def holds(self, topic: str, key: str) -> bool:
        """Whether a record of this key waits, so that a later one has to wait behind it."""
        return (topic, key) in self._held

    def state(self) -> SpoolState:
        """Counts, sizes and age."""
        waiting = len(self._sizes) - self._refused
        return SpoolState(waiting, self._refused, self._bytes, self.max_bytes, self._oldest_at)

    def free_bytes(self) -> int:
        """What is free on its disk."""
        try:
            return shutil.disk_usage(self.directory).free
        except OSError:
            return 0

    def room_note(self) -> str:
        """Why GATEWAY_SPOOL_MAX_BYTES may not be reached; empty when the disk has room for all of it."""
        wanted, free = self.max_bytes - self._bytes + LOG_BYTES, self.free_bytes()
        if free >= wanted:
            return ""
        return (
            f"spool: its disk has {free} bytes free, and GATEWAY_SPOOL_MAX_BYTES wants {wanted} more: "
            "make room, or lower the limit"
        )

    async def put(self, content: Content) -> None:
        """Keep a record; returns after fsync. The same record again is kept once.

        Raises: SpoolFullError, SpoolError. A put that is cancelled may still keep the record.
        """
        size = size_of(content)
        if self._bytes + size > self.max_bytes:
            raise SpoolFullError(f"{self._bytes} of {self.max_bytes} bytes are in use")
        stored_at = time.time_ns() // 1_000_000
        job = self._file.insert(content, stored_at)
        held = (content.topic, content.key)
        self._bytes += size
        self._held[held] += 1
        job.add_done_callback(lambda done: self._note_put(done, size, held, stored_at))
        await asyncio.shield(job)

    async def first(self, count: int) -> list[Entry]:
        """The first entries that wait, in the order they came. Raises: SpoolError."""
        return await self._file.first(count)

    async def remove(self, seqs: Sequence[int]) -> None:
        """Remove entries that Kafka has acknowledged. Raises: SpoolError; they are sent again then."""
        first_stored_at = await self._file.remove(seqs)
        for seq in seqs:
            size, held = self._sizes.pop(seq)
            self._bytes -= size
            self._release(held)
        self._note_first(first_stored_at)

    async def set_aside(self, seq: int, reason: str) -> None:
        """Keep an entry, but do not return it again before the next start. Raises: SpoolError."""
        first_stored_at = await self._file.set_aside(seq, reason)
        self._refused += 1
        self._release(self._sizes[seq][1])
        self._note_first(first_stored_at)

    def _add_found(self, found: FoundEntry) -> None:
        """Count what an earlier process left; called in another thread, while nothing else runs."""
        content = found.content
        held = (content.topic, content.key) if content else ("", "")
        size = size_of(content) if content else found.blob_bytes + OVERHEAD_BYTES
        self._sizes[found.seq] = (size, held)
        self._bytes += size
        self._held[held] += 1
        self._oldest_at = found.stored_at if self._oldest_at is None else self._oldest_at

    def _note_put(self, done: asyncio.Future[int | None], size: int, held: HeldKey, stored_at: int) -> None:
        failed = done.cancelled() or done.exception() is not None
        seq = None if failed else done.result()
        if seq is None:  # failed, or there already
            self._bytes -= size
            self._release(held)
            return
        self._sizes[seq] = (size, held)
        self._oldest_at = stored_at if self._oldest_at is None else self._oldest_at
        self.is_filled.set()

    def _note_first(self, first_stored_at: int | None) -> None:
        self._oldest_at = first_stored_at
        if len(self._sizes) == self._refused:
            self.is_filled.clear()

    def _release(self, held: HeldKey) -> None:
        self._held[held] -= 1
        if self._held[held] <= 0:
            del self._held[held]


def size_of(content: Content) -> int:
    """What an entry counts for, in bytes."""
    headers = sum(len(name) + len(value) for name, value in content.headers)
    return OVERHEAD_BYTES + len(content.value) + len(content.key) + len(content.record_id) + headers
