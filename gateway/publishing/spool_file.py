"""The spool's file: SQLite in WAL mode with synchronous=FULL, written by one thread.

What waits for the disk at one moment is committed in one transaction, so one fsync serves many requests. An entry has a
checksum and is read back in the order it came.
"""

import asyncio
import contextlib
import fcntl
import os
import queue
import sqlite3
import threading
from collections.abc import Callable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import msgspec

from gateway.errors import SpoolError, SpoolInUseError
from schemas.headers import Headers
from schemas.runtime.disk_faults import in_words

FILE_NAME: Final = "spool.sqlite"
COMMIT_JOBS: Final = 500  # at most this many jobs in one transaction
_CHECKSUM_BYTES: Final = 16

_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS entries (
        seq INTEGER PRIMARY KEY, topic TEXT NOT NULL, record_id TEXT NOT NULL, stored_at INTEGER NOT NULL,
        content BLOB NOT NULL, checksum BLOB NOT NULL, refused TEXT, UNIQUE (topic, record_id))""",
    "CREATE INDEX IF NOT EXISTS waiting ON entries (seq) WHERE refused IS NULL",
    "CREATE TABLE IF NOT EXISTS schemas (fingerprint TEXT PRIMARY KEY, text TEXT NOT NULL)",
)
_FIRST_WAITING: Final = "SELECT stored_at FROM entries WHERE refused IS NULL ORDER BY seq LIMIT 1"

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


class FoundEntry(NamedTuple):
    """An entry that an earlier process left. `stored_at`: epoch ms; `blob_bytes`: its size in the file."""

    seq: int
    stored_at: int
    content: Content | None
    blob_bytes: int


class _Job(NamedTuple):
    work: Callable[[sqlite3.Connection], Any]
    future: asyncio.Future[Any]


class SpoolFile:
    """The file of one spool. Use from one event loop; every method but `open` and `close` returns a future.

    fault: why the last transaction failed; empty when it did not.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.fault = ""
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._known_schemas: dict[str, str] = {}
        self._lock_fd = -1
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def open(self, on_found: Callable[[FoundEntry], None]) -> None:
        """Lock and read the directory, creating it when it is not there; `on_found` gets each entry, in another thread.

        Raises: SpoolError when it cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        try:
            connection = await asyncio.to_thread(self._connect, on_found)
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
        """Finish what is queued and unlock the directory. Repeat: safe."""
        if self._thread is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._thread.join)
            self._thread = None
            self._unlock()

    def submit(self, work: Callable[[sqlite3.Connection], T]) -> asyncio.Future[T]:
        """Run `work` in the next transaction; done after fsync. Raises: SpoolError, at once or through the future."""
        if self._thread is None or self._loop is None:
            raise SpoolError("the spool is closed")
        future: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put(_Job(work, future))
        return future

    def insert(self, content: Content, stored_at: int) -> asyncio.Future[int | None]:
        """Append an entry; its number, or None when the same record is there already. `stored_at` in epoch ms."""
        return self.submit(lambda connection: self._insert(connection, content, stored_at))

    def first(self, count: int) -> asyncio.Future[list[Entry]]:
        """The first entries that wait, in the order they came."""
        return self.submit(lambda connection: _read(connection, count))

    def remove(self, seqs: Sequence[int]) -> asyncio.Future[int | None]:
        """Delete entries; when the first one that still waits was stored, None when there is none."""

        def work(connection: sqlite3.Connection) -> int | None:
            connection.executemany("DELETE FROM entries WHERE seq = ?", [(seq,) for seq in seqs])
            return _first_stored_at(connection)

        return self.submit(work)

    def set_aside(self, seq: int, reason: str) -> asyncio.Future[int | None]:
        """Let an entry no longer wait; returns as `remove` does."""

        def work(connection: sqlite3.Connection) -> int | None:
            connection.execute("UPDATE entries SET refused = ? WHERE seq = ?", (reason, seq))
            return _first_stored_at(connection)

        return self.submit(work)

    # In the spool's thread

    def _connect(self, on_found: Callable[[FoundEntry], None]) -> sqlite3.Connection:
        """A connection to a database that survives a crash of this machine, its directory entry included."""
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
            _read_found(connection, on_found)
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
        self._known_schemas = {text: name for name, text in connection.execute("SELECT fingerprint, text FROM schemas")}
        _sync_directory(self.directory)
        with contextlib.suppress(PermissionError):  # then it is not ours, and was there before
            for parent in self.directory.resolve().parents[:2]:
                _sync_directory(parent)

    def _unlock(self) -> None:
        if self._lock_fd >= 0:
            os.close(self._lock_fd)
            self._lock_fd = -1

    def _write(self, connection: sqlite3.Connection) -> None:
        """The thread: all jobs that wait, in one transaction, until `close`."""
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
        with contextlib.suppress(RuntimeError):  # the loop has ended, and with it everything that waited
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


def _read_found(connection: sqlite3.Connection, on_found: Callable[[FoundEntry], None]) -> None:
    rows = connection.execute("SELECT seq, stored_at, content, checksum FROM entries ORDER BY seq")
    for seq, stored_at, blob, checksum in rows:
        on_found(FoundEntry(seq, stored_at, _content(blob, checksum), len(blob)))


def _read(connection: sqlite3.Connection, count: int) -> list[Entry]:
    rows = connection.execute(
        "SELECT seq, content, checksum FROM entries WHERE refused IS NULL ORDER BY seq LIMIT ?", (count,)
    ).fetchall()
    texts = dict(connection.execute("SELECT fingerprint, text FROM schemas"))
    return [Entry(seq, _with_schema(_content(blob, checksum), texts)) for seq, blob, checksum in rows]


def _first_stored_at(connection: sqlite3.Connection) -> int | None:
    row = connection.execute(_FIRST_WAITING).fetchone()
    return row[0] if row else None


def _checksum(blob: bytes) -> bytes:
    return blake2b(blob, digest_size=_CHECKSUM_BYTES).digest()


def _content(blob: bytes, checksum: bytes) -> Content | None:
    return msgspec.msgpack.decode(blob, type=Content) if _checksum(blob) == checksum else None


def _with_schema(content: Content | None, texts: dict[str, str]) -> Content | None:
    text = texts.get(content.schema) if content else None
    return content._replace(schema=text) if content and text else None


def _sync_directory(directory: Path) -> None:
    """Make the names in a directory survive a power cut."""
    fd = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
