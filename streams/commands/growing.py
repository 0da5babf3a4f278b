"""`replay --to-prefix`: a new set of topics, such as one with more partitions, from what the gateway wrote."""

import os
from typing import Annotated

import typer

from schemas.runtime.options import topic_prefix
from streams.commands.options import OPERATORS
from streams.commands.running import run

app = typer.Typer()


@app.command(rich_help_panel=OPERATORS)
def replay(
    to_prefix: Annotated[
        str, typer.Option(parser=topic_prefix, metavar="PREFIX", help="Prefix of the topics to copy into.")
    ],
    from_prefix: Annotated[
        str | None,
        typer.Option(
            parser=topic_prefix, metavar="PREFIX", help="Of the topics to copy; default: AIRUDDER_TOPIC_PREFIX."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check, and say what would be copied; copy nothing.")
    ] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1_000_000, help="Records a second, at most; default: as fast as Kafka.")
    ] = None,
) -> None:
    """Copy all that the gateway wrote into the topics of another prefix, where a new worker processes it again.

    Needs `topics apply` under the new prefix, and no worker there before the last copy. Run again, it copies what has
    come since.

    Exit codes: 0 all is copied; 69 Kafka or the registry is away, topics are missing, or a worker or gateway has begun
    there; 78 a setting is wrong, or both prefixes are the same.
    """
    from streams.tools.growing.printing import print_replay

    raise typer.Exit(run(lambda: print_replay(os.environ, to_prefix, from_prefix, dry_run=dry_run, rate=rate)))
