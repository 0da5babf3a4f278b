from __future__ import annotations

import subprocess
import sys

import psutil

from streams.local.reaper import end_groups, watch

WAIT_FOR_A_SIGNAL = (sys.executable, "-S", "-c", "import signal; signal.pause()")


def test_what_was_started_and_has_not_ended_is_left_at_the_end_of_the_pipe() -> None:
    assert watch(["+ 11 1.5\n", "+ 12 2.5\n", "- 11\n", "- 99\n", "+ 13 3.5\n"]) == {12: 2.5, 13: 3.5}


def test_a_registered_group_is_ended() -> None:
    process = subprocess.Popen(WAIT_FOR_A_SIGNAL, process_group=0)

    end_groups({process.pid: psutil.Process(process.pid).create_time()}, grace_s=0)

    assert process.wait(timeout=10) < 0


def test_a_process_that_was_given_the_number_of_an_ended_one_is_left_alone() -> None:
    stranger = subprocess.Popen(WAIT_FOR_A_SIGNAL, process_group=0)
    try:
        end_groups({stranger.pid: psutil.Process(stranger.pid).create_time() - 100}, grace_s=0)

        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
