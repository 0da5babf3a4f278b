"""What the history does when its disk does not: it goes on in memory, says so, and writes later."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streams.monitor.history import database, waiting
from streams.monitor.history.history import History

AT_MS = 1_800_000_000_000


class Clock:
    now_s = AT_MS / 1000 + 60

    def __call__(self) -> float:
        return self.now_s


Open = Callable[..., History]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Opens a history; all are closed at the end."""
    all_of_them: list[History] = []

    def open_one(directory: Path | None, clock: Clock | None = None) -> History:
        all_of_them.append(History(directory, 30, clock or Clock()))
        all_of_them[-1].write()
        return all_of_them[-1]

    yield open_one
    for history in all_of_them:
        history.close()


def value_of(history: History, name: str = "lag_seconds") -> float | None:
    [(at_ms, value)] = history.series(name, AT_MS, AT_MS + 10_000)
    assert at_ms == AT_MS
    return value


def test_a_series_that_is_not_declared_is_a_mistake_of_ours(opened: Open) -> None:
    history = opened(None)
    for name in ("nonsense", "rate_in", "received_per_s:g:t"):
        with pytest.raises(KeyError):
            history.record(name, AT_MS, 1)


def test_nobody_looked_is_none_and_not_zero(tmp_path: Path, opened: Open) -> None:
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS, 0)
    history.record("lag_seconds", AT_MS + 20_000, 5)
    for _ in range(2):
        points = history.series("lag_seconds", AT_MS, AT_MS + 30_000)
        assert points == [(AT_MS, 0.0), (AT_MS + 10_000, None), (AT_MS + 20_000, 5.0)]
        history.write()


def test_everything_survives_another_process(tmp_path: Path, opened: Open) -> None:
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS, 7)
    history.note("verdict", "g", AT_MS, "stop")
    history.note("verdict", "g", AT_MS + 1, "ok")
    history.keep("losses", {"a": 1})
    history.write()
    history.close()

    after = opened(tmp_path)
    assert value_of(after) == 7
    assert [change.value for change in after.changes("verdict", "", 0, AT_MS * 2)] == ["stop", "ok"]
    assert after.newest("verdict")["g"].value == "ok"
    assert after.kept("losses") == {"a": 1}
    assert after.kept("other") is None


def test_two_monitors_in_one_directory(tmp_path: Path, opened: Open) -> None:
    first, second = opened(tmp_path), opened(tmp_path)
    second.record("lag_seconds", AT_MS, 3)
    second.write()
    assert first.fault is None
    assert "in use by another monitor, process" in str(second.fault)
    assert value_of(second) == 3
    assert value_of(first) is None

    first.close()
    second.write()
    assert second.fault is None
    second.close()
    assert value_of(opened(tmp_path)) == 3


@pytest.mark.parametrize(
    "damage", [b"", b"no database at all, but longer than a header of SQLite has any right to be" * 9]
)
def test_a_damaged_file_is_begun_anew(
    tmp_path: Path, damage: bytes, capsys: pytest.CaptureFixture[str], opened: Open
) -> None:
    (tmp_path / database.FILE).write_bytes(damage)
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS, 3)
    history.write()
    assert history.fault is None
    assert value_of(history) == 3
    assert ("history.rebuilt" in capsys.readouterr().out) == bool(damage)


def test_a_file_that_is_damaged_while_in_use_is_begun_anew(tmp_path: Path, opened: Open) -> None:
    history = opened(tmp_path)
    for number in range(2000):
        history.note("verdict", str(number), AT_MS, "stop")
    history.write()
    history.close()
    size = (tmp_path / database.FILE).stat().st_size
    with (tmp_path / database.FILE).open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * (size - 4096))
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS, 3)
    history.write()
    assert history.fault is None
    assert value_of(history) == 3
    assert history.newest("verdict") == {}


def test_a_full_disk_keeps_the_newest_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS - 10_000, 1)
    history.write()
    assert history._database is not None
    history._database._connection.execute("PRAGMA max_page_count = 1")  # as a full disk answers
    for number in range(5000):
        history.note("verdict", f"a subject that needs room {number}", AT_MS, "stop")
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    assert "the disk is full" in str(history.fault)
    assert [value for _, value in history.series("lag_seconds", AT_MS - 10_000, AT_MS + 10_000)] == [1, 2]
    assert len(history.newest("verdict")) == 5000

    history._database._connection.execute("PRAGMA max_page_count = 100000")
    history.write()
    assert history.fault is None
    history.close()
    assert value_of(opened(tmp_path)) == 2


def test_a_directory_that_cannot_be_made(tmp_path: Path, opened: Open) -> None:
    (tmp_path / "file").write_text("")
    history = opened(tmp_path / "file" / "below")
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    assert "it is no directory" in str(history.fault)
    assert value_of(history) == 2


def test_without_a_directory_it_is_memory_and_no_fault(opened: Open) -> None:
    history = opened(None)
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    assert history.fault is None
    assert value_of(history) == 2
    assert history.names() == ["lag_seconds"]


def test_what_waits_is_bounded(monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    monkeypatch.setattr(waiting, "MAX_SPANS", 100)
    history = opened(None)
    for number in range(1000):
        history.record("lag_seconds", AT_MS + number * 10_000, number)
    points = history.series("lag_seconds", AT_MS, AT_MS + 10_000_000)
    values = [value for _, value in points if value is not None]
    assert values == list(range(1000 - len(values), 1000))
    assert 90 <= len(values) <= 100


def test_what_is_kept_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    monkeypatch.setattr(database, "MAX_ROWS", 1_000)
    clock = Clock()
    history = opened(tmp_path, clock)
    for number in range(4_000):
        history.record("lag_seconds", AT_MS + number * 60_000, number)
    clock.now_s = AT_MS / 1000 + 4_000 * 60
    history._rolled_at = 0
    history.write()
    values = [value for _, value in history.series("lag_seconds", AT_MS, AT_MS + 4_000 * 60_000, 60)]
    kept = [value for value in values if value is not None]
    assert 300 < len(kept) <= 1_000
    assert kept == values[-len(kept) :]


def test_old_values_are_dropped(tmp_path: Path, opened: Open) -> None:
    clock = Clock()
    history = opened(tmp_path, clock)
    history.record("lag_seconds", AT_MS, 1)
    history.note("verdict", "g", AT_MS, "stop")
    history.write()
    clock.now_s += 31 * 86_400
    history.record("rate_in:g:t", int(clock.now_s * 1000) - 10_000, 1)
    history.write()
    assert history.names() == ["rate_in:g:t"]
    assert history.newest("verdict") == {}


def test_another_error_of_sqlite_is_said_and_tried_again(tmp_path: Path, opened: Open) -> None:
    history = opened(tmp_path)
    assert history._database is not None
    history._database._connection.execute("PRAGMA query_only = 1")
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    assert "readonly" in str(history.fault)
    assert value_of(history) == 2
    history._database._connection.execute("PRAGMA query_only = 0")
    history.write()
    assert history.fault is None


def test_other_versions_of_the_tables_are_no_harm(tmp_path: Path, opened: Open) -> None:
    """A file of SQLite that is none of ours has no tables of ours: they are made beside its own."""
    with sqlite3.connect(tmp_path / database.FILE) as other:
        other.execute("CREATE TABLE something (x)")
    other.close()
    history = opened(tmp_path)
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    assert history.fault is None


def test_a_disk_that_hangs_keeps_one_reader_waiting_and_no_other(monkeypatch: pytest.MonkeyPatch, opened: Open) -> None:
    monkeypatch.setattr("streams.monitor.history.history.READ_PATIENCE_S", 0.1)
    history = opened(None)
    history.record("lag_seconds", AT_MS, 2)
    history.write()
    history.record("lag_seconds", AT_MS + 10_000, 3)

    def points() -> list[float | None]:
        return [value for _, value in history.series("lag_seconds", AT_MS, AT_MS + 20_000)]

    with history._lock:  # as a writer that hangs holds it
        began = time.monotonic()
        assert [points() for _ in range(20)] == [[None, 3]] * 20
        assert time.monotonic() - began < 1.0, "twenty waits take two seconds"
    assert points() == [2, 3]
    assert not history._hangs
