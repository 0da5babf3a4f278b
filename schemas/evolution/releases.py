"""The released versions of our schemas, in `schemas/released`: kept for good, with a list of their SHA-256.

A candidate is the schema in `schemas/avro`. It may follow every released version of its record, or it is refused.
"""

import json
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from schemas.codec import schema_text
from schemas.evolution.compatibility import faults_between, shape
from schemas.evolution.soundness import faults_of
from schemas.topics import OUTPUTS

FOLDER: Final = Path(__file__).parents[1] / "released"
RELEASE: Final = "run `python -m schemas release`"
_SUMS: Final = "SHA256SUMS"  # as `sha256sum --check` reads it


class Releases:
    """The released schemas in a folder, and the candidates that may follow them. candidate: a record's JSON text."""

    def __init__(self, folder: Path = FOLDER, candidate: Callable[[str], str] = schema_text) -> None:
        self._folder = folder
        self._candidate = candidate

    def versions(self, record: str) -> dict[int, str]:
        """The text of each released version of a record, oldest first."""
        paths = {int(path.stem[1:]): path for path in (self._folder / record).glob("v*.avsc")}
        return {number: paths[number].read_text(encoding="utf-8") for number in sorted(paths)}

    def check(self) -> list[str]:
        """What is wrong, a line each: a refusal, or a schema that differs from the last version of its record."""
        changed = [record for record in released_records() if not self._is_released(record)]
        return self.refusals() or [f"{record}: its schema is not released yet; {RELEASE}" for record in changed]

    def refusals(self) -> list[str]:
        """Why nothing can be released, a line each: a released file that changed, a schema that may not follow."""
        return [*self._damaged(), *(line for record in released_records() for line in self._refusals_of(record))]

    def release(self) -> list[Path]:
        """Keep each candidate that differs from the last version of its record. Returns the files. Repeat: safe.

        Changes no file of an earlier version. Only for candidates that may follow: see `refusals`.
        """
        return [self._keep(record) for record in released_records() if not self._is_released(record)]

    def _refusals_of(self, record: str) -> list[str]:
        schema = json.loads(self._candidate(record))
        if unsound := faults_of(schema):
            return [fault.line(record) for fault in unsound]
        return refusals_by({f"version {number}": text for number, text in self.versions(record).items()}, schema)

    def _is_released(self, record: str) -> bool:
        texts = list(self.versions(record).values())
        return bool(texts) and shape(json.loads(texts[-1])) == shape(json.loads(self._candidate(record)))

    def _keep(self, record: str) -> Path:
        path = self._folder / record / f"v{max(self.versions(record), default=0) + 1}.avsc"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(self._candidate(record))
        with (self._folder / _SUMS).open("a", encoding="ascii") as file:
            file.write(f"{sha256(path.read_bytes()).hexdigest()}  {path.relative_to(self._folder).as_posix()}\n")
        return path

    def _damaged(self) -> Iterator[str]:
        listed = dict(self._listed())
        found = {path.relative_to(self._folder).as_posix(): path for path in self._folder.rglob("*.avsc")}
        for name in sorted(listed.keys() | found):
            if name not in listed:
                yield f"released/{name}: not in {_SUMS}; remove it, and {RELEASE}"
            elif name not in found:
                yield f"released/{name}: missing; get it back from git: a released schema is kept for good"
            elif sha256(found[name].read_bytes()).hexdigest() != listed[name]:
                yield f"released/{name}: changed; get it back from git: a released schema never changes"

    def _listed(self) -> Iterator[tuple[str, str]]:
        path = self._folder / _SUMS
        for line in path.read_text(encoding="ascii").splitlines() if path.exists() else ():
            digest, name = line.split("  ")
            yield name, digest


def released_records() -> list[str]:
    """The records of the output topics. The internal ones are read by the worker alone, and `golden` keeps them."""
    return sorted({topic.record for topic in OUTPUTS})


def refusals_by(earlier: dict[str, str], candidate: Any) -> list[str]:
    """Why a schema may not follow others, a line each. earlier: their JSON text, by their name in words."""
    lines: list[str] = []
    for against, text in earlier.items():
        faults = faults_between(json.loads(text), candidate)
        lines.extend(fault.line(candidate["name"], against) for fault in faults)
    return lines
