"""`python -m streams replay --to-prefix P`: check, copy with a progress bar, print."""

from collections.abc import Mapping
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from schemas.errors import SettingsError
from schemas.reader import Offsets, TopicReader, distance, only
from schemas.registry import Registry
from schemas.topics import CALLBACKS
from streams import output
from streams.errors import TopicsError
from streams.settings import TopicSettings
from streams.tools.growing.checks import START_ANEW, check_marks, check_order, check_target
from streams.tools.growing.copying import COPIED, Copy, Target
from streams.tools.growing.marks import Marks
from streams.tools.kafka import open_producer, translated
from streams.topics.acls import REPLAY_GROUP

PREFIX: Final = "AIRUDDER_TOPIC_PREFIX"
BATCHES: Final = {"max_batch_size": 512 * 1024, "linger_ms": 5}


async def print_replay(
    environ: Mapping[str, str], to_prefix: str, from_prefix: str | None, *, dry_run: bool, rate: float | None
) -> int:
    """Copy what is not copied yet; print how many records of each topic. Exit code 0.

    Raises: SettingsError, TopicsError, SchemasError, BrokerUnavailableError, RefusedError, RegistryAwayError.
    """
    here = environ.get(PREFIX, "").strip() if from_prefix is None else from_prefix
    if here == to_prefix:
        raise SettingsError([f"--to-prefix: the topics under {here or 'no prefix'} are those to copy from"])
    source = TopicSettings.from_env({**environ, PREFIX: here})
    target = TopicSettings.from_env({**environ, PREFIX: to_prefix})
    registry = Registry(target.registry)
    try:
        async with translated(source.kafka):
            await check_target(target)
            await registry.look_up(COPIED)
            counts = await _replay(source, target, registry, dry_run=dry_run, rate=rate)
    finally:
        await registry.aclose()
    out = output.console()
    for name, count in counts.items():
        out.print(f"{target.kafka.names.prefix}{name}: {count} {'to copy' if dry_run else 'copied'}", highlight=False)
    return 0


async def _replay(
    source: TopicSettings, target: TopicSettings, registry: Registry, *, dry_run: bool, rate: float | None
) -> dict[str, int]:
    """How many records of each topic were copied, or would be, by declared names."""
    names = {topic.name: source.kafka.names.of(topic) for topic in COPIED}
    async with (
        TopicReader(source.kafka) as reader,
        TopicReader(target.kafka) as there,
        Marks(source.kafka, target.kafka.names.group(REPLAY_GROUP)) as marks,
    ):
        before = await there.ends(*COPIED)
        found = await marks.read(await reader.beginnings(*COPIED))
        for topic in COPIED:
            check_marks(found, names[topic.name], only([target.kafka.names.of(topic)], before))
        await check_order(there)
        ends, starts = await reader.ends(*COPIED), {tp: mark.offset for tp, mark in found.items()}
        if dry_run:
            return {declared: distance(starts, only([name], ends)) for declared, name in names.items()}
        async with open_producer(target.kafka, **BATCHES) as producer:
            with _progress() as progress:
                task = progress.add_task("copying", total=distance(starts, ends))
                copy = Copy(
                    reader,
                    Target(target.kafka.names.all_of(COPIED), _counts(before, target), registry, producer),
                    marks,
                    lambda count: progress.advance(task, count),
                    rate,
                )
                counts = await copy.run(found, ends)
        await _refuse_others(there, before, counts[CALLBACKS.name])
    return counts


def _counts(ends: Offsets, target: TopicSettings) -> dict[str, int]:
    return {topic.name: len(only([target.kafka.names.of(topic)], ends)) for topic in COPIED}


async def _refuse_others(there: TopicReader, before: Offsets, copied: int) -> None:
    """Raises: TopicsError when somebody else wrote callbacks into the target meanwhile."""
    now = await there.ends(CALLBACKS)
    others = distance(before, now) - copied
    if others:
        raise TopicsError(
            f"somebody else wrote {others} callbacks to {there.names.of(CALLBACKS)} meanwhile: the order of a call's "
            f"callbacks may be wrong there. Stop that gateway, and {START_ANEW}"
        )


class _Rate(ProgressColumn):
    """Records a second."""

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f}/s" if task.speed else "-/s")


def _progress() -> Progress:
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
