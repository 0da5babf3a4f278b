"""Bytes once written stay readable for good, and today's bytes are those we have always written.

`golden/` has one set of files per schema that a record ever had. When a schema grows, run
`python -m tests.contract.golden.write` and commit what it adds; never change what is there.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from schemas.codec import decode, encode, parse
from schemas.records.record import Record
from schemas.records.types import TYPES
from schemas.topics import TOPICS
from tests.contract.golden.write import FOLDER, SCHEMA_ID, current

RECORDS = sorted({topic.record for topic in TOPICS})
GOLDEN = sorted(FOLDER.glob("*.avro"))


def type_of(path: Path) -> type[Record]:
    return TYPES[path.name.split(".")[0]]


def value_of(path: Path) -> Record:
    return msgspec.json.decode(path.with_suffix(".json").read_bytes(), type=type_of(path))


@pytest.mark.parametrize("record", RECORDS)
def test_todays_schema_of_every_record_is_kept(record: str) -> None:
    assert current(record), "run `python -m tests.contract.golden.write` and commit what it adds"


@pytest.mark.parametrize("path", GOLDEN, ids=lambda path: path.stem)
def test_bytes_once_written_are_read_as_the_values_they_had(path: Path) -> None:
    writer = parse(path.with_suffix(".avsc").read_text())

    assert decode(path.read_bytes(), writer, type_of(path)) == value_of(path)


@pytest.mark.parametrize("path", [path for name in RECORDS if (path := current(name))], ids=lambda path: path.stem)
def test_values_are_written_as_the_bytes_they_were(path: Path) -> None:
    bytes_path = path.with_suffix(".avro")

    assert encode(SCHEMA_ID, value_of(bytes_path)) == bytes_path.read_bytes()


def test_each_kept_record_has_its_schema_and_its_values() -> None:
    stems = {suffix: {path.stem for path in FOLDER.glob(f"*{suffix}")} for suffix in (".avro", ".avsc", ".json")}

    assert stems[".avro"] == stems[".avsc"] == stems[".json"] != set()
