"""`schemas export|import`: schemas with their ids as a file, and back into an empty registry."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from streams.commands.running import run

app = typer.Typer(no_args_is_help=True, help="The registry's schemas: keep them as a file, or put them back.")

STANDARD = Path("-")


@app.command("export")
def export(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to write; `-` is stdout.")] = STANDARD,
) -> None:
    """Write every version of our subjects with its id to a file. It holds no secret and no record.

    Keep it with each backup of Kafka: a record names its schema by id only. Example: `schemas export schemas.json`.

    Exit codes: 0 done; 6 the file cannot be written; 69 the registry is away, or has none of our subjects.
    """
    from schemas.registry_backup import to_text
    from schemas.topics import TOPICS
    from streams.settings import TopicSettings
    from streams.topics import backup

    async def work() -> None:
        registry = TopicSettings.from_env(os.environ).registry
        found = await backup.export_schemas(registry, [registry.names.subject_of(topic) for topic in TOPICS])
        if file == STANDARD:
            sys.stdout.write(to_text(found))
            return
        backup.write(found, file)
        print(f"{len(found.ids)} schemas of {len(found.subjects)} subjects written to {file}")

    run(work)


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `schemas export` wrote; `-` is stdin.")],
) -> None:
    """Put the schemas of a file back into an empty registry, under the same ids. Safe to call again.

    Stop gateway and worker before, and run `topics check` after. Nothing is written when an id is taken by another
    schema.

    Exit codes: 0 every id is there and means the same schema; 1 the file is not one of `schemas export`; 69 the
    registry is away, or gives other ids.
    """
    from streams.settings import TopicSettings
    from streams.topics import backup

    async def work() -> None:
        registry = TopicSettings.from_env(os.environ).registry
        given = backup.read(None if file == STANDARD else file)
        restored = await backup.import_schemas(registry, given)
        print(f"{restored.added} schemas imported, {restored.present} were there")

    run(work)
