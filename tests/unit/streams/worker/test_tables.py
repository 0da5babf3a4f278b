"""Rows on a real RocksDB: recovery never goes back, and never skips what another worker wrote."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import faust
import pytest
from faust.types import TP

from streams.worker.tables import STORE_OPTIONS, StateTable, pack_row, unpack_row
from streams.worker.transport import Run

CHANGELOG = "app-calls-changelog"
PARTITION = TP(CHANGELOG, 0)


@pytest.fixture
def table(tmp_path: Path) -> StateTable:
    app = faust.App("app", broker="kafka://127.0.0.1:1", datadir=tmp_path, store="rocksdb://", Table=StateTable)
    found = app.Table("calls", key_type=bytes, value_type=bytes, partitions=1)
    assert isinstance(found, StateTable)
    return found


def changelog_run(last_offset: int, *rows: tuple[bytes, bytes | None]) -> Any:
    run = Run(SimpleNamespace(key=key, value=value) for key, value in rows)
    message = SimpleNamespace(tp=PARTITION, partition=0, offset=last_offset, value=run)
    return SimpleNamespace(message=message)


def row_of(table: StateTable, key: bytes) -> bytes | None:
    stored = table.store.read(0, key)
    return None if stored is None else unpack_row(stored)


def test_rows_that_follow_on_what_is_known_move_the_start_of_recovery(table: StateTable) -> None:
    table.stored(0, 0, 4)
    table.stored(0, 5, 5)

    assert table.persisted_offset(PARTITION) == 5


def test_rows_behind_a_gap_do_not_because_another_worker_wrote_in_it(table: StateTable) -> None:
    table.stored(0, 0, 4)
    table.stored(0, 9, 9)

    assert table.persisted_offset(PARTITION) == 4


def test_each_run_of_rows_that_recovery_restores_is_progress(table: StateTable) -> None:
    restored: list[str] = []
    table.restored = lambda: restored.append("a run")

    table.apply_changelog_batch([changelog_run(7, (b"c", pack_row(1, b"first"))), changelog_run(8)])

    assert restored == ["a run", "a run"]


def test_recovery_takes_a_newer_row_and_leaves_an_older_one(table: StateTable) -> None:
    table.put(0, {b"c": pack_row(2, b"second")})

    table.apply_changelog_batch([changelog_run(7, (b"c", pack_row(1, b"first")))])
    assert row_of(table, b"c") == b"second"
    table.apply_changelog_batch([changelog_run(8, (b"c", pack_row(3, b"third")))])

    assert row_of(table, b"c") == b"third"
    assert table.persisted_offset(PARTITION) == 8


def test_of_two_rows_of_one_version_the_first_stands(table: StateTable) -> None:
    rows = (b"c", pack_row(2, b"its owner's")), (b"c", pack_row(2, b"a paused worker's"))

    table.apply_changelog_batch([changelog_run(1, *rows)])

    assert row_of(table, b"c") == b"its owner's"


def test_a_tombstone_deletes_whatever_the_version(table: StateTable) -> None:
    table.apply_changelog_batch([changelog_run(1, (b"c", pack_row(9, b"x")), (b"c", None))])

    assert row_of(table, b"c") is None


def stock_table(directory: Path, **options: Any) -> Any:
    app = faust.App("app", broker="kafka://127.0.0.1:1", datadir=directory, store="rocksdb://")
    return app.Table("calls", key_type=bytes, value_type=bytes, partitions=1, options=options)


def test_stock_goes_back_to_an_older_row_in_recovery(tmp_path: Path) -> None:
    """A worker that was paused writes after the one that took over: its rows come last, and stock takes the last."""
    store = stock_table(tmp_path, driver="rocksdict").data
    rows = (b"c", pack_row(2, b"the owner's")), (b"c", pack_row(1, b"a paused worker's"))

    for offset, (key, value) in enumerate(rows):
        message = SimpleNamespace(tp=PARTITION, partition=0, offset=offset, key=key, value=value)
        store.apply_changelog_batch([SimpleNamespace(message=message)], None, None)

    assert unpack_row(store._db_for_partition(0).get(b"c")) == b"a paused worker's"


def test_stock_forgets_the_options_of_a_table_for_its_second_store(tmp_path: Path) -> None:
    table = stock_table(tmp_path, driver="rocksdict")

    assert (table._new_store().driver, table._new_store().driver) == ("rocksdict", None)


def test_each_store_of_ours_has_all_its_options(table: StateTable) -> None:
    for _ in range(2):
        store = table._new_store()
        sizes = {name: getattr(store.rocksdb_options, name) for name in STORE_OPTIONS}
        assert (store.driver, sizes) == ("rocksdict", STORE_OPTIONS)
