"""Kill the writer of a spool at random points, tear what it had not yet promised, and look for what it had.

SIGKILL leaves what the kernel had been given; a power cut does not. So after every third kill the end of SQLite's log,
beyond its size at the last promise, is overwritten or cut off.
"""

from __future__ import annotations

import multiprocessing
import shutil
from dataclasses import dataclass
from pathlib import Path
from random import Random

from gateway.publishing.spool import Spool
from gateway.publishing.spool_file import FILE_NAME
from tests.faults.gateway.spool_victim import MAX_BYTES, content_of, run
from tests.support.waiting import wait_until

LIVES = 10  # kills before the directory is made anew
MAX_PUTS = 250
PATIENCE_S = 30.0


@dataclass
class SpoolOutcome:
    """What was promised, and what became of it."""

    kills: int = 0
    torn: int = 0
    promised: int = 0
    missing: int = 0
    invented: int = 0
    damaged: int = 0

    def __str__(self) -> str:
        return (
            f"{self.kills} kills of the spool's writer, {self.torn} with a torn log: {self.promised} promised, "
            f"{self.missing} missing, {self.invented} invented, {self.damaged} damaged"
        )


async def kill_spool_writers(directory: Path, seed: int, kills: int) -> SpoolOutcome:
    """Raises AssertionError when a victim does not get going. The outcome counts what was lost."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([run.__module__])
    random, outcome = Random(seed), SpoolOutcome()
    for number in range(kills):
        spool_dir, notes = directory / "spool", directory / "notes"
        if number % LIVES == 0:
            shutil.rmtree(spool_dir, ignore_errors=True)
            notes.unlink(missing_ok=True)
        before = notes.stat().st_size if notes.exists() else 0
        puts = random.choice((0, 1, random.randrange(MAX_PUTS)))
        victim = context.Process(target=run, args=(spool_dir, notes, f"{seed}-{number}"))
        victim.start()
        await wait_until(lambda: _has_put(notes, before, puts), PATIENCE_S, "the victim's promises")  # noqa: B023
        victim.kill()
        victim.join()
        victim.close()
        outcome.kills += 1
        if number % 3 == 0:
            outcome.torn += _tear(spool_dir / f"{FILE_NAME}-wal", _lines(notes, before), random)
        outcome.promised += sum(line[0] == "+" for line in _lines(notes, before))
        await _examine(spool_dir, notes, f"{seed}-", outcome)
    return outcome


def _has_put(notes: Path, before: int, puts: int) -> bool:
    """Whether the victim has made this many promises; for none, it need not even have begun."""
    if not puts:
        return True
    if not notes.exists():
        return False
    with notes.open("rb") as file:
        file.seek(before)
        return file.read().count(b"+") >= puts


def _lines(notes: Path, start: int = 0) -> list[list[str]]:
    """Whole lines only: the last one may have been cut by the kill."""
    text = notes.read_bytes()[start:].decode() if notes.exists() else ""
    return [line.split() for line in text.split("\n")[:-1]]


def _tear(log: Path, lines: list[list[str]], random: Random) -> bool:
    """Damage the log where nothing was promised yet. True when there was such a part."""
    promised = max((int(line[2]) for line in lines if line[0] == "+"), default=0)
    if not log.exists() or log.stat().st_size <= promised:
        return False
    with log.open("r+b") as file:
        end = random.randrange(promised, log.stat().st_size)
        file.truncate(end)
        if random.random() < 0.5:
            file.seek(random.randrange(promised, end + 1))
            file.write(random.randbytes(random.randrange(1, 8192)))
    return True


async def _examine(spool_dir: Path, notes: Path, prefix: str, outcome: SpoolOutcome) -> None:
    lines = _lines(notes)
    promised = {line[1] for line in lines if line[0] == "+"}
    removed = {line[1] for line in lines if line[0] == "-"}
    spool = Spool(spool_dir, MAX_BYTES)
    await spool.open()
    entries = await spool.first(10**9)
    await spool.close()
    found = {entry.content.record_id: entry.content for entry in entries if entry.content}
    outcome.missing += len(promised - removed - set(found))
    outcome.invented += sum(not record_id.startswith(prefix) for record_id in found)
    outcome.damaged += sum(entry.content is None for entry in entries)
    outcome.damaged += sum(content != content_of(record_id) for record_id, content in found.items())
