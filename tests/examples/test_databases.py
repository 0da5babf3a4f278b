"""The examples that keep records in a database: crashed in the middle, and given everything a second time.

First answers and dials alone: of a call that was corrected to no answer its old answers stay. Then all topics from the
beginning, by another group: the call's own record takes them away.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, Topic
from tests.support.examples.databases import KEPT, Select, assert_as_it_is, tables_of
from tests.support.examples.environments import Environments
from tests.support.examples.expectation import committed, ends
from tests.support.examples.process import RunningExample, start_example
from tests.support.examples.stack import Stack
from tests.support.processes.postgres import execute, has_waiting, locked, running_postgres, select
from tests.support.waiting import wait_until, wait_until_true

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "python"
PART = (ANSWERS, CALL_ATTEMPTS)
READ_S = 90.0


@pytest.fixture
def postgres() -> Iterator[str]:
    with running_postgres() as url:
        yield url


@dataclass(frozen=True)
class Reader:
    """The example as one consumer group, with the topics that it reads."""

    stack: Stack
    command: list[str]
    directory: Path
    database: str
    topics: tuple[Topic, ...]
    group: str

    def start(self) -> RunningExample:
        names = ",".join(topic.name for topic in self.topics)
        own = {"TOPIC": names, "GROUP": self.group, "DATABASE": self.database}
        return start_example(self.command, self.directory, {**self.stack.environ, **own})

    async def run_to_the_end(self, rows: Select, nul: str) -> None:
        """Until it has committed all that is there now; then SIGTERM, and a look at the rows."""
        there, example = await ends(self.stack.bootstrap, self.topics), self.start()

        async def has_read_all() -> bool:
            example.assert_runs()
            read = await committed(self.stack.bootstrap, self.group)
            return all(read.get(at, 0) >= end for at, end in there.items())

        try:
            await wait_until(has_read_all, READ_S, "the last record of every partition")
        finally:
            code = example.stop()
        assert code == 0, example.said()
        await assert_as_it_is(self.stack, self.topics, self.group, rows, nul)


def reader(
    stack: Stack, command: list[str], directory: Path, database: str, topics: tuple[Topic, ...] = PART
) -> Reader:
    return Reader(stack, command, directory, database, topics, f"database-{uuid.uuid4().hex[:8]}")


def copied(name: str, directory: Path) -> Path:
    return Path(shutil.copy(EXAMPLES / name, directory))


async def test_postgres_holds_the_latest_revisions_also_after_a_kill_in_the_middle_and_after_everything_again(
    environments: Environments, stack: Stack, postgres: str, tmp_path: Path
) -> None:
    program, rows = copied("to_postgres.py", tmp_path), partial(select, postgres)
    command = [str(environments.python(EXAMPLES / "requirements-postgres.txt")), program.name]
    execute(postgres, tables_of(program))
    of_a_part = reader(stack, command, tmp_path, postgres)
    with locked(postgres, "revisions"):
        example = of_a_part.start()
        wait_until_true(lambda: has_waiting(postgres), READ_S, "a batch that waits")
        example.stop(signal.SIGKILL)

    await of_a_part.run_to_the_end(rows, r"\u0000")
    await reader(stack, command, tmp_path, postgres, KEPT).run_to_the_end(rows, r"\u0000")

    assert rows("SELECT count(*) AS n FROM set_aside WHERE value IS NOT NULL") != [(0,)]


async def test_sqlite_holds_the_latest_revisions_also_after_a_crash_in_the_middle_and_after_everything_again(
    environments: Environments, stack: Stack, tmp_path: Path
) -> None:
    program = copied("to_sqlite.py", tmp_path)
    command = [str(environments.python(EXAMPLES / "requirements-sqlite.txt")), program.name]
    of_a_part = reader(stack, command, tmp_path, "calls.sqlite")
    with closing(sqlite3.connect(tmp_path / "calls.sqlite", isolation_level=None)) as database:
        database.executescript(tables_of(program))

        def rows(query: str) -> list[tuple[object, ...]]:
            return database.execute(query).fetchall()

        database.execute("BEGIN IMMEDIATE")
        example = of_a_part.start()
        wait_until_true(lambda: example.process.poll() is not None, READ_S, "the end of one that cannot write")
        assert "database is locked" in example.said()
        database.execute("ROLLBACK")

        await of_a_part.run_to_the_end(rows, "\0")
        await reader(stack, command, tmp_path, "calls.sqlite", KEPT).run_to_the_end(rows, "\0")
