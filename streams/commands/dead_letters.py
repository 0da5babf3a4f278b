"""`dead-letters list|show|replay`: records that could not be processed."""

import os
import re
from typing import Annotated

import typer

from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime.options import one_of
from schemas.topics import BY_NAME
from streams.commands.options import AsJson, From, Until
from streams.commands.running import run

app = typer.Typer(
    no_args_is_help=True, help="Records that could not be processed: list them, look into one, or process them again."
)

PLACE = re.compile(r"(?P<topic>.+)\[\d+\]@\d+")
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


def _place(text: str) -> str:
    if not PLACE.fullmatch(text):
        raise typer.BadParameter(f"{text!r} is no place such as callbacks[3]@17, as `dead-letters list` prints them")
    return text


@app.command()
def show(
    place: Annotated[
        str, typer.Argument(parser=_place, metavar="PLACE", help="Where the record was read: callbacks[3]@17.")
    ],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show key, headers and value whole: personal data.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout instead of lines.")] = False,
) -> None:
    """Print one dead letter: why the record failed, its headers, and what it holds, with `***` for personal data.

    PLACE is what `list` prints in the column `record`, or the short name of a topic, its partition and its offset. A
    value that can be read is printed as JSON; of one that cannot its size and SHA-256, with `--reveal` as base64.

    ```sh
    python -m streams dead-letters show 'callbacks[0]@0' || echo "exit code $?"
    ```

    Exit codes: 0 it is there; 1 no dead letter was read at this place; 69 Kafka or the registry is away.
    """
    from streams.tools.dead_letters.showing import print_letter

    raise typer.Exit(run(lambda: print_letter(os.environ, place, reveal=reveal, as_json=as_json)))


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
