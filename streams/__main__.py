"""`python -m streams`: everything on this machine (`up`), or one role, or a tool. Parse, call, print."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Literal, TypeVar

import typer

from schemas.errors import SettingsError
from schemas.records.kept import DEAD_LETTER_REASONS
from schemas.runtime import exits
from schemas.runtime.build import VersionOption
from schemas.runtime.logs import silence
from schemas.runtime.options import epoch_ms, one_of
from schemas.topics import BY_NAME
from streams.errors import StreamsError
from streams.monitor.lag.verdicts import MEANINGS

T = TypeVar("T")
RoleName = Literal["gateway", "worker", "monitor", "topics"]

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode="markdown",
    help="""Streams of AiRudder's callbacks: everything on this machine (`up`), one role at a time, or a tool.

    Settings come from the environment; `check-config` prints them all. The tools of a second shell, while `up` runs:

    ```sh
    . .data/env
    python -m streams lag
    ```
    """,
)
topics = typer.Typer(
    no_args_is_help=True, help="Topics and schemas: create what is missing, or compare with what is declared."
)
app.add_typer(topics, name="topics")
dead_letters = typer.Typer(
    no_args_is_help=True, help="Records that could not be processed: list them, or process them again."
)
app.add_typer(dead_letters, name="dead-letters")


From = Annotated[
    int | None,
    typer.Option(
        "--from", parser=epoch_ms, metavar="ISO", help="From then on: 2024-03-11T13:25:00, UTC without a zone."
    ),
]
Until = Annotated[
    int | None, typer.Option("--to", parser=epoch_ms, metavar="ISO", help="Before then, in the same form.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.")]
REASONS = one_of(DEAD_LETTER_REASONS)
Reason = Annotated[
    str | None, typer.Option(parser=REASONS, metavar="REASON", help=f"Why it failed: {REASONS.choices}.")
]
SourceTopic = Annotated[
    str | None, typer.Option(parser=one_of(BY_NAME), metavar="TOPIC", help="The topic where the record was read.")
]


@app.callback()
def main(version: VersionOption = False) -> None:
    """Options before a command."""


@app.command()
def up(
    demo: Annotated[
        bool, typer.Option("--demo", help="Send realistic simulated traffic through the front door.")
    ] = False,
    data_dir: Annotated[Path, typer.Option(help="Data, logs and `env`, kept between starts; one per system.")] = Path(
        ".data"
    ),
    kafka_port: Annotated[int, typer.Option(help="The broker; 0 takes a free port.")] = 9092,
    registry_port: Annotated[int, typer.Option(help="The schema registry; 0 takes a free port.")] = 8081,
    gateway_port: Annotated[int, typer.Option(help="Where callbacks are POSTed; 0 takes a free port.")] = 8000,
    gateway_ops_port: Annotated[int, typer.Option(help="Health and metrics; 0 takes a free port.")] = 8001,
    monitor_port: Annotated[int, typer.Option(help="The page and the API; 0 takes a free port.")] = 8080,
) -> None:
    """Run everything on this machine: Kafka, schema registry, topics, gateway, worker, monitor.

    Prints the URLs and `ready`; Ctrl-C stops all, and the data is there at the next start. With KAFKA_BOOTSTRAP_SERVERS
    or SCHEMA_REGISTRY_URL set, those are used instead. The tools of another shell need the addresses: `. .data/env`.
    The worker's health is on STREAMS_OPS_PORT; without it on 8002, or on a free port when 8002 is taken or
    `--gateway-ops-port` is 0.

    Exit codes: 0 after Ctrl-C; 3 a port is taken; 4 the data directory is in use; 5 no download; 6 the disk; 69 not
    ready in time; 78 a setting is wrong.
    """
    from streams.local.launcher import UpOptions
    from streams.local.launcher import up as launch

    options = UpOptions(
        demo=demo,
        data_dir=data_dir,
        kafka_port=kafka_port,
        registry_port=registry_port,
        gateway_port=gateway_port,
        gateway_ops_port=gateway_ops_port,
        monitor_port=monitor_port,
    )
    raise typer.Exit(launch(options))


@app.command()
def worker() -> None:
    """Run one worker: callbacks in; calls, answers, attempts and windowed outcomes out.

    Settings: STREAMS_ and AIRUDDER_ACCOUNT_TIMEZONE, see `check-config --role worker`.

    Exit codes: 0 after an orderly stop; 3 a port cannot be listened on; 4 another process has the data directory; 6 the
    disk; 69 Kafka or the registry is away or not as declared; 70 a fault, start it again; 78 a setting is wrong.
    """
    from streams.worker.main import run

    run(os.environ)


@app.command()
def monitor() -> None:
    """Run the monitor: lag and windowed outcomes as a page, an API and metrics.

    Settings: MONITOR_, see `check-config --role monitor`.

    Exit codes: 0 after an orderly stop; 3 the port cannot be listened on; 70 a fault, start it again; 78 a setting is
    wrong.
    """
    from streams.monitor.app import main

    raise typer.Exit(main())


@app.command()
def check_config(
    role: Annotated[
        RoleName | None, typer.Option(metavar="ROLE", help="gateway, worker, monitor or topics; default: all.")
    ] = None,
) -> None:
    """Print the settings in effect, secrets only as set or unset; or every fault of them, with exit code 78.

    All roles judge the same variables by the same rules: what one refuses, all refuse.
    """
    from streams.tools.check_config import print_config

    _run(lambda: print_config(os.environ, role))


@app.command(epilog="\n\n".join(["Verdicts:", *(f"{word}: {meaning}" for word, meaning in MEANINGS.items())]))
def lag(
    as_json: Annotated[bool, typer.Option("--json", help="What /api/lag answers, on one line.")] = False,
    partitions: Annotated[bool, typer.Option("--partitions", help="A row for each partition.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Print anew every 2 s until Ctrl-C.")] = False,
    group: Annotated[list[str] | None, typer.Option(help="Only this group, or pattern; may be repeated.")] = None,
) -> None:
    """Print how far behind the worker is, and the groups of MONITOR_GROUPS: records, seconds, and a verdict.

    A row has a topic's records to read, the age of the oldest, and the worst verdict of its partitions. The last line
    of each group says whether it is behind. Unless all is ok it looks twice, 6 s apart: one look cannot say whether an
    offset moves.

    Exit code 0: every verdict is ok. 1: some are not, or something could not be seen. 69: Kafka did not answer.
    """
    from streams.monitor.lag.command import LagOptions, print_lag

    options = LagOptions(tuple(group or ()), as_json, partitions, watch)
    raise typer.Exit(_run(lambda: print_lag(os.environ, options)))


@app.command()
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
    raise typer.Exit(_run(lambda: print_recount(os.environ, scope, as_json=as_json)))


@dead_letters.command("list")
def dead_letters_list(
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
    raise typer.Exit(_run(lambda: print_letters(os.environ, wanted, as_json=as_json)))


@dead_letters.command("replay")
def dead_letters_replay(
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
    raise typer.Exit(_run(lambda: print_replay(os.environ, wanted, again=again, dry_run=dry_run, rate=rate)))


@topics.command("apply")
def topics_apply() -> None:
    """Create the topics that are missing, check those that are there, and register every schema. Safe to call again.

    STREAMS_PARTITIONS (12) and STREAMS_REPLICATION_FACTOR (up to 3) count for new topics only.
    """
    from streams.settings import TopicSettings
    from streams.topics.admin import apply_topics
    from streams.topics.schemas import apply_schemas

    async def run() -> tuple[list[str], int]:
        settings = TopicSettings.from_env(os.environ)
        return await apply_topics(settings), await apply_schemas(settings.registry)

    created, schemas = _run(run)
    print(f"{len(created)} topics created" + "".join(f"\n  {name}" for name in created))
    print(f"{schemas} schemas registered")


@topics.command("check")
def topics_check() -> None:
    """Say whether every topic and schema is there and as declared, with none foreign; exit code 69 when not."""
    from streams.settings import TopicSettings
    from streams.topics.admin import check_topics
    from streams.topics.schemas import check_schemas

    async def run() -> tuple[dict[str, int], int]:
        settings = TopicSettings.from_env(os.environ)
        return await check_topics(settings.kafka, settings.app_id), await check_schemas(settings.registry)

    found, schemas = _run(run)
    for name, partitions in sorted(found.items()):
        print(f"{name}: {partitions} partitions")
    print(f"{schemas} schemas")


def _run(start: Callable[[], Awaitable[T]]) -> T:
    """Run one command's coroutine; what it cannot do goes to stderr, with the error's exit code."""

    async def run() -> T:
        return await start()

    silence("aiokafka")
    try:
        return asyncio.run(run())
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(exits.SETTINGS) from error
    except StreamsError as error:
        between = "\n" if str(error).startswith("  - ") else " "  # a list of faults begins on a line of its own
        print(f"{error.code}:{between}{error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error


if __name__ == "__main__":
    app()
