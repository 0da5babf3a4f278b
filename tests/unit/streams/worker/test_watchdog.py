"""A worker that stops working is ended; one that has nothing to do is left alone."""

from __future__ import annotations

import pytest

from streams.worker.ops import LOOP_STUCK_S, WorkerState
from streams.worker.watchdog import NO_PROGRESS_S, Watchdog


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def watchdog(state: WorkerState, clock: Clock) -> Watchdog:
    return Watchdog(state, lambda reason: None, clock=clock)


def test_a_busy_worker_without_progress_is_ended_with_the_reason(clock: Clock) -> None:
    state = WorkerState(reason_not_ready="rebalancing")
    dog = watchdog(state, clock)
    state.turn(is_busy=True)
    assert dog.check() is None

    clock.now = NO_PROGRESS_S + 1

    assert "rebalancing" in (dog.check() or "")


def test_progress_in_time_is_enough(clock: Clock) -> None:
    state = WorkerState()
    dog = watchdog(state, clock)
    for _ in range(10):
        clock.now += NO_PROGRESS_S - 1
        state.progressed()
        state.turn(is_busy=True)
        assert dog.check() is None


def test_an_idle_hour_raises_no_alarm(clock: Clock) -> None:
    state = WorkerState(reason_not_ready="")
    dog = watchdog(state, clock)
    for _ in range(720):
        clock.now += 5
        state.turn(is_busy=False)
        assert dog.check() is None


def test_work_after_an_idle_hour_has_its_full_time(clock: Clock) -> None:
    state = WorkerState()
    dog = watchdog(state, clock)
    state.turn(is_busy=False)
    clock.now = 3600
    dog.check()
    state.turn(is_busy=True)
    clock.now += NO_PROGRESS_S - 1

    assert dog.check() is None


def test_a_loop_that_does_not_turn_is_stuck(clock: Clock) -> None:
    state = WorkerState()
    state.loop_turned_at -= LOOP_STUCK_S + 1

    assert watchdog(state, clock).check() == "the event loop is stuck"
