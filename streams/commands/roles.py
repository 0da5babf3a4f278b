"""`up`, the roles one at a time, and `check-config`."""

import os
from pathlib import Path
from typing import Annotated, Literal

import typer

from streams.commands.options import ROLES
from streams.commands.running import run

RoleName = Literal["gateway", "worker", "monitor", "topics"]

app = typer.Typer()


@app.command(rich_help_panel=ROLES)
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


@app.command(rich_help_panel=ROLES)
def worker() -> None:
    """Run one worker: callbacks in; calls, answers, attempts and windowed outcomes out.

    Settings: STREAMS_ and AIRUDDER_ACCOUNT_TIMEZONE, see `check-config --role worker`.

    Exit codes: 0 after an orderly stop; 3 a port cannot be listened on; 4 another process has the data directory; 6 the
    disk; 69 Kafka or the registry is away or not as declared; 70 a fault, start it again; 78 a setting is wrong.
    """
    from streams.worker.main import run as run_worker

    run_worker(os.environ)


@app.command(rich_help_panel=ROLES)
def monitor() -> None:
    """Run the monitor: lag and windowed outcomes as a page, an API and metrics.

    Settings: MONITOR_, see `check-config --role monitor`.

    Exit codes: 0 after an orderly stop; 3 the port cannot be listened on; 70 a fault, start it again; 78 a setting is
    wrong.
    """
    from streams.monitor.app import main

    raise typer.Exit(main())


@app.command(rich_help_panel=ROLES)
def check_config(
    role: Annotated[
        RoleName | None, typer.Option(metavar="ROLE", help="gateway, worker, monitor or topics; default: all.")
    ] = None,
) -> None:
    """Print the settings in effect, secrets only as set or unset; or every fault of them, with exit code 78.

    All roles judge the same variables by the same rules: what one refuses, all refuse.
    """
    from streams.tools.check_config import print_config

    run(lambda: print_config(os.environ, role))
