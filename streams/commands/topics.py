"""`topics apply|check|acls`: create what is missing, compare with what is declared, print the rights of each role."""

import json
import os
from typing import Annotated, Literal

import typer

from streams.commands.running import run
from streams.topics.acls import ROLES, USER, Deployment, Role, granted

app = typer.Typer(
    no_args_is_help=True,
    help="Topics and schemas: create what is missing, compare with what is declared, print rights.",
)

Output = Literal["table", "commands", "json"]


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


@app.command("acls")
def acls(
    role: Annotated[Role | None, typer.Option(metavar="ROLE", help=f"{', '.join(ROLES)}; default: all.")] = None,
    user: Annotated[
        str, typer.Option(metavar="NAME", help="The user at Kafka; `{role}` stands for the role's name.")
    ] = USER,
    output: Annotated[Output, typer.Option("--output", "-o", help="How to print them.")] = "table",
) -> None:
    """Print the rights (ACLs) that each role needs at Kafka, and no others. Asks no broker.

    Names follow AIRUDDER_TOPIC_PREFIX and STREAMS_APP_ID. `-o commands` prints Kafka's own commands that grant them:

    `python -m streams topics acls --role worker --user my-worker -o commands`
    """
    from streams.settings import TopicSettings
    from streams.topics.acl_table import print_table

    async def work() -> None:
        settings = TopicSettings.from_env(os.environ)
        deployment = Deployment(settings.kafka.names, settings.group)
        grants = [granted(name, deployment, user) for name in ([role] if role else ROLES)]
        if output == "table":
            print_table(grants)
        for grant in grants if output != "table" else ():
            for right in grant.rights:
                print(grant.command(right) if output == "commands" else json.dumps(grant.row(right)))

    run(work)
