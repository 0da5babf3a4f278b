"""`python -m streams dead-letters list|replay`: parse nothing, run the tools with a progress bar, print."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from schemas.reader import TopicReader
from schemas.registry import Registry
from schemas.topics import DEAD_LETTERS
from streams.settings import WorkerSettings
from streams.tools.dead_letters.replay import Fate, Filter, Line, Tools, line_of
from streams.tools.kafka import open_producer, translated

HEADS = ("failed at", "record", "bytes", "reason", "detail")


class Opened(NamedTuple):
    """What a command works with while it is open."""

    settings: WorkerSettings
    reader: TopicReader
    tools: Tools


@asynccontextmanager
async def _open(environ: Mapping[str, str]) -> AsyncIterator[Opened]:
    """The tools on the environment's Kafka. Raises: SettingsError, BrokerUnavailableError, RegistryAwayError."""
    settings = WorkerSettings.from_env(environ)
    registry = Registry(settings.registry)
    columns = (SpinnerColumn(), TextColumn("{task.completed} records"), TimeElapsedColumn())
    try:
        async with translated(settings.kafka), TopicReader(settings.kafka) as reader:
            with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
                task = progress.add_task("records")
                yield Opened(settings, reader, Tools(reader, registry, lambda: progress.advance(task)))
    finally:
        await registry.aclose()


async def print_letters(environ: Mapping[str, str], wanted: Filter, *, as_json: bool) -> int:
    """Print the letters that match, without anything personal: a table, or one JSON object a line. Exit code 0."""
    async with _open(environ) as opened:
        lines = [line_of(letter) async for letter in opened.tools.find(wanted)]
    lines.sort()
    if as_json:
        for line in lines:
            print(json.dumps(_json(line)))  # noqa: T201  # a command line prints
    elif lines:
        Console().print(letters_table(lines))
    Console(stderr=as_json).print(
        _matched(len(lines), opened.tools.letters) + _unreadable(opened.tools), highlight=False
    )
    return 0


async def print_replay(
    environ: Mapping[str, str], wanted: Filter, *, again: bool, dry_run: bool, rate: float | None
) -> int:
    """Replay what matches and is due; print what was done with the rest. Exit code 0.

    Raises: BrokerUnavailableError when one is not acknowledged; running it again goes on from there.
    """
    async with _open(environ) as opened:
        ends = await opened.reader.ends(DEAD_LETTERS)
        plan = await opened.tools.plan(wanted, ends, again=again)
        done = 0
        if not dry_run and plan.due:
            async with open_producer(opened.settings.kafka) as producer:
                done = await opened.tools.replay(wanted, ends, plan.due, producer, rate)
    counts = plan.counts()
    count = counts[Fate.DUE] if dry_run else done
    told = f"{count} record{'s' * (count != 1)} {'would be ' * dry_run}replayed"
    told = told if plan.fates else _matched(0, opened.tools.letters)
    left = "".join(f", {counts[fate]} left out: {fate.value}" for fate in Fate if fate is not Fate.DUE and counts[fate])
    Console().print(told + left + _unreadable(opened.tools), highlight=False, markup=False)
    return 0


def _matched(count: int, letters: int) -> str:
    """How many match; that none does is another thing than that nothing was lost."""
    if count:
        return f"{count} dead letter{'s' * (count != 1)}"
    return f"no dead letter matches, of {letters}" if letters else "no dead letters: nothing was lost"


def letters_table(lines: list[Line]) -> Table:
    """One row per letter, by the time of failure."""
    table = Table(*HEADS)
    for line in lines:
        size = "-" if line.value_bytes is None else str(line.value_bytes)
        cells = (line.failed_at, str(line.origin), size, line.reason, line.detail)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))  # Text: a detail may look like markup
    return table


def _json(line: Line) -> dict[str, object]:
    origin = dict(zip(("source_topic", "source_partition", "source_offset"), line.origin, strict=True))
    return {**origin, **{name: value for name, value in line._asdict().items() if name != "origin"}}


def _unreadable(tools: Tools) -> str:
    return f"; {tools.unreadable} letters could not be read" if tools.unreadable else ""
