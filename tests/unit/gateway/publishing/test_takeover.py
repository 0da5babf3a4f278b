"""What workers that are no more had spooled is taken over by one that is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gateway.errors import SpoolError
from gateway.publishing.spool_file import FILE_NAME
from gateway.publishing.takeover import leftover_spools, take_over
from tests.support.spools import content_of, ids, open_spool


async def fill(directory: Path, *names: str) -> None:
    async with open_spool(directory) as spool:
        for number, name in enumerate(names):
            await spool.put(content_of(name, f"call-{name}", number))


@pytest.mark.parametrize(
    ("workers", "leftovers"),
    [(1, ["worker-1", "worker-2", "worker-3"]), (2, ["", "worker-3"]), (3, [""]), (4, [""])],
)
async def test_a_spool_that_is_none_of_todays_workers_is_left_over(
    tmp_path: Path, workers: int, leftovers: list[str]
) -> None:
    (tmp_path / "worker-9").mkdir()  # without a spool in it
    for name in ("", "worker-1", "worker-2", "worker-3"):
        await fill(tmp_path / name, "a")

    assert leftover_spools(str(tmp_path), workers) == [tmp_path / name for name in leftovers]


def test_where_no_spool_has_been_nothing_is_left_over(tmp_path: Path) -> None:
    assert leftover_spools(str(tmp_path / "not yet"), 2) == []


async def test_entries_are_moved_in_order_also_over_the_size_and_the_old_spools_are_empty(tmp_path: Path) -> None:
    old = [tmp_path / "worker-2", tmp_path / "worker-3"]
    await fill(old[0], *(f"b{number}" for number in range(800)))
    await fill(old[1], "c0", "c1")
    async with open_spool(tmp_path, max_bytes=1) as spool:
        taken = await take_over(spool, old)

        assert taken == 802
        assert await ids(spool) == [*(f"b{number}" for number in range(800)), "c0", "c1"]
        assert spool.holds("airudder.callbacks.v1", "call-b7")
        assert spool.max_bytes == 1
    for directory in old:
        async with open_spool(directory) as emptied:
            assert await ids(emptied) == []


async def test_what_was_moved_before_a_crash_is_not_there_twice(tmp_path: Path) -> None:
    await fill(tmp_path, "a", "b")
    await fill(tmp_path / "worker-2", "b", "c")
    async with open_spool(tmp_path) as spool:
        await take_over(spool, [tmp_path / "worker-2"])

        assert await ids(spool) == ["a", "b", "c"]


async def test_a_damaged_entry_stays_and_those_behind_it_are_moved(tmp_path: Path) -> None:
    old = tmp_path / "worker-2"
    await fill(old, "a", "b", "c")
    with sqlite3.connect(old / FILE_NAME) as connection:
        connection.execute("UPDATE entries SET content = x'00' WHERE record_id = 'b'")
    connection.close()
    async with open_spool(tmp_path) as spool:
        assert await take_over(spool, [old]) == 2
        assert await ids(spool) == ["a", "c"]
    async with open_spool(old) as left:
        assert await ids(left) == [None]


async def test_a_spool_that_another_process_has_open_refuses_to_start(tmp_path: Path) -> None:
    await fill(tmp_path / "worker-2", "a")
    async with open_spool(tmp_path) as spool, open_spool(tmp_path / "worker-2"):
        with pytest.raises(SpoolError):
            await take_over(spool, [tmp_path / "worker-2"])
