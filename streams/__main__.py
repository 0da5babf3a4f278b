"""`python -m streams`: everything on this machine (`up`), or one role, or a tool. Parse, call, print."""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from schemas.topics import DEFAULT_PARTITIONS
from streams.errors import StreamsError

T = TypeVar("T")

app = typer.Typer(
    no_args_is_help=True,
    help="Streams of AiRudder's callbacks: run them here (`up`), or one role at a time, or look inside.",
)
topics = typer.Typer(no_args_is_help=True, help="The topics of this deployment.")
app.add_typer(topics, name="topics")


@app.command()
def up(
    demo: Annotated[bool, typer.Option(help="Send realistic simulated traffic through the front door.")] = False,
    data_dir: Annotated[Path, typer.Option(help="Kept between starts; one per instance.")] = Path(".data"),
    kafka_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 9092,
    registry_port: Annotated[int, typer.Option(help="0 takes a free port.")] = 8081,
    gateway_port: Annotated[int, typer.Option(help="Where callbacks are POSTed; 0 takes a free port.")] = 8000,
    gateway_ops_port: Annotated[int, typer.Option(help="Health and metrics; 0 takes a free port.")] = 8001,
    monitor_port: Annotated[int, typer.Option(help="The page and the API; 0 takes a free port.")] = 8080,
) -> None:
    """Run everything on this machine: Kafka, schema registry, topics, gateway, worker, monitor.

    With KAFKA_BOOTSTRAP_SERVERS or SCHEMA_REGISTRY_URL set, those are used instead. Prints the URLs and `ready`;
    Ctrl-C stops all, and the data is there at the next start.
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
    """Run one worker: callbacks in; calls, answers, attempts and windowed outcomes out. Settings: STREAMS_*."""
    from streams.worker.main import main

    raise typer.Exit(main(os.environ))


@app.command()
def monitor() -> None:
    """Run the monitor: lag and windowed outcomes as a page, an API and metrics. Settings: MONITOR_*."""
    from streams.monitor.app import main

    raise typer.Exit(main())


@app.command()
def lag() -> None:
    """Print how far behind each consumer group is, in records and in seconds, with a verdict."""
    from streams.monitor.cli import print_lag

    _run(lambda: print_lag(os.environ))


@topics.command("apply")
def topics_apply() -> None:
    """Create the topics that are missing, and check those that are there. Safe to call again.

    STREAMS_PARTITIONS (12) and STREAMS_REPLICATION_FACTOR (up to three) count for new topics only.
    """
    from streams.admin import apply_topics
    from streams.settings import TopicSettings

    def run() -> Awaitable[list[str]]:
        return apply_topics(TopicSettings.from_env(os.environ, DEFAULT_PARTITIONS))

    created = _run(run)
    print(f"{len(created)} topics created" + "".join(f"\n  {name}" for name in created))


@topics.command("check")
def topics_check() -> None:
    """Say whether every topic is there and as declared; exit code 69 when not."""
    from streams.admin import check_topics
    from streams.settings import TopicSettings

    def run() -> Awaitable[dict[str, int]]:
        settings = TopicSettings.from_env(os.environ, DEFAULT_PARTITIONS)
        return check_topics(settings.kafka, settings.app_id)

    for name, partitions in sorted(_run(run).items()):
        print(f"{name}: {partitions} partitions")


def _run(start: Callable[[], Awaitable[T]]) -> T:
    """Run one command's coroutine; what it cannot do goes to stderr, with the error's exit code."""

    async def run() -> T:
        return await start()

    try:
        return asyncio.run(run())
    except StreamsError as error:
        print(f"{error.code}:\n{error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error


if __name__ == "__main__":
    app()
