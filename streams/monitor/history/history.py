"""The monitor's memory: series, changes, and kept values. It records at once and writes behind, in a thread.

Whatever the disk does, the monitor goes on: what cannot be written waits in memory, and is read from there.
"""

import asyncio
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeVar

import structlog

from streams.monitor.faults import FaultNote
from streams.monitor.history.database import Database
from streams.monitor.history.names import kind_of
from streams.monitor.history.place import Place, UnusablePlaceError, in_words, is_damage
from streams.monitor.history.spans import FINE_S, in_steps, parts_of
from streams.monitor.history.waiting import Change, Waiting

DEFAULT_DAYS: Final = 30
WRITE_EVERY_S: Final = 5.0
ROLL_EVERY_S: Final = 600.0
OPEN_DEADLINE_S: Final = 5.0
CLOSE_DEADLINE_S: Final = 3.0
# A disk that hangs keeps the writer; readers then do without what is on it, and only the first of them waits.
READ_PATIENCE_S: Final = 1.0

Point = tuple[int, float | None]
Derived = Callable[[int, int, int], list[Point]]
T = TypeVar("T")

log = structlog.get_logger("monitor.history")


class History:
    """One per process; every method from any thread. `record`, `note` and `keep` cost no I/O.

    directory: where it is kept; None: in memory only. days: for how long. first: is given the database when it opens
    for the first time, as another process left it: nothing of ours is in it yet.
    """

    def __init__(
        self,
        directory: Path | None = None,
        days: int = DEFAULT_DAYS,
        now_s: Callable[[], float] = time.time,
        first: Callable[[Database], None] | None = None,
    ) -> None:
        self.directory = directory
        self._place = Place(directory, days)
        self._now_s = now_s
        self._database: Database | None = None
        self._lock = Lock()
        self._hangs = False
        self._first: Callable[[Database], None] | None = first
        self._waiting = Waiting()
        self._derived: dict[str, Derived] = {}
        self._rolled_at = 0.0
        self._fault = FaultNote(log, "history.not_written", "history.written")

    @property
    def fault(self) -> str | None:
        """Why the history is not written at present."""
        return self._fault.text

    def record(self, name: str, at_ms: int, value: float) -> None:
        """One sample of a series, at an instant (epoch ms). Raises: KeyError for a series that is not declared."""
        kind_of(name)
        self._waiting.add(name, at_ms, float(value))

    def derive(self, name: str, points: Derived) -> None:
        """A series that is not recorded: `points(from_ms, to_ms, step_s)` makes it from what is known anyway."""
        kind_of(name)
        self._derived[name] = points

    def note(self, kind: str, subject: str, at_ms: int, value: str) -> None:
        """One change, for good: the subject of this kind became `value` at that instant (epoch ms)."""
        self._waiting.note(Change(at_ms, kind, subject, value))

    def keep(self, name: str, value: Any) -> None:
        """Keep the newest value of a name, which JSON can say."""
        self._waiting.keep(name, json.dumps(value))

    def series(self, name: str, from_ms: int, to_ms: int, step_s: int = FINE_S) -> list[Point]:
        """(start of a step in epoch ms, its value) for each step that touches [from_ms, to_ms).

        None: nobody looked; never 0. A step is whole spans of FINE_S, from the epoch on. Of lag it has the highest
        sample, of a rate the mean of all samples. Raises: KeyError for a series that is not declared.
        """
        joined, step_s = kind_of(name).joined, max(1, step_s // FINE_S) * FINE_S
        if name in self._derived:
            return self._derived[name](from_ms, to_ms, step_s)
        first, last = from_ms // 1000 // step_s * step_s, -(-to_ms // (1000 * step_s)) * step_s
        with self._reading() as database:
            fine = _read(database, lambda db: db.fine(name, first, last)) + self._waiting.between(name, first, last)
            minutes = _read(database, lambda db: db.coarse(name, first, last))
        parts = [part for part in parts_of(minutes, step_s) if first <= part[0] < last]
        steps = in_steps([*fine, *parts], step_s)
        return [(at * 1000, steps[at].value(joined) if at in steps else None) for at in range(first, last, step_s)]

    def names(self) -> list[str]:
        """Every series that has samples, sorted."""
        with self._reading() as database:
            return sorted({*_read(database, lambda db: db.names()), *self._waiting.names(), *self._derived})

    def changes(self, kind: str, beginning: str, from_ms: int, to_ms: int) -> list[Change]:
        """What changed in [from_ms, to_ms) of the subjects that begin so, oldest first."""
        with self._reading() as database:
            written = _read(database, lambda db: db.changes(kind, beginning, from_ms, to_ms))
            waiting = self._waiting.changes()
        fitting = (c for c in waiting if c.kind == kind and c.subject.startswith(beginning))
        return written + [change for change in fitting if from_ms <= change.at_ms < to_ms]

    def newest(self, kind: str) -> dict[str, Change]:
        """The last change of each subject of a kind."""
        with self._reading() as database:
            written, waiting = _read(database, lambda db: db.newest(kind)), self._waiting.changes()
        return {change.subject: change for change in (*written, *waiting) if change.kind == kind}

    def kept(self, name: str) -> Any:
        """The newest value of a name; None without one."""
        with self._reading() as database:
            texts = [*self._waiting.kept(name), *_read(database, lambda db: db.kept(name))]
        return json.loads(texts[0]) if texts else None

    @contextmanager
    def _reading(self) -> Iterator[Database | None]:
        """The database, while nobody else uses it; None without one, and while the disk hangs."""
        patience_s = 0.0 if self._hangs else READ_PATIENCE_S
        is_ours = self._lock.acquire(timeout=patience_s)
        if is_ours or patience_s:
            self._hangs = not is_ours
        try:
            yield self._database if is_ours else None
        finally:
            if is_ours:
                self._lock.release()

    async def open(self) -> None:
        """Open it. Returns within OPEN_DEADLINE_S and never raises: without its place it goes on in memory."""
        await self._within(OPEN_DEADLINE_S, self.write)

    async def run(self) -> None:
        """Write behind until cancelled."""
        while True:
            await asyncio.sleep(WRITE_EVERY_S)
            await asyncio.to_thread(self.write)

    async def aclose(self) -> None:
        """`close` in a thread. Returns within CLOSE_DEADLINE_S."""
        await self._within(CLOSE_DEADLINE_S, self.close)

    async def _within(self, deadline_s: float, work: Callable[[], None]) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                await asyncio.to_thread(work)

    def write(self) -> None:
        """Write what is over; not from the event loop. Never raises: what cannot be written is tried again."""
        with self._lock:
            try:
                if self._database is None:
                    self._database = self._place.open()
                if self._first:
                    self._first(self._database)
                    self._first = None
                self._write(self._database)
            except UnusablePlaceError as error:
                self._set_fault(str(error))
            except sqlite3.Error as error:
                self._set_fault(f"{self.directory or 'memory'}: {in_words(error)}")
                if is_damage(error):
                    self._begin_anew(error)
            else:
                self._fault.clear()
            self._hangs = False

    def _write(self, database: Database) -> None:
        now_s = self._now_s()
        batch = self._waiting.batch(now_s)
        if any(batch):
            database.write(batch)
            self._waiting.written(batch)
        if now_s - self._rolled_at >= ROLL_EVERY_S:
            database.roll(int(now_s))
            self._rolled_at = now_s

    def _begin_anew(self, error: sqlite3.Error) -> None:
        if self._database is None or self.directory is None:
            return
        self._database.close()
        self._database = None
        with suppress(OSError):  # then it cannot be opened either, which says why
            self._place.begin_anew(error)

    def _set_fault(self, why: str) -> None:
        self._fault.set(f"{why}; what is new is kept in memory")

    def close(self) -> None:
        """Write what is over, and let another monitor have the place. Repeat: safe, and opens it again."""
        self.write()
        with self._lock:
            if self._database is not None:
                self._database.close()
                self._database = None
            self._place.leave()


def _read(database: Database | None, read: Callable[[Database], list[T]]) -> list[T]:
    """What the database has; nothing when it cannot be read: the next write says so, and mends it."""
    if database is not None:
        with suppress(sqlite3.Error):
            return read(database)
    return []
