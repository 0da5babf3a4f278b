"""Lines on stdout, each at once; a reader that has gone away, such as `head`, is no fault."""

import asyncio
import os
import stat
import sys
from contextlib import suppress

from streams.errors import DiskError


class ReaderGoneError(Exception):
    """Nobody reads our stdout any more."""


class Lines:
    """Writes lines. Use from one task."""

    def write(self, line: str) -> None:
        """Write and flush. Raises: ReaderGoneError; DiskError where stdout is a file that cannot be written."""
        try:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        except BrokenPipeError as error:
            forget_stdout()
            raise ReaderGoneError from error
        except OSError as error:
            forget_stdout()
            raise DiskError(f"stdout cannot be written: {error.strerror}") from error


def forget_stdout() -> None:
    """Point stdout at nothing, so that Python does not fail once more when it flushes at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def cancel_when_reader_goes() -> None:
    """Cancel the current task as soon as the reader of the pipe at stdout is gone, also while nothing is written."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    with suppress(OSError, ValueError):
        number = sys.stdout.fileno()
        if task is None or not stat.S_ISFIFO(os.fstat(number).st_mode):
            return

        def is_gone() -> None:
            loop.remove_reader(number)
            task.cancel()

        loop.add_reader(number, is_gone)
