from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from streams.local import process, supervisor
from streams.local.console import Console
from streams.local.reaper import Reaper
from streams.local.roles import Role
from streams.local.supervisor import Backoff, Child, describe_exit
from tests.support.waiting import wait_until


def test_a_program_that_keeps_dying_is_started_later_and_later_up_to_half_a_minute() -> None:
    backoff = Backoff()

    delays = [backoff.next_delay_s(alive_s=1) for _ in range(8)]

    assert delays == [0.5, 1, 2, 4, 8, 16, 30, 30]


def test_a_minute_alive_makes_the_next_death_a_first_one() -> None:
    backoff = Backoff()
    for _ in range(5):
        backoff.next_delay_s(alive_s=1)

    assert backoff.next_delay_s(alive_s=60) == 0.5
    assert backoff.next_delay_s(alive_s=59) == 1


@pytest.mark.parametrize(
    ("exit_code", "expected"), [(0, "exit code 0"), (3, "exit code 3"), (-9, "SIGKILL"), (-200, "signal 200")]
)
def test_an_exit_is_described_by_its_code_or_its_signal(exit_code: int, expected: str) -> None:
    assert describe_exit(exit_code) == expected


async def test_a_log_that_grows_while_its_program_runs_is_set_aside_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "LOG_LIMIT_BYTES", 10_000)
    monkeypatch.setattr(supervisor, "LOG_CHECK_S", 0.05)
    chatter = "import time\nwhile True: print('x' * 99, flush=True); time.sleep(0.001)"
    log_path = tmp_path / "role.log"
    reaper, failures = Reaper(), list[BaseException]()
    role = Role("role", (sys.executable, "-S", "-c", chatter), log_path)
    child = Child(role, reaper, Console(), failures.append)
    child.start()
    try:
        aside = log_path.with_name("role.log.1")
        await wait_until(aside.exists, 20, "the log to be set aside")
        size = log_path.stat().st_size
        await wait_until(lambda: log_path.stat().st_size not in (0, size), 20, "the program to go on")
        assert set(log_path.read_text().splitlines()[-2]) == {"x"}, "no gap of zeros where the old end was"
    finally:
        await child.stop(5.0, asyncio.Event())
        reaper.close()
    assert not failures
