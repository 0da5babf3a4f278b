"""A line of log is JSON, whatever is told."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.logs import json_line


@pytest.mark.parametrize(
    ("told", "shown"),
    [
        ({"n": 1, "text": "é"}, {"n": 1, "text": "é"}),
        ({"path": Path("a")}, {"path": "PosixPath('a')"}),
        ({"no_utf8": "\udcff"}, {"no_utf8": "\udcff"}),
        ({"path_too": [Path("a"), "\udcff"]}, {"path_too": ["PosixPath('a')", "\udcff"]}),
    ],
)
def test_a_line_is_one_json_object(told: dict[str, Any], shown: dict[str, Any]) -> None:
    line = json_line(told, default=repr)

    assert json.loads(line) == shown
    assert "\n" not in line
