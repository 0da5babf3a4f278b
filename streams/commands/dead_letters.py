"""`dead-letters list|replay`: records that could not be processed."""

import os
from typing import Annotated

import typer

from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime.options import one_of
from schemas.topics import BY_NAME
from streams.commands.options import AsJson, From, Until
from streams.commands.running import run

app = typer.Typer(no_args_is_help=True, help="Records that could not be processed: list them, or process them again.")

REASONS = one_of(DEAD_LETTER_REASONS)
Reason = Annotated[
    str | None, typer.Option(parser=REASONS, metavar="REASON", help=f"Why it failed: {REASONS.choices}.")
]
SourceTopic = Annotated[
    str | None, typer.Option(parser=one_of(BY_NAME), metavar="TOPIC", help="The topic where the record was read.")
]


@app.command("list")
def list_letters(
    reason: Reason = None,
    topic: SourceTopic = None,
    from_: From = None,
    to: Until = None,
    as_json: AsJson = False,
) -> None:
    """What failed, where it was read, how large it is, why and when. Never a value, a key or a header."""
    from streams.tools.dead_letters.letters import LetterFilter
    from streams.tools.dead_letters.printing import print_letters

    wanted = LetterFilter(reason, topic, from_, to)
    raise typer.Exit(run(lambda: print_letters(os.environ, wanted, as_json=as_json)))


@app.command()
def replay(
    reason: Reason = None,
    topic: SourceTopic = None,
    from_: From = None,
    to: Until = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent; send nothing.")] = False,
    rate: Annotated[
        float | None, typer.Option(min=0.1, max=1_000_000, help="Records a second, at most; default: as fast as Kafka.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Also those that were, or may have been, replayed before.")
    ] = False,
) -> None:
    """Send the records back to where they were read, once each, so that the worker processes them again.

    Window changes are left out unless `--topic` names theirs: check with `recount` afterwards. `--dry-run` first.
    """
    from streams.tools.dead_letters.letters import LetterFilter
    from streams.tools.dead_letters.printing import print_replay

    wanted = LetterFilter(reason, topic, from_, to)
    raise typer.Exit(run(lambda: print_replay(os.environ, wanted, again=again, dry_run=dry_run, rate=rate)))
