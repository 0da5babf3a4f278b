"""The typed models for TypeScript compile under --strict and hold what avsc decodes, of older and newer schemas too."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.documents.models.files import TYPESCRIPT, models
from tests.support.models import EXAMPLES, PUBLIC, bare, decoded, earlier, later, schema_of, written
from tests.support.toolchains import NODE, build

SOURCES = Path(__file__).parent / "typescript"
TSC = ("npx", "--no-install", "tsc", "--strict", "--target", "es2022", "--module", "nodenext", "--outDir", "out")


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with the models compiled to JavaScript."""
    NODE.require()
    directory = tmp_path_factory.mktemp("typescript") / "copy"
    shutil.copytree(SOURCES, directory)
    (directory / "models.ts").write_text(models()[TYPESCRIPT], encoding="utf-8")
    build(("npm", "ci"), directory)
    build((*TSC, "models.ts", "types.ts"), directory)
    return directory


def read(directory: Path, schemas: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the models make of the example of every record, by its name, written with these schemas."""
    lines = [
        {"record": name, "schema": schema, "avro": base64.b64encode(written(EXAMPLES[name], schema)).decode()}
        for name, schema in schemas.items()
    ]
    sent = "\n".join(json.dumps(line) for line in lines)
    ran = subprocess.run(["node", "read.mjs"], cwd=directory, input=sent, capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    return dict(zip(schemas, map(json.loads, ran.stdout.splitlines()), strict=True))


def as_json(value: Any) -> Any:
    """A decoded value as read.mjs writes it."""
    if isinstance(value, dict):
        return {name: as_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return list(value) if isinstance(value, bytes) else value


TODAY = {name: schema_of(name) for name in PUBLIC}


def test_a_model_holds_every_field_as_it_was_decoded(compiled: Path) -> None:
    assert read(compiled, TODAY) == {name: as_json(decoded(EXAMPLES[name], TODAY[name])) for name in PUBLIC}


def test_an_old_model_reads_newer_records_without_what_it_does_not_know(compiled: Path) -> None:
    assert read(compiled, {name: later(schema) for name, schema in TODAY.items()}) == read(compiled, TODAY)


def test_a_new_model_reads_older_records_with_the_defaults_of_what_they_lack(compiled: Path) -> None:
    older = read(compiled, {name: earlier(schema) for name, schema in TODAY.items()})

    assert older == {name: as_json(decoded(bare(name), TODAY[name])) for name in PUBLIC}
