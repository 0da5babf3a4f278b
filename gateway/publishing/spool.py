"""Records kept on disk until Kafka has them: SQLite in WAL mode with synchronous=FULL, written by one thread.

What waits for the disk at one moment is committed in one transaction, so one fsync serves many requests. An entry
carries a checksum and is read back in the order it came. What Kafka will never take is set aside: kept, counted, not
sent again until the next start. Disk: up to `max_bytes`, and SQLite's log of some MiB beside it.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import shutil
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import msgspec

from gateway.errors import SpoolError, SpoolFullError, SpoolInUseError
from schemas.headers import Headers
from schemas.runtime.disk_faults import in_words

FILE_NAME = "spool.sqlite"
OVERHEAD_BYTES = 512  # what SQLite adds to an entry: its row, its two indexes, half a page
LOG_BYTES = 8 * 1024 * 1024  # SQLite's log beside the entries
COMMIT_JOBS = 500  # at most this many jobs in one transaction
_CHECKSUM_BYTES = 16

_TABLES = (
    """CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, record_id TEXT NOT NULL, stored_at INTEGER NOT NULL,
        content BLOB NOT NULL, checksum BLOB NOT NULL, refused TEXT, UNIQUE (topic, record_id))""",
    "CREATE INDEX IF NOT EXISTS waiting ON entries (seq) WHERE refused IS NULL",
    "CREATE TABLE IF NOT EXISTS schemas (fingerprint TEXT PRIMARY KEY, text TEXT NOT NULL)",
)
_FIRST_WAITING = "SELECT stored_at FROM entries WHERE refused IS NULL ORDER BY seq LIMIT 1"

T = TypeVar("T")


class Content(NamedTuple):
    """One record as it will be published. `value`: wire bytes with schema id 0, written with `schema`."""

    topic: str
    key: str
    record_id: str
    schema: str
    headers: Headers
    value: bytes


class Entry(NamedTuple):
    """A record read back; `content` is None when its checksum does not hold."""

    seq: int
    content: Content | None


class SpoolState(NamedTuple):
    """What is in the spool now. `oldest_at`: epoch ms, None when nothing waits. `notes`: for an operator."""

    entries: int
    refused: int
    bytes: int
    max_bytes: int
    oldest_at: int | None
    notes: tuple[str, ...] = ()
    free_bytes: int = 0  # of its disk


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class Spool:
    """The records of one gateway process that wait for Kafka. Use from one event loop.

    Open it before use. Only one process may have a directory open.
    """

    def __init__(self, directory: Path, max_bytes: int) -> None:
        self.directory = directory
        self.max_bytes = max_bytes
        self.is_filled = asyncio.Event()
        self.fault = ""
        self._held: Counter[tuple[str, str]] = Counter()
        self._sizes: dict[int, tuple[int, tuple[str, str]]] = {}
        self._bytes = 0
        self._refused = 0
        self._oldest_at: int | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._known_schemas: dict[str, str] = {}
        self._lock_fd = -1
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self) -> None:
        """Lock and read the directory, creating it when it is not there.

        Raises: SpoolError when it cannot be used: the start must fail, acknowledged callbacks may be in it.
        """
        self._loop = asyncio.get_running_loop()
        try:
            connection = await asyncio.to_thread(self._connect)
        except SpoolInUseError:
            self._unlock()
            raise
        except (OSError, sqlite3.Error) as error:
            self._unlock()
            reason = in_words(error) if isinstance(error, OSError) else error
            raise SpoolError(f"{self.directory}: {reason}") from error
        self._thread = threading.Thread(target=self._write, args=(connection,), name="spool", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Finish what is queued and give the directory free. Repeat: safe."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
            self._unlock()

    def holds(self, topic: str, key: str) -> bool:
        """Whether a record of this key waits, so that a later one has to wait behind it."""
        return (topic, key) in self._held

    def state(self) -> SpoolState:
        """Counts, sizes and age."""
        waiting = len(self._sizes) - self._refused
        return SpoolState(waiting, self._refused, self._bytes, self.max_bytes, self._oldest_at)

    def free_bytes(self) -> int:
        """What its disk has left for us."""
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

        Raises: SpoolFullError, SpoolError. Cancelled, it may be kept all the same.
        """
        size = size_of(content)
        if self._bytes + size > self.max_bytes:
            raise SpoolFullError(f"{self._bytes} of {self.max_bytes} bytes are in use")
        held = (content.topic, content.key)
        self._bytes += size
        self._held[held] += 1
        stored_at = time.time_ns() // 1_000_000
        job = self._submit(lambda connection: self._insert(connection, content, stored_at))
        job.add_done_callback(lambda done: self._note_put(done, size, held, stored_at))
        await asyncio.shield(job)

    async def first(self, count: int) -> list[Entry]:
        """The first entries that wait, in the order they came. Raises: SpoolError."""
        return await self._submit(lambda connection: self._read(connection, count))

    async def remove(self, seqs: Sequence[int]) -> None:
        """Forget entries that Kafka has acknowledged. Raises: SpoolError; they are sent again then."""

        def work(connection: sqlite3.Connection) -> Any:
            connection.executemany("DELETE FROM entries WHERE seq = ?", [(seq,) for seq in seqs])
            return connection.execute(_FIRST_WAITING).fetchone()

        first = await self._submit(work)
        for seq in seqs:
            size, held = self._sizes.pop(seq)
            self._bytes -= size
            self._release(held)
        self._note_first(first)

    async def set_aside(self, seq: int, reason: str) -> None:
        """Keep an entry, but do not give it out again before the next start. Raises: SpoolError."""

        def work(connection: sqlite3.Connection) -> Any:
            connection.execute("UPDATE entries SET refused = ? WHERE seq = ?", (reason, seq))
            return connection.execute(_FIRST_WAITING).fetchone()

        first = await self._submit(work)
        self._refused += 1
        self._release(self._sizes[seq][1])
        self._note_first(first)

    # On the event loop: counts

    def _note_put(self, done: asyncio.Future[int | None], size: int, held: tuple[str, str], stored_at: int) -> None:
        failed = done.cancelled() or done.exception() is not None
        seq = None if failed else done.result()
        if seq is None:  # failed, or there already
            self._bytes -= size
            self._release(held)
            return
        self._sizes[seq] = (size, held)
        self._oldest_at = stored_at if self._oldest_at is None else self._oldest_at
        self.is_filled.set()

    def _note_first(self, first: tuple[int] | None) -> None:
        self._oldest_at = first[0] if first else None
        if len(self._sizes) == self._refused:
            self.is_filled.clear()

    def _release(self, held: tuple[str, str]) -> None:
        self._held[held] -= 1
        if self._held[held] <= 0:
            del self._held[held]

    def _submit(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        if self._thread is None or self._loop is None:
            raise SpoolError("the spool is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, future))
        return future

    # In a thread: the disk

    def _connect(self) -> sqlite3.Connection:
        """A connection to a database that a crash of this machine would leave in its directory."""
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._lock_fd = os.open(self.directory / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise SpoolInUseError(
                f"{self.directory}: another process has this spool open; give each gateway its own"
            ) from error
        path = self.directory / FILE_NAME
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            self._prepare(connection)
        except BaseException:
            connection.close()
            raise
        return connection

    def _prepare(self, connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        for table in _TABLES:
            connection.execute(table)
        connection.execute("UPDATE entries SET refused = NULL WHERE refused IS NOT NULL")
        _sync_directory(self.directory)
        with contextlib.suppress(PermissionError):  # then it is not ours, and was there before
            for parent in self.directory.resolve().parents[:2]:
                _sync_directory(parent)
        self._count(connection)

    def _count(self, connection: sqlite3.Connection) -> None:
        """What an earlier process left."""
        for seq, stored_at, blob, checksum in connection.execute(
            "SELECT seq, stored_at, content, checksum FROM entries ORDER BY seq"
        ):
            content = _content(blob, checksum)
            held = (content.topic, content.key) if content else ("", "")
            size = size_of(content) if content else len(blob) + OVERHEAD_BYTES
            self._sizes[seq] = (size, held)
            self._bytes += size
            self._held[held] += 1
            self._oldest_at = stored_at if self._oldest_at is None else self._oldest_at
        if self._sizes:
            self.is_filled.set()
        self._known_schemas = {text: name for name, text in connection.execute("SELECT fingerprint, text FROM schemas")}

    def _unlock(self) -> None:
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _write(self, connection: sqlite3.Connection) -> None:
        """The thread: all jobs that wait, one transaction, until told to end."""
        with contextlib.closing(connection):
            is_last = False
            while not is_last:
                jobs: list[_Job] = []
                job = self._jobs.get()
                while job is not None and len(jobs) < COMMIT_JOBS - 1 and not self._jobs.empty():
                    jobs.append(job)
                    job = self._jobs.get()
                is_last = job is None
                jobs += [job] if job else []
                if jobs:
                    self._run(connection, jobs)

    def _run(self, connection: sqlite3.Connection, jobs: list[_Job]) -> None:
        try:
            connection.execute("BEGIN IMMEDIATE")
            results = [job.work(connection) for job in jobs]
            connection.execute("COMMIT")
        except Exception as error:
            self._known_schemas = {}
            with contextlib.suppress(sqlite3.Error):
                connection.execute("ROLLBACK")
            self.fault = f"spool: {error}"
            self._answer(jobs, [SpoolError(f"the disk refused: {error}")] * len(jobs))
        else:
            self.fault = ""
            self._answer(jobs, results)

    def _answer(self, jobs: list[_Job], results: list[Any]) -> None:
        def settle() -> None:
            for job, result in zip(jobs, results, strict=True):
                if job.future.cancelled():
                    continue
                if isinstance(result, Exception):
                    job.future.set_exception(result)
                else:
                    job.future.set_result(result)

        assert self._loop
        with contextlib.suppress(RuntimeError):  # the loop has ended: nobody waits any more
            self._loop.call_soon_threadsafe(settle)

    def _insert(self, connection: sqlite3.Connection, content: Content, stored_at: int) -> int | None:
        fingerprint = self._known_schemas.get(content.schema)
        if fingerprint is None:
            fingerprint = blake2b(content.schema.encode(), digest_size=_CHECKSUM_BYTES).hexdigest()
            connection.execute("INSERT OR IGNORE INTO schemas VALUES (?, ?)", (fingerprint, content.schema))
            self._known_schemas[content.schema] = fingerprint
        blob = msgspec.msgpack.encode(content._replace(schema=fingerprint))
        cursor = connection.execute(
            "INSERT OR IGNORE INTO entries (topic, record_id, stored_at, content, checksum) VALUES (?, ?, ?, ?, ?)",
            (content.topic, content.record_id, stored_at, blob, _checksum(blob)),
        )
        return cursor.lastrowid if cursor.rowcount else None

    def _read(self, connection: sqlite3.Connection, count: int) -> list[Entry]:
        rows = connection.execute(
            "SELECT seq, content, checksum FROM entries WHERE refused IS NULL ORDER BY seq LIMIT ?", (count,)
        ).fetchall()
        texts = dict(connection.execute("SELECT fingerprint, text FROM schemas"))
        return [Entry(seq, _with_schema(_content(blob, checksum), texts)) for seq, blob, checksum in rows]


def size_of(content: Content) -> int:
    """What an entry counts for, in bytes."""
    headers = sum(len(name) + len(value) for name, value in content.headers)
    return OVERHEAD_BYTES + len(content.value) + len(content.key) + len(content.record_id) + headers


def _checksum(blob: bytes) -> bytes:
    return blake2b(blob, digest_size=_CHECKSUM_BYTES).digest()


def _content(blob: bytes, checksum: bytes) -> Content | None:
    return msgspec.msgpack.decode(blob, type=Content) if _checksum(blob) == checksum else None


def _with_schema(content: Content | None, texts: dict[str, str]) -> Content | None:
    text = texts.get(content.schema) if content else None
    return content._replace(schema=text) if content and text else None


def _sync_directory(directory: Path) -> None:
    """Make the names in a directory outlast a power cut."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
