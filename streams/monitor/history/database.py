"""The history in SQLite: in a file, or in memory. One connection; the caller sees to it that one thread uses it.

fine     spans of FINE_S, for a day        coarse   spans of a minute, for what is older
change   what changed when, append-only    kept     the newest value of each name, as JSON
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from streams.monitor.history.spans import COARSE_S, Span, Started
from streams.monitor.history.waiting import Batch, Change

DAY_S: Final = 86_400
FINE_FOR_S: Final = DAY_S
FILE: Final = "history.sqlite"

# About 30 bytes each: 120 MB at most on disk. In memory there is room for the day, and a week of minutes.
MAX_ROWS: Final = 4_000_000
MAX_ROWS_IN_MEMORY: Final = 400_000
MAX_SERIES: Final = 1_000
MAX_CHANGES: Final = 100_000
# A hard end, should the count of rows be wrong.
MAX_FILE_BYTES: Final = 256 * 1024 * 1024
MAX_JOURNAL_BYTES: Final = 8 * 1024 * 1024

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS series (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS fine (series INTEGER, start INTEGER, n INTEGER, total REAL, highest REAL,
    PRIMARY KEY (series, start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS coarse (series INTEGER, start INTEGER, n INTEGER, total REAL, highest REAL,
    PRIMARY KEY (series, start)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS change (id INTEGER PRIMARY KEY AUTOINCREMENT, at_ms INTEGER, kind TEXT, subject TEXT,
    value TEXT);
CREATE INDEX IF NOT EXISTS change_of ON change (kind, subject, at_ms);
CREATE TABLE IF NOT EXISTS kept (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
_TOGETHER: Final = """ON CONFLICT DO UPDATE SET
    n = n + excluded.n, total = total + excluded.total, highest = max(highest, excluded.highest)"""
_ADD: Final = f"INSERT INTO fine VALUES (?, ?, ?, ?, ?) {_TOGETHER}"
_ROLL: Final = f"""INSERT INTO coarse
    SELECT series, start / {COARSE_S} * {COARSE_S}, sum(n), sum(total), max(highest) FROM fine WHERE start < ?
    GROUP BY 1, 2 {_TOGETHER}"""
_READ: Final = """SELECT start, n, total, highest FROM {table} JOIN series ON series = id
    WHERE name = ? AND start >= ? AND start < ?"""
_CHANGES: Final = """SELECT at_ms, kind, subject, value FROM change
    WHERE kind = ?1 AND substr(subject, 1, length(?2)) = ?2 AND at_ms >= ?3 AND at_ms < ?4 ORDER BY at_ms, id"""
_NEWEST: Final = "SELECT max(id) FROM change WHERE kind = ? GROUP BY subject"


class Database:
    """An open history. Raises: sqlite3.Error, in every method."""

    def __init__(self, path: Path | None, days: int) -> None:
        """path: None for memory. days: how long it keeps anything."""
        self._days = days
        self._max_rows = MAX_ROWS if path else MAX_ROWS_IN_MEMORY
        self._connection = sqlite3.connect(path or ":memory:", isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except sqlite3.Error:
            self._connection.close()
            raise

    def _prepare(self) -> None:
        run = self._connection.execute
        page_bytes = run("PRAGMA page_size").fetchone()[0]
        run(f"PRAGMA max_page_count = {MAX_FILE_BYTES // page_bytes}")
        run("PRAGMA journal_mode = WAL")
        # A killed process loses nothing; a power cut loses the newest seconds, and damages nothing.
        run("PRAGMA synchronous = NORMAL")
        run(f"PRAGMA journal_size_limit = {MAX_JOURNAL_BYTES}")
        run("PRAGMA temp_store = MEMORY")
        if (found := run("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
            raise sqlite3.DatabaseError(found)
        self._connection.executescript(_TABLES)
        self._ids = {name: number for number, name in run("SELECT id, name FROM series")}

    def write(self, batch: Batch) -> None:
        """All of it, or nothing."""
        with self._transaction() as run:
            known = [(self._id(run, name), start, *span) for name, start, span in batch.rows]
            run.executemany(_ADD, [row for row in known if row[0] is not None])
            run.executemany("INSERT INTO change (at_ms, kind, subject, value) VALUES (?, ?, ?, ?)", batch.changes)
            run.executemany("INSERT OR REPLACE INTO kept VALUES (?, ?)", batch.kept.items())

    def fine(self, name: str, from_s: int, to_s: int) -> list[Started]:
        """The spans of FINE_S of a series that begin in [from_s, to_s)."""
        return self._spans("fine", name, from_s, to_s)

    def coarse(self, name: str, from_s: int, to_s: int) -> list[Started]:
        """The minutes of a series that touch [from_s, to_s)."""
        return self._spans("coarse", name, from_s - COARSE_S + 1, to_s)

    def _spans(self, table: str, *asked: object) -> list[Started]:
        found = self._connection.execute(_READ.format(table=table), asked)
        return [(start, Span(*numbers)) for start, *numbers in found]

    def names(self) -> list[str]:
        """Every series that was ever written."""
        return list(self._ids)

    def changes(self, kind: str, beginning: str, from_ms: int, to_ms: int) -> list[Change]:
        """What changed in [from_ms, to_ms) of the subjects that begin so, oldest first."""
        asked = (kind, beginning, from_ms, to_ms)
        return [Change(*row) for row in self._connection.execute(_CHANGES, asked)]

    def newest(self, kind: str) -> list[Change]:
        """The last change of each subject."""
        text = f"SELECT at_ms, kind, subject, value FROM change WHERE id IN ({_NEWEST})"
        return [Change(*row) for row in self._connection.execute(text, (kind,))]

    def kept(self, name: str) -> list[str]:
        """The value of a name, if any."""
        return [text for (text,) in self._connection.execute("SELECT value FROM kept WHERE name = ?", (name,))]

    def roll(self, now_s: int) -> None:
        """Make minutes of what is older than a day, and drop what is older than may be kept, or too much."""
        fine_from = (now_s - FINE_FOR_S) // COARSE_S * COARSE_S
        horizon_s = now_s - self._days * DAY_S
        with self._transaction() as run:
            run.execute(_ROLL, (fine_from,))
            run.execute("DELETE FROM fine WHERE start < ?", (fine_from,))
            run.execute("DELETE FROM coarse WHERE start < ?", (horizon_s,))
            run.execute(f"DELETE FROM change WHERE id <= (SELECT max(id) FROM change) - {MAX_CHANGES}")
            run.execute("DELETE FROM change WHERE at_ms < ?", (horizon_s * 1000,))
            self._drop_oldest(run, horizon_s, now_s)
            run.execute("DELETE FROM series WHERE id NOT IN (SELECT series FROM fine UNION SELECT series FROM coarse)")
        self._ids = {name: number for number, name in self._connection.execute("SELECT id, name FROM series")}

    def _drop_oldest(self, run: sqlite3.Cursor, horizon_s: int, now_s: int) -> None:
        """Day by day, until there is room."""
        count = sum(run.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("fine", "coarse"))
        while count > self._max_rows and horizon_s < now_s:
            horizon_s += DAY_S // 4
            for table in ("fine", "coarse"):
                count -= run.execute(f"DELETE FROM {table} WHERE start < ?", (horizon_s,)).rowcount

    def _id(self, run: sqlite3.Cursor, name: str) -> int | None:
        """The series' number; None for one beyond MAX_SERIES, which is not kept."""
        if name not in self._ids and len(self._ids) < MAX_SERIES:
            run.execute("INSERT OR IGNORE INTO series (name) VALUES (?)", (name,))
            self._ids[name] = run.execute("SELECT id FROM series WHERE name = ?", (name,)).fetchone()[0]
        return self._ids.get(name)

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Cursor]:
        run, ids = self._connection.cursor(), dict(self._ids)
        try:
            run.execute("BEGIN IMMEDIATE")
            yield run
            run.execute("COMMIT")
        except BaseException:
            if self._connection.in_transaction:
                run.execute("ROLLBACK")
            self._ids = ids
            raise
        finally:
            run.close()

    def close(self) -> None:
        """Repeat: safe."""
        self._connection.close()
