"""The bodies in files: one a line, or one a `.json` file. Each keeps its bytes: they are its id."""

import hashlib
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import IO, Final, NamedTuple

from gateway.errors import UnreadableFileError

STDIN: Final = "-"
WHOLE: Final = ".json"  # one body, over as many lines as it has
LINES: Final = ".jsonl"


class Body(NamedTuple):
    """One body: its file, its line (from 1), its bytes without the end of the line, and how many bytes it takes there.

    digest: hex SHA-256 of the file up to and with this line.
    """

    file: str
    line: int
    body: bytes
    size: int
    digest: str


def files_of(path: str) -> list[str]:
    """FILE itself, or the `.jsonl` and `.json` files of DIR in the order of their names.

    Raises: UnreadableFileError where there is none.
    """
    if path == STDIN:
        return [path]
    place = Path(path)
    if not place.is_dir():
        return [path]
    found = sorted(str(file) for file in place.iterdir() if file.suffix in (WHOLE, LINES) and file.is_file())
    if not found:
        raise UnreadableFileError(f"{path} has no {LINES} and no {WHOLE} file")
    return found


def size_of(files: list[str]) -> int | None:
    """How many bytes there are; None for stdin. Raises: UnreadableFileError."""
    try:
        return None if STDIN in files else sum(Path(file).stat().st_size for file in files)
    except OSError as error:
        raise UnreadableFileError(f"{error.filename} cannot be read: {error.strerror}") from error


def bodies_of(file: str) -> Iterator[Body]:
    """The bodies of a file, in order. Lines with nothing but white space are none. Raises: UnreadableFileError."""
    seen = hashlib.sha256()
    try:
        with _opened(file) as stream:
            parts = [stream.read()] if file.endswith(WHOLE) else stream
            for number, part in enumerate(parts, start=1):
                seen.update(part)
                body = part if file.endswith(WHOLE) else part.rstrip(b"\r\n")
                if body.strip():
                    yield Body(file, number, body, len(part), seen.hexdigest())
    except OSError as error:
        raise UnreadableFileError(f"{file} cannot be read: {error.strerror}") from error


def _opened(file: str) -> "nullcontext[IO[bytes]] | IO[bytes]":
    return nullcontext(sys.stdin.buffer) if file == STDIN else Path(file).open("rb")
