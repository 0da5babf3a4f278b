"""The examples that keep records in a database: crashed in the middle, and given everything a second time."""

from __future__ import annotations

import shutil
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from tests.support.examples.databases import KEPT, assert_as_it_is, tables_of
from tests.support.examples.environments import Environments
from tests.support.examples.expectation import committed, ends
from tests.support.examples.process import RunningExample, start_example
from tests.support.examples.stack import Stack
from tests.support.processes.postgres import execute, has_waiting, locked, running_postgres, select
from tests.support.waiting import wait_until, wait_until_true

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "python"
TOPICS = ",".join(topic.name for topic in KEPT)
READ_S = 90.0


@pytest.fixture
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


def start(stack: Stack, command: list[str], cwd: Path, database: str, group: str) -> RunningExample:
    return start_example(command, cwd, {**stack.environ, "TOPIC": TOPICS, "GROUP": group, "DATABASE": database})


async def run_to_its_end(stack: Stack, example: RunningExample, group: str) -> None:
    """Until the group has committed all that is there now; then SIGTERM."""
    there = await ends(stack.bootstrap, KEPT)

    async def has_read_all() -> bool:
        example.assert_runs()
        read = await committed(stack.bootstrap, group)
        return all(read.get(at, 0) >= end for at, end in there.items())

    try:
        await wait_until(has_read_all, READ_S, "the last record of every partition")
    finally:
        code = example.stop()
    assert code == 0, example.said()


def copied(name: str, directory: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / name, directory))


def new_group() -> str:
    return f"database-{uuid.uuid4().hex[:8]}"


async def test_postgres_holds_the_latest_revisions_also_after_a_kill_in_the_middle_and_after_everything_again(
    environments: Environments, stack: Stack, postgres: str, tmp_path: Path
) -> None:
    program, group, again = copied("to_postgres.py", tmp_path), new_group(), new_group()
    command = [str(environments.python(EXAMPLES / "requirements-postgres.txt")), program.name]
    rows = partial(select, postgres)
    execute(postgres, tables_of(program))
    with locked(postgres, "revisions"):
        example = start(stack, command, tmp_path, postgres, group)
        wait_until_true(lambda: has_waiting(postgres), READ_S, "a batch that waits")
        example.stop(signal.SIGKILL)

    await run_to_its_end(stack, start(stack, command, tmp_path, postgres, group), group)
    await assert_as_it_is(stack, group, rows, r"\u0000")

    await run_to_its_end(stack, start(stack, command, tmp_path, postgres, again), again)
    await assert_as_it_is(stack, again, rows, r"\u0000")
    assert rows("SELECT count(*) AS n FROM set_aside WHERE value IS NOT NULL") != [(0,)]


async def test_sqlite_holds_the_latest_revisions_also_after_a_crash_in_the_middle_and_after_everything_again(
    environments: Environments, stack: Stack, tmp_path: Path
) -> None:
    program, group, again = copied("to_sqlite.py", tmp_path), new_group(), new_group()
    command = [str(environments.python(EXAMPLES / "requirements-sqlite.txt")), program.name]
    with closing(sqlite3.connect(tmp_path / "calls.sqlite", isolation_level=None)) as database:
        database.executescript(tables_of(program))

        def rows(query: str) -> list[tuple[object, ...]]:
            return database.execute(query).fetchall()

        database.execute("BEGIN IMMEDIATE")
        example = start(stack, command, tmp_path, "calls.sqlite", group)
        wait_until_true(lambda: example.process.poll() is not None, READ_S, "the end of one that cannot write")
        assert "database is locked" in example.said()
        database.execute("ROLLBACK")

        await run_to_its_end(stack, start(stack, command, tmp_path, "calls.sqlite", group), group)
        await assert_as_it_is(stack, group, rows, "\0")

        await run_to_its_end(stack, start(stack, command, tmp_path, "calls.sqlite", again), again)
        await assert_as_it_is(stack, again, rows, "\0")
