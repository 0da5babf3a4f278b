"""Where a tool prints: a terminal of its own width, or plain lines that are never folded."""

import re
import sys
from typing import Final

from rich.console import Console

PIPE_WIDTH: Final = 10_000  # wider than any row: no id is cut before a grep


_CONTROLS: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def without_controls(text: str) -> str:
    """The text with control characters blanked: they could steer the terminal."""
    return _CONTROLS.sub(" ", text)


def console(*, stderr: bool = False) -> Console:
    """A console on stdout or stderr."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr) if stream.isatty() else Console(stderr=stderr, width=PIPE_WIDTH)
