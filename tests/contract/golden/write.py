"""Write the bytes that must stay readable for good: `python -m tests.contract.golden.write`.

Run it once when a schema has a new field, and commit what it adds. It writes `<Record>.<n>.avro` (wire bytes),
`.avsc` (the schema that wrote them) and `.json` (the values) for each record whose schema is not kept yet, and never
touches a file that is there.
"""

from __future__ import annotations

import json
from pathlib import Path

import msgspec

from schemas.codec import encode, schema_text
from schemas.evolution.compatibility import shape
from schemas.records.record import Record
from tests.support.records import EVERY_RECORD

FOLDER = Path(__file__).parent
SCHEMA_ID = 1


def kept(name: str) -> list[Path]:
    """The schemas of a record that are kept, oldest first."""
    return sorted(FOLDER.glob(f"{name}.*.avsc"), key=lambda path: int(path.suffixes[-2].removeprefix(".")))


def current(name: str) -> Path | None:
    """The kept schema of a record that is today's; None when today's is not kept."""
    today = shape(json.loads(schema_text(name)))
    return next((path for path in kept(name) if json.loads(path.read_text()) == today), None)


def write(record: Record) -> Path:
    """Keep today's bytes of one record."""
    name = type(record).__name__
    path = FOLDER / f"{name}.{len(kept(name)) + 1}.avsc"
    path.write_text(json.dumps(shape(json.loads(schema_text(name))), indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".avro").write_bytes(encode(SCHEMA_ID, record))
    path.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
    return path


if __name__ == "__main__":
    for example in EVERY_RECORD:
        if current(type(example).__name__) is None:
            print(write(example))  # noqa: T201  # a command line prints
