from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streams.local import process
from streams.local.process import Command, last_lines, spawn


def test_the_end_of_a_log_is_quoted_whatever_its_bytes(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_bytes(b"one\ntwo\n\xff three\n")

    assert last_lines(log, 2) == "    two\n    \ufffd three"
    assert last_lines(tmp_path / "missing.log") == "    (no output)"


async def test_output_is_appended_to_the_log_and_settings_do_not_show(tmp_path: Path) -> None:
    show = "import os; print(os.environ['AIRUDDER_SIGNING_KEYS'])"
    command = Command(
        "role", (sys.executable, "-S", "-c", show), tmp_path / "logs" / "role.log", {"AIRUDDER_SIGNING_KEYS": "k:s"}
    )

    assert [await (await spawn(command)).wait() for _ in range(2)] == [0, 0]
    assert command.log_path.read_text() == "k:s\nk:s\n"
    assert "k:s" not in repr(command)


async def test_a_large_log_is_set_aside_at_the_next_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 3)
    command = Command("role", (sys.executable, "-S", "-c", "print('new')"), tmp_path / "role.log")
    command.log_path.write_text("the old log")

    await (await spawn(command)).wait()

    assert command.log_path.read_text() == "new\n"
    assert (tmp_path / "role.log.1").read_text() == "the old log"
