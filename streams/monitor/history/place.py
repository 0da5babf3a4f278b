"""Where the history is: a directory of one monitor's own, or memory. Opens it, and mends what can be mended."""

import fcntl
import os
import sqlite3
from pathlib import Path
from typing import Final, TextIO

import structlog

from schemas.runtime import disk_faults
from streams.monitor.history.database import FILE, Database

DAMAGED: Final = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
FULL: Final = frozenset({sqlite3.SQLITE_FULL})
# SQLite's own files beside the database.
BESIDE: Final = ("", "-wal", "-shm")

log = structlog.get_logger("monitor.history")


class UnusablePlaceError(Exception):
    """The directory cannot be used at present; the message says why."""


class Place:
    """A directory, locked while it is in use: two monitors in one would count everything twice."""

    def __init__(self, directory: Path | None, days: int) -> None:
        self.directory = directory
        self._days = days
        self._lock: TextIO | None = None

    def open(self) -> Database:
        """The database, empty when it was damaged. Raises: UnusablePlaceError."""
        if self.directory is None:
            return Database(None, self._days)
        try:
            self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take(self.directory / "lock")
            return self._opened(self.directory / FILE)
        except OSError as error:
            raise UnusablePlaceError(f"{self.directory}: {disk_faults.in_words(error)}") from error
        except sqlite3.Error as error:
            raise UnusablePlaceError(f"{self.directory}: {in_words(error)}") from error

    def _opened(self, path: Path) -> Database:
        try:
            return Database(path, self._days)
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            self.begin_anew(error)
            return Database(path, self._days)

    def begin_anew(self, error: sqlite3.Error) -> None:
        """Delete the database, which is damaged: the next to open is empty. Raises: OSError."""
        assert self.directory is not None
        log.warning("history.rebuilt", reason=f"{self.directory / FILE} is damaged, and begun anew: {error}")
        for ending in BESIDE:
            (self.directory / (FILE + ending)).unlink(missing_ok=True)

    def _take(self, path: Path) -> None:
        """Lock the directory; the system frees it when this process ends. Raises: UnusablePlaceError, OSError."""
        if self._lock is not None:
            return
        lock = path.open("a+", encoding="ascii")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read(20).strip()
            lock.close()
            raise UnusablePlaceError(
                f"{self.directory} is in use by another monitor, process {holder or 'unknown'}"
            ) from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")
        lock.flush()
        self._lock = lock

    def leave(self) -> None:
        """Let another monitor have it. Repeat: safe."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None


def is_damage(error: sqlite3.Error) -> bool:
    """True when the file is no history of ours, or not any more: nothing in it can be trusted."""
    # an error that we raise after a failed check has no code
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT)
    return isinstance(error, sqlite3.DatabaseError) and code & 0xFF in DAMAGED


def in_words(error: sqlite3.Error) -> str:
    """Why the database did not take something."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    return "the disk is full" if code in FULL else str(error)
