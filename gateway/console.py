"""What the commands share: settings or an exit, and a failure in one line."""

import os
import sys
from typing import NoReturn

import typer

from gateway.settings import GatewaySettings, SettingsError

EX_TEMPFAIL = 75  # sysexits.h: try again later
EX_CONFIG = 78  # sysexits.h: something was found in an unconfigured or misconfigured state


def settings_or_exit(*, needs_kafka: bool = False) -> GatewaySettings:
    """The settings of the environment; or every fault of them on stderr, and exit code 78."""
    try:
        return GatewaySettings.from_env(os.environ, needs_kafka=needs_kafka)
    except SettingsError as error:
        for line in ("These settings are wrong:", *(f"  {fault}" for fault in error.faults)):
            typer.echo(line, err=True)
        sys.exit(EX_CONFIG)


def fail(message: str, code: int = 1) -> NoReturn:
    """Say why on stderr and exit."""
    typer.echo(message, err=True)
    sys.exit(code)
