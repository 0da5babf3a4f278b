"""What the spool promises about its disk: durable before it says so, in order, within its size, never a wrong byte."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import psutil
import pytest

from gateway.errors import SpoolError, SpoolFullError, SpoolInUseError
from gateway.publishing.spool import Spool, size_of
from gateway.publishing.spool_file import FILE_NAME, _Job
from schemas.topic_names import TopicNames
from schemas.topics import CALLBACKS
from tests.support.spools import MIB, content_of, ids, open_spool


async def test_what_was_put_is_there_in_order_and_unchanged_after_a_restart(tmp_path: Path) -> None:
    contents = [content_of(f"e{number}", f"call-{number % 7}", number) for number in range(100)]
    async with open_spool(tmp_path / "a" / "spool") as spool:
        for content in contents:
            await spool.put(content)
        before = spool.state()
    async with open_spool(tmp_path / "a" / "spool") as spool:
        found = [entry.content for entry in await spool.first(1000)]

        assert found == contents
        assert spool.state() == before
        assert spool.holds(CALLBACKS.name, "call-3")
        assert spool.is_filled.is_set()


async def test_every_commit_is_synchronised_with_the_disk(tmp_path: Path) -> None:
    def pragmas(connection: sqlite3.Connection) -> list[object]:
        return [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]

    async with open_spool(tmp_path) as spool:
        full = 2
        assert await spool._file.submit(pragmas) == ["wal", full]


async def test_many_puts_at_once_share_transactions_and_keep_their_order(tmp_path: Path) -> None:
    commits = 0
    async with open_spool(tmp_path) as spool:
        run = spool._file._run

        def counting(connection: sqlite3.Connection, jobs: list[_Job]) -> None:
            nonlocal commits
            commits += 1
            run(connection, jobs)

        spool._file._run = counting  # type: ignore[method-assign]
        await asyncio.gather(*(spool.put(content_of(f"e{number}")) for number in range(400)))

        assert await ids(spool) == [f"e{number}" for number in range(400)]
        assert commits < 100


async def test_the_same_record_again_is_kept_once(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        await asyncio.gather(*(spool.put(content_of("twin")) for _ in range(20)))
        await spool.put(content_of("twin"))

        assert await ids(spool) == ["twin"]
        assert spool.state().bytes == size_of(content_of("twin"))
        await spool.remove([entry.seq for entry in await spool.first(1)])
        assert not spool.holds(CALLBACKS.name, "call")


async def test_over_its_size_it_refuses_and_takes_again_what_fits_after_a_removal(tmp_path: Path) -> None:
    async with open_spool(tmp_path, max_bytes=3 * size_of(content_of("e0", size=1000))) as spool:
        for number in range(3):
            await spool.put(content_of(f"e{number}", size=1000))
        with pytest.raises(SpoolFullError):
            await spool.put(content_of("e3", size=1000))
        await spool.remove([(await spool.first(1))[0].seq])
        await spool.put(content_of("e4", size=1000))

        assert await ids(spool) == ["e1", "e2", "e4"]
    assert (tmp_path / FILE_NAME).stat().st_size < MIB


async def test_removal_lets_the_key_and_the_bytes_go_and_the_oldest_age_moves_on(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        await spool.put(content_of("e0", "a"))
        await spool.put(content_of("e1", "b"))
        first, second = await spool.first(2)
        await spool.remove([first.seq])

        assert not spool.holds(CALLBACKS.name, "a")
        assert spool.holds(CALLBACKS.name, "b")
        await spool.remove([second.seq])
        assert spool.state()[:5] == (0, 0, 0, MIB, None)
        assert not spool.is_filled.is_set()


async def test_what_is_set_aside_is_kept_and_given_out_again_at_the_next_start(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        await spool.put(content_of("e0", "a"))
        await spool.put(content_of("e1", "b"))
        await spool.set_aside((await spool.first(1))[0].seq, "too large")

        assert await ids(spool) == ["e1"]
        assert (spool.state().entries, spool.state().refused) == (1, 1)
        assert not spool.holds(CALLBACKS.name, "a")
    async with open_spool(tmp_path) as spool:
        assert await ids(spool) == ["e0", "e1"]
        assert spool.state().refused == 0


async def test_an_entry_that_the_disk_changed_is_recognised_and_those_behind_it_are_read(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        for number in range(3):
            await spool.put(content_of(f"e{number}"))
    with sqlite3.connect(tmp_path / FILE_NAME) as connection:
        connection.execute(
            "UPDATE entries SET content = CAST(replace(content, x'76', x'77') AS BLOB) WHERE record_id = 'e1'"
        )
    connection.close()
    async with open_spool(tmp_path) as spool:
        assert await ids(spool) == ["e0", None, "e2"]


async def test_a_directory_that_another_process_has_open_is_refused(tmp_path: Path) -> None:
    async with open_spool(tmp_path):
        with pytest.raises(SpoolError, match="another process"):
            await Spool(tmp_path, MIB).open()
    async with open_spool(tmp_path):
        pass


async def test_a_file_that_is_no_spool_is_refused_left_alone_and_closed(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"precious" * 1000)
    with pytest.raises(SpoolError, match="not a database") as refused:
        await Spool(tmp_path, MIB).open()

    assert isinstance(refused.value.__cause__, sqlite3.DatabaseError)  # its frames keep what was left open
    assert [file.path for file in psutil.Process().open_files() if FILE_NAME in file.path] == []
    assert (tmp_path / FILE_NAME).read_bytes() == b"precious" * 1000


async def test_a_disk_that_refuses_is_an_error_to_those_who_wait_and_passes(tmp_path: Path) -> None:
    def limit(connection: sqlite3.Connection, pages: int) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    async with open_spool(tmp_path) as spool:
        await spool._file.submit(lambda connection: limit(connection, 20))
        with pytest.raises(SpoolError, match="full"):
            await spool.put(content_of("big", size=500_000))
        assert spool.fault
        assert spool.state().bytes == 0
        await spool._file.submit(lambda connection: limit(connection, 100_000))
        await spool.put(content_of("small"))

        assert not spool.fault
        assert await ids(spool) == ["small"]


async def test_only_the_owner_may_read_what_is_kept(tmp_path: Path) -> None:
    async with open_spool(tmp_path / "spool") as spool:
        await spool.put(content_of("e0"))
        modes = {path.name: path.stat().st_mode & 0o077 for path in (tmp_path / "spool").iterdir()}

    assert set(modes.values()) == {0}
    assert (tmp_path / "spool").stat().st_mode & 0o077 == 0


async def test_callbacks_for_topics_under_another_prefix_are_kept_and_refuse_the_start(tmp_path: Path) -> None:
    async with open_spool(tmp_path) as spool:
        await spool.put(content_of("e1"))

    with pytest.raises(SpoolInUseError, match=r"airudder\.callbacks\.v1 wait here.*the former prefix"):
        await Spool(tmp_path, MIB, TopicNames("staging.")).open()

    async with open_spool(tmp_path) as spool:  # its lock is free again
        assert await ids(spool) == ["e1"]
