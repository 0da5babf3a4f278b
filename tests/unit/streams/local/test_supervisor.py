from __future__ import annotations

import pytest

from streams.local.supervisor import Backoff, describe_exit


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
