"""Every line of log is JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from schemas.runtime.logs import Output, StateReports, as_text, json_line

TELLING = """
import logging, structlog
from schemas.runtime.logs import configure_logging
configure_logging(worker=2)
structlog.get_logger().warning("told", n=1)
structlog.get_logger().info("told", n=2, text="\\udcff")
logging.getLogger("library").error("told")
"""


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        ({"n": 1, "text": "é"}, {"n": 1, "text": "é"}),
        ({"path": Path("a")}, {"path": "PosixPath('a')"}),
        ({"no_utf8": "\udcff"}, {"no_utf8": "\udcff"}),
        ({"path_too": [Path("a"), "\udcff"]}, {"path_too": ["PosixPath('a')", "\udcff"]}),
    ],
)
def test_a_line_is_one_json_object(event: dict[str, Any], shown: dict[str, Any]) -> None:
    line = json_line(event, default=repr)

    assert json.loads(line) == shown
    assert "\n" not in line


def test_every_line_has_its_event_level_time_and_the_fixed_fields() -> None:
    before = datetime.now(UTC)
    ended = subprocess.run([sys.executable, "-c", TELLING], capture_output=True, check=True).stdout
    lines = [json.loads(line) for line in ended.splitlines()]

    assert [line.pop("level") for line in lines] == ["warning", "info", "error"]
    for line in lines:
        assert before <= datetime.fromisoformat(line.pop("timestamp")) <= datetime.now(UTC)
    assert lines == [
        {"event": "told", "n": 1, "worker": 2},
        {"event": "told", "n": 2, "text": "\udcff", "worker": 2},
        {"event": "told", "worker": 2, "logger": "library"},
    ]


def test_a_full_disk_costs_lines_and_the_first_line_afterwards_tells_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    descriptor = os.open("/dev/full", os.O_WRONLY)
    output = Output(descriptor)
    for line in ("lost", "lost too"):
        output.msg(line)
    with (tmp_path / "log").open("wb") as there_is_room_again:
        os.dup2(there_is_room_again.fileno(), descriptor)
    output.msg("kept")
    os.close(descriptor)

    _, lost, line = (tmp_path / "log").read_text().splitlines()
    assert (json.loads(lost)["event"], json.loads(lost)["lines"], line) == ("log.lost", 2, "kept")
    assert capsys.readouterr().err.count("No space left on device") == 1


@pytest.mark.parametrize("redirection", [">/dev/full", ">/dev/full 2>&1", ">&-", ">&- 2>&-", "| true", "2>&1 | true"])
def test_a_log_that_cannot_be_written_ends_nothing(redirection: str) -> None:
    """The gateway answered 500 to what Kafka had: the line that reported the 200 did not fit."""
    telling = f'{TELLING}import time; time.sleep(0.2)\nlogging.getLogger("library").error("told")\n'
    command = f'set -o pipefail; "$0" -c "$1" {redirection}'
    ended = subprocess.run(
        ["bash", "-c", command, sys.executable, telling], capture_output=True, check=True, timeout=30
    )

    assert b"Traceback" not in ended.stderr


FAILING = """
import logging, warnings, structlog
from schemas.runtime.logs import configure_logging
configure_logging(quiet=("noisy",))
logging.getLogger("uvicorn.error").error("[Errno %d] address in use: %r", 98, ("127.0.0.1", 8080))
logging.getLogger("noisy.client").error("again")
try:
    1 / 0
except ZeroDivisionError:
    logging.getLogger("asyncio").exception("Task exception was never retrieved")
    structlog.get_logger().critical("failed", exc_info=True)
warnings.warn("soon gone", DeprecationWarning)
"""


def test_a_librarys_line_is_whole_with_its_arguments_and_its_traceback() -> None:
    ended = subprocess.run([sys.executable, "-W", "always", "-c", FAILING], capture_output=True, check=True)
    lines = [json.loads(line) for line in ended.stdout.splitlines()]

    assert ended.stderr == b""
    assert [line["event"].split(": ")[0] for line in lines[:3]] == [
        "[Errno 98] address in use",
        "Task exception was never retrieved",
        "failed",
    ]
    assert lines[0]["event"] == "[Errno 98] address in use: ('127.0.0.1', 8080)"
    assert [line["exception"].splitlines()[-1] for line in lines[1:3]] == ["ZeroDivisionError: division by zero"] * 2
    assert (lines[3]["logger"], lines[3]["level"]) == ("py.warnings", "warning")
    assert "soon gone" in lines[3]["event"]


def test_an_instant_is_written_in_the_same_form_by_both_ways_to_json() -> None:
    instant = datetime(2026, 1, 2, 3, 4, 5, 6, UTC)

    assert (
        json.loads(json_line([instant, "\udcff"], as_text))[0][:26] == json.loads(json_line([instant], as_text))[0][:26]
    )


def test_a_state_is_reported_when_it_begins_and_changes_and_once_a_minute_while_it_lasts() -> None:
    now = [0.0]
    reports = StateReports(again_s=60, clock=lambda: now[0])

    def looks(*states: str, seconds: float = 1) -> list[bool]:
        due = []
        for state in states:
            now[0] += seconds
            due.append(reports.is_due(state))
        return due

    assert looks("full", "full", "full") == [True, False, False]
    assert looks("full", seconds=60) == [True]
    assert looks("broken", "broken") == [True, False]
    assert looks("", "") == [False, False]
    assert looks("broken") == [True]
