"""How far an import has come: a small file, so that one that was stopped goes on, and none passes over a line."""

from pathlib import Path
from typing import Final

import msgspec

from gateway.errors import ImportStateError
from gateway.importing.bodies import Body

_OTHER: Final = "{file} is not the file that {state} tells of: its first {line} lines are others; take another --state"


class Place(msgspec.Struct):
    """The last line of a file that is done, and the SHA-256 of the file up to there."""

    line: int
    digest: str


class ImportState:
    """The places by file. Without a path nothing is kept, and every import begins at the beginning."""

    def __init__(self, path: Path | None) -> None:
        """Raises: ImportStateError where the file is no state."""
        self._path = path
        self._places: dict[str, Place] = {}
        self._unproved: set[str] = set()  # files whose lines were passed over before the place that proves them
        if path is not None and path.exists():
            try:
                self._places = msgspec.json.decode(path.read_bytes(), type=dict[str, Place])
            except (OSError, msgspec.MsgspecError) as error:
                raise ImportStateError(f"{path} is no state of an import: {error}") from error

    def is_done(self, body: Body) -> bool:
        """True for a line that an earlier run has done. Raises: ImportStateError for another file of the same name."""
        place = self._places.get(body.file)
        if place is None or body.line > place.line:
            return False
        self._unproved.add(body.file)
        if body.line == place.line and body.digest == place.digest:
            self._unproved.remove(body.file)
        elif body.line == place.line:
            self.check()
        return True

    def check(self) -> None:
        """Call at the end. Raises: ImportStateError where lines were passed over that are not those of the state."""
        for file in self._unproved:
            raise ImportStateError(_OTHER.format(file=file, state=self._path, line=self._places[file].line))

    def note(self, body: Body) -> None:
        """Note that every line up to this one is done: acknowledged, or left out. Raises: ImportStateError."""
        self._places[body.file] = Place(body.line, body.digest)
        if self._path is None:
            return
        part = self._path.with_name(self._path.name + ".part")
        try:
            part.write_bytes(msgspec.json.encode(self._places))
            part.replace(self._path)
        except OSError as error:
            raise ImportStateError(f"{self._path} cannot be written: {error.strerror}") from error
