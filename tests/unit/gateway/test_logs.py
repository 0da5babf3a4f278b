"""A line of log is JSON, whatever is told."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.logs import as_text, json_line

TELLING = """
import logging, structlog
from gateway.logs import configure_logging
configure_logging(worker=2)
structlog.get_logger().warning("told", n=1)
structlog.get_logger().info("told", n=2, text="\\udcff")
logging.getLogger("library").error("told")
"""


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


def test_every_line_tells_its_event_level_time_and_what_is_always_told() -> None:
    before = datetime.now(UTC)
    told = subprocess.run([sys.executable, "-c", TELLING], capture_output=True, check=True).stdout
    lines = [json.loads(line) for line in told.splitlines()]

    assert [line.pop("level") for line in lines] == ["warning", "info", "error"]
    for line in lines:
        assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert lines == [
        {"event": "told", "n": 1, "worker": 2},
        {"event": "told", "n": 2, "text": "\udcff", "worker": 2},
        {"event": "told", "worker": 2},
    ]


def test_an_instant_is_told_in_the_same_form_by_both_ways_to_json() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)

    assert (
        json.loads(json_line([instant, "\udcff"], as_text))[0][:26] == json.loads(json_line([instant], as_text))[0][:26]
    )
