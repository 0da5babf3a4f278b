"""The official AsyncAPI parser reads our document without a word. It comes from npm, for this test alone.

For documents of version 3 it looks neither at examples nor into Avro: `contract/test_asyncapi.py` does.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from schemas.codec import schema_text
from schemas.topics import OUTPUTS
from tests.support.toolchains import NODE, build

PROGRAM = Path(__file__).parent / "asyncapi_parser"
DOCUMENT = Path(__file__).parents[2] / "schemas" / "asyncapi.yaml"
READS_S = 120.0

Parse = Callable[[Path], Any]


@pytest.fixture(scope="module")
def parse(tmp_path_factory: pytest.TempPathFactory) -> Parse:
    """Call it with a document: {"diagnostics": [...], "fields": {topic: [names]}}."""
    NODE.require()
    folder = tmp_path_factory.mktemp("asyncapi") / "parser"
    shutil.copytree(PROGRAM, folder)
    build(("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"), folder)

    def run(document: Path) -> Any:
        command = ["node", "check.js", str(document)]
        ended = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=READS_S)
        assert ended.returncode == 0, ended.stderr
        return json.loads(ended.stdout)

    return run


def test_it_has_no_diagnostics_and_finds_the_fields_of_every_topic(parse: Parse) -> None:
    read = parse(DOCUMENT)

    assert read["diagnostics"] == []
    assert read["fields"] == {
        topic.name: [field["name"] for field in json.loads(schema_text(topic.record))["fields"]] for topic in OUTPUTS
    }


def test_it_does_complain_of_a_document_that_is_wrong(parse: Parse, tmp_path: Path) -> None:
    text = DOCUMENT.read_text(encoding="utf-8").replace("asyncapi: 3.1.0", "asyncapi: 3.0.0", 1)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(text.replace("partitions: 12", "partitions: twelve", 1), encoding="utf-8")

    assert {found["severity"] for found in parse(wrong)["diagnostics"]} >= {0, 2}
