"""What `up` prints: whole lines, flushed at once, to a terminal or a log."""

import sys
from contextlib import suppress
from typing import TextIO


class Console:
    """Lines on standard output, errors on standard error. A closed terminal stops nothing."""

    def __init__(self, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self._out = out if out is not None else sys.stdout
        self._err = err if err is not None else sys.stderr

    def say(self, text: str) -> None:
        self._write(self._out, text)

    def error(self, text: str) -> None:
        self._write(self._err, f"error: {text}")

    def _write(self, stream: TextIO, text: str) -> None:
        with suppress(OSError, ValueError):  # a broken pipe, a closed file
            stream.write(text + "\n")
            stream.flush()
