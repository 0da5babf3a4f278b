"""What the commands share: the settings or an exit, a failure in one line, a progress bar."""

import os
import sys
from typing import NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from gateway.settings import NEEDED_TO_SERVE, GatewaySettings
from schemas.errors import SettingsError
from schemas.runtime import exits


def settings_or_exit(*, to_serve: bool = False) -> GatewaySettings:
    """The settings of the environment; or every fault of them on stderr, and exit code 78.

    to_serve: NEEDED_TO_SERVE must be said; the tools take the defaults.
    """
    try:
        return GatewaySettings.from_env(os.environ, required=NEEDED_TO_SERVE if to_serve else ())
    except SettingsError as error:
        fail(str(error), exits.SETTINGS)


def fail(message: str, code: int = exits.NO) -> NoReturn:
    """Say why on stderr and exit."""
    typer.echo(message, err=True)
    sys.exit(code)


def progress_bar(console: Console) -> Progress:
    """A bar for each task; nothing where `console` is no terminal."""
    columns = (
        SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    return Progress(*columns, console=console, disable=not console.is_terminal)
