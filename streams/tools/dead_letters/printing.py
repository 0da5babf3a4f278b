"""`python -m streams dead-letters list|replay`: open the topics, run with a progress bar, print."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from schemas.reader import TopicReader
from schemas.registry import Registry
from schemas.topics import BY_NAME, DEAD_LETTERS
from streams import output
from streams.settings import WorkerSettings
from streams.tools.dead_letters.decisions import ReplayDecision, ReplayPlan
from streams.tools.dead_letters.letters import LetterFilter, LetterRow, row_of
from streams.tools.dead_letters.replay import DeadLetters
from streams.tools.kafka import open_producer, translated
from streams.tools.progress import counting_records

HEADS = ("failed at", "record", "bytes", "reason", "detail")


class Opened(NamedTuple):
    """What a command works with while it is open."""

    settings: WorkerSettings
    reader: TopicReader
    registry: Registry
    letters: DeadLetters
    wanted: LetterFilter


@asynccontextmanager
async def open_letters(environ: Mapping[str, str], wanted: LetterFilter) -> AsyncIterator[Opened]:
    """The dead letters of the environment's Kafka. wanted: with the topic as it is declared.

    Raises: SettingsError, BrokerUnavailableError, RegistryAwayError.
    """
    settings = WorkerSettings.from_env(environ)
    if wanted.topic:
        wanted = wanted._replace(topic=settings.kafka.names.of(BY_NAME[wanted.topic]))
    registry = Registry(settings.registry)
    try:
        async with translated(settings.kafka), TopicReader(settings.kafka) as reader:
            with counting_records() as advance:
                yield Opened(settings, reader, registry, DeadLetters(reader, registry, advance), wanted)
    finally:
        await registry.aclose()


async def print_letters(environ: Mapping[str, str], wanted: LetterFilter, *, as_json: bool) -> int:
    """Print the letters that match, without anything personal: a table, or one JSON object a row. Exit code 0."""
    async with open_letters(environ, wanted) as opened:
        rows = [row_of(letter) async for letter in opened.letters.find(opened.wanted)]
    rows.sort()
    if as_json:
        for row in rows:
            print(json.dumps(_json(row)))  # noqa: T201  # a command line prints
    elif rows:
        output.console().print(letters_table(rows))
    message = _matched(len(rows), opened.letters.letters) + _unreadable(opened.letters)
    output.console(stderr=as_json).print(message, highlight=False)
    return 0


async def print_replay(
    environ: Mapping[str, str], wanted: LetterFilter, *, again: bool, dry_run: bool, rate: float | None
) -> int:
    """Replay what matches and is due; print what was left out, and why. Exit code 0.

    Raises: BrokerUnavailableError when one is not acknowledged. Repeat: safe; it goes on from there.
    """
    async with open_letters(environ, wanted) as opened:
        ends = await opened.reader.ends(DEAD_LETTERS)
        plan = await opened.letters.plan(opened.wanted, ends, again=again)
        done = 0
        if not dry_run and plan.due:
            async with open_producer(opened.settings.kafka) as producer:
                done = await opened.letters.replay(opened.wanted, ends, plan.due, producer, rate)
    count = len(plan.due) if dry_run else done
    message = f"{count} record{'s' * (count != 1)} {'would be ' * dry_run}replayed{_left_out(plan)}"
    message = message if plan.decisions else _matched(0, opened.letters.letters)
    output.console().print(message + _unreadable(opened.letters), highlight=False, markup=False)
    return 0


def _left_out(plan: ReplayPlan) -> str:
    counts = plan.counts()
    return "".join(
        f", {counts[decision]} left out: {decision.value}"
        for decision in ReplayDecision
        if decision is not ReplayDecision.DUE and counts[decision]
    )


def _matched(count: int, letters: int) -> str:
    """How many match; without a match, whether there are any letters at all."""
    if count:
        return f"{count} dead letter{'s' * (count != 1)}"
    return f"no dead letter matches, of {letters}" if letters else "no dead letters in the topic"


def letters_table(rows: list[LetterRow]) -> Table:
    """One row per letter, by the time of failure."""
    table = Table(*HEADS, box=None, pad_edge=False)
    for row in rows:
        size = "-" if row.value_bytes is None else str(row.value_bytes)
        cells = (row.failed_at, str(row.origin), size, row.reason, row.detail)
        table.add_row(*(Text(cell, overflow="fold") for cell in cells))  # Text: a detail may look like markup
    return table


def _json(row: LetterRow) -> dict[str, object]:
    origin = dict(zip(("source_topic", "source_partition", "source_offset"), row.origin, strict=True))
    return {**origin, **{name: value for name, value in row._asdict().items() if name != "origin"}}


def _unreadable(letters: DeadLetters) -> str:
    count = letters.unreadable
    return f"; {count} letter{'s' * (count != 1)} could not be read" if count else ""
