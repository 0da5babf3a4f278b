"""`topics apply|check`: create what is missing, or compare with what is declared."""

import os

import typer

from streams.commands.running import run

app = typer.Typer(
    no_args_is_help=True, help="Topics and schemas: create what is missing, or compare with what is declared."
)


@app.command("apply")
def apply() -> None:
    """Create the topics that are missing, check those that are there, and register every schema. Safe to call again.

    STREAMS_PARTITIONS (12) and STREAMS_REPLICATION_FACTOR (up to 3) count for new topics only.
    """
    from streams.settings import TopicSettings
    from streams.topics.admin import apply_topics
    from streams.topics.schemas import apply_schemas

    async def work() -> tuple[list[str], int]:
        settings = TopicSettings.from_env(os.environ)
        return await apply_topics(settings), await apply_schemas(settings.registry)

    created, schemas = run(work)
    print(f"{len(created)} topics created" + "".join(f"\n  {name}" for name in created))
    print(f"{schemas} schemas registered")


@app.command("check")
def check() -> None:
    """Say whether every topic and schema is there and as declared, with none foreign; exit code 69 when not."""
    from streams.settings import TopicSettings
    from streams.topics.admin import check_topics
    from streams.topics.schemas import check_schemas

    async def work() -> tuple[dict[str, int], int]:
        settings = TopicSettings.from_env(os.environ)
        return await check_topics(settings.kafka, settings.group), await check_schemas(settings.registry)

    found, schemas = run(work)
    for name, partitions in sorted(found.items()):
        print(f"{name}: {partitions} partitions")
    print(f"{schemas} schemas")
