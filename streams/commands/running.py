"""How a command runs its coroutine: what it cannot do goes to stderr, with the error's exit code."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

import typer

from schemas.errors import SettingsError
from schemas.runtime import exits
from schemas.runtime.logs import silence
from streams.errors import StreamsError

T = TypeVar("T")


def run(start: Callable[[], Awaitable[T]]) -> T:
    """Run one command's coroutine; what it cannot do goes to stderr, with the error's exit code."""

    async def started() -> T:
        return await start()

    silence("aiokafka")
    try:
        return asyncio.run(started())
    except SettingsError as error:
        print(error, file=sys.stderr)
        raise typer.Exit(exits.SETTINGS) from error
    except StreamsError as error:
        between = "\n" if str(error).startswith("  - ") else " "  # a list of faults begins on a line of its own
        print(f"{error.code}:{between}{error}", file=sys.stderr)
        raise typer.Exit(error.exit_code) from error
