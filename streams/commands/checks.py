"""`lag` and `recount`: is the worker behind, and are the windows right?"""

import os
from typing import Annotated

import typer

from streams.commands.options import OPERATORS, AsJson, From, Until
from streams.commands.running import run
from streams.monitor.lag.verdicts import MEANINGS

VERDICTS = "\n\n".join(["Verdicts:", *(f"{word}: {meaning}" for word, meaning in MEANINGS.items())])

app = typer.Typer()


@app.command(rich_help_panel=OPERATORS, epilog=VERDICTS)
def lag(
    as_json: Annotated[bool, typer.Option("--json", help="What /api/lag answers, on one line.")] = False,
    partitions: Annotated[bool, typer.Option("--partitions", help="A row for each partition.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Go on until Ctrl-C: live in a terminal, else a table every 2 s.")
    ] = False,
    group: Annotated[list[str] | None, typer.Option(help="Only this group, or pattern; may be repeated.")] = None,
) -> None:
    """Print how far behind the worker is, and the groups of MONITOR_GROUPS: records, seconds, and a verdict.

    A row has a topic's records to read, the age of the oldest, and the worst verdict of its partitions. The last line
    of each group says whether it is behind. Unless all is ok it looks twice, 6 s apart: one look cannot say whether an
    offset moves.

    Exit code 0: every verdict is ok. 1: some are not, or something could not be seen. 69: Kafka did not answer. After
    `--watch` it is that of the last look.
    """
    from streams.monitor.lag.command import LagOptions, print_lag

    options = LagOptions(tuple(group or ()), as_json, partitions, watch)
    raise typer.Exit(run(lambda: print_lag(os.environ, options)))


@app.command(rich_help_panel=OPERATORS)
def recount(
    from_: From = None,
    to: Until = None,
    workflow: Annotated[str | None, typer.Option(help="Only this workflow_id.")] = None,
    sip_line: Annotated[str | None, typer.Option(help="Only this SIP line.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count every window again from the topics and compare it with the published one, cell by cell. Reads only.

    `--from` and `--to` bound the windows' starts. Needs the worker's STREAMS_WINDOW_S, STREAMS_GRACE_S and
    STREAMS_APP_ID.

    Exit codes: 0 all are equal or explained; 1 one differs, or `--workflow` or `--sip-line` match none; 69 Kafka is
    away.
    """
    from streams.tools.recount.ledger import Scope
    from streams.tools.recount.printing import print_recount

    scope = Scope(from_, to, workflow, sip_line)
    raise typer.Exit(run(lambda: print_recount(os.environ, scope, as_json=as_json)))
