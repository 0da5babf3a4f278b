"""Windows close by what was processed, never by the clock."""

from __future__ import annotations

import pytest
from aiokafka import TopicPartition
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.topics import CALLBACKS, OUTCOMES_BY_SIP_LINE, OUTCOMES_BY_WORKFLOW, REKEYED_DETAILS
from streams.errors import TopicsError
from streams.settings import KafkaSettings
from streams.worker.horizon import BEGINS_AGAIN_MS, KEPT_MARKS, SLACK_MS, Horizon, HorizonPoller, PendingMarks

WINDOW_TOPICS = (OUTCOMES_BY_WORKFLOW.name, OUTCOMES_BY_SIP_LINE.name)
PARTITIONS = dict.fromkeys((CALLBACKS.name, REKEYED_DETAILS.name, *WINDOW_TOPICS), 2)
A, B = TopicPartition("t", 0), TopicPartition("t", 1)

Offsets = dict[TopicPartition, int]


def at(topic: str, *offsets: int) -> Offsets:
    return {TopicPartition(topic, number): offset for number, offset in enumerate(offsets)}


def everywhere(callbacks: int, rekeyed: int = 0, changes: int = 0) -> Offsets:
    """The same offset in every partition of a topic."""
    return {
        **at(CALLBACKS.name, callbacks, callbacks),
        **at(REKEYED_DETAILS.name, rekeyed, rekeyed),
        **{tp: changes for name in WINDOW_TOPICS for tp in at(name, changes, changes)},
    }


# -- one stage


def test_a_stage_knows_nothing_before_its_first_mark() -> None:
    assert PendingMarks([A]).advance({A: 100}) is None


def test_a_mark_is_reached_when_every_partition_is_committed_past_its_end() -> None:
    stage = PendingMarks([A, B])
    stage.note(1_000, {A: 5, B: 7})

    assert [stage.advance({A: 5, B: 6}), stage.advance({A: 4, B: 7}), stage.advance({A: 5, B: 7})] == [
        None,
        None,
        1_000,
    ]


def test_a_partition_never_written_holds_nobody_up() -> None:
    stage = PendingMarks([A, B])
    stage.note(1_000, {A: 5})

    assert stage.advance({A: 5}) == 1_000


def test_a_partition_with_records_and_no_commit_holds_the_mark_back() -> None:
    stage = PendingMarks([A, B])
    stage.note(1_000, {A: 5, B: 1})

    assert stage.advance({A: 5}) is None


def test_the_latest_of_the_marks_reached_counts() -> None:
    stage = PendingMarks([A])
    for mark, end in ((1_000, 1), (2_000, 2), (3_000, 3)):
        stage.note(mark, {A: end})

    assert stage.advance({A: 2}) == 2_000


def test_a_mark_once_reached_stays_reached() -> None:
    stage = PendingMarks([A])
    stage.note(1_000, {A: 1})
    stage.advance({A: 1})

    assert stage.advance({}) == 1_000


def test_without_a_mark_nothing_is_noted() -> None:
    stage = PendingMarks([A])
    stage.note(None, {A: 1})

    assert stage.advance({A: 10**9}) is None


# -- the chain


def test_a_time_passes_through_callbacks_then_rekeyed_details_then_changes() -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    idle = everywhere(10, 5, 20)

    reached = [horizon.update(now, idle, idle) for now in (1_000, 2_000, 3_000, 4_000)]

    assert [set(one.values()) for one in reached] == [set(), set(), set(), {1_000 - SLACK_MS}]


def test_an_idle_system_follows_the_clock() -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    idle = everywhere(10, 5, 20)

    last = [horizon.update(now, idle, idle) for now in range(0, 60_000, 1_000)][-1]

    assert set(last.values()) == {59_000 - 3_000 - SLACK_MS}
    assert set(last) == {tp for name in WINDOW_TOPICS for tp in at(name, 0, 0)}


@pytest.mark.parametrize(
    "behind",
    [everywhere(9, 5, 20), everywhere(10, 4, 20), everywhere(10, 5, 19)],
    ids=["callbacks", "rekeyed details", "changes"],
)
def test_a_stage_that_is_stuck_stops_the_horizon(behind: Offsets) -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)

    reached = [horizon.update(now, behind, everywhere(10, 5, 20)) for now in range(0, 60_000, 1_000)]

    assert not any(reached)


def test_one_callback_partition_that_is_behind_holds_every_window_back() -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    committed = {**everywhere(10), TopicPartition(CALLBACKS.name, 1): 9}

    assert not any(horizon.update(now, committed, everywhere(10)) for now in range(0, 60_000, 1_000))


def test_one_partition_of_changes_that_is_behind_holds_only_itself_back() -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    slow = TopicPartition(WINDOW_TOPICS[0], 1)
    committed = {**everywhere(10, 5, 20), slow: 19}

    reached = [horizon.update(now, committed, everywhere(10, 5, 20)) for now in range(0, 10_000, 1_000)][-1]

    assert set(reached) == {tp for name in WINDOW_TOPICS for tp in at(name, 0, 0)} - {slow}


def test_changes_written_by_the_last_callback_are_waited_for() -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    # Callbacks and re-keyed details are done; their changes were written but not yet processed.
    for now in (1_000, 2_000, 3_000, 4_000):
        reached = horizon.update(now, everywhere(10, 5, 20), everywhere(10, 5, 21))
    assert not reached

    horizon.update(5_000, everywhere(10, 5, 21), everywhere(10, 5, 21))

    assert set(horizon.update(6_000, everywhere(10, 5, 21), everywhere(10, 5, 21)).values()) == {3_000 - SLACK_MS}


@pytest.mark.parametrize("lag", [1, 3, 60])
def test_constant_load_whose_lag_is_never_zero_still_moves_the_horizon(lag: int) -> None:
    horizon = Horizon(PARTITIONS, WINDOW_TOPICS)
    reached: Offsets = {}
    for poll in range(300):
        ends, committed = everywhere(*[100 * poll] * 3), everywhere(*[max(100 * (poll - lag), 0)] * 3)
        reached = horizon.update(1_000 * poll, committed, ends)

    assert set(reached.values()) == {1_000 * (299 - 3 * lag) - SLACK_MS}


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4), st.integers(0, 4), st.integers(0, 4)), max_size=40))
def test_the_horizon_never_passes_a_callback_that_is_not_processed(steps: list[tuple[int, int, int, int]]) -> None:
    """One partition each; callback n arrives at n s and leaves one record in each topic after, one stage a commit."""
    horizon = Horizon(dict.fromkeys(PARTITIONS, 1), WINDOW_TOPICS[:1])
    arrived: list[int] = []
    done = [0, 0, 0]  # committed in callbacks, re-keyed details, changes: record n of each stands for callback n
    for now, (new, *work) in enumerate(steps, start=1):
        committed = everywhere(*done)
        ends = everywhere(len(arrived), done[0], done[1])
        reached = horizon.update(now * 1_000, committed, ends)
        arrived += [now * 1_000 + 1] * new
        unfinished = arrived[done[2] :]
        assert all(until + SLACK_MS < min(unfinished, default=10**9) for until in reached.values())
        for stage, amount in reversed(list(enumerate(work))):
            done[stage] = min(done[stage] + amount, [len(arrived), *done][stage])


def test_a_lag_that_never_shrinks_under_the_marks_kept_still_reaches_the_oldest() -> None:
    stage = PendingMarks([A])
    behind = KEPT_MARKS + 100
    for mark in range(5 * KEPT_MARKS):
        stage.note(mark, {A: mark})
        stage.advance({A: mark - behind})

    reached = stage.advance({A: 5 * KEPT_MARKS - behind})
    assert reached is not None
    assert reached > KEPT_MARKS


# -- a log that begins again


async def test_a_log_that_ends_before_what_was_processed_is_refused_once_it_stays_so() -> None:
    poller = HorizonPoller(KafkaSettings(), "app", PARTITIONS, WINDOW_TOPICS)
    committed, ends = {A: 9, B: 3}, {A: 4, B: 3}
    poller._refuse_logs_that_begin_again(0, committed, ends)
    poller._refuse_logs_that_begin_again(BEGINS_AGAIN_MS - 1, committed, ends)

    with pytest.raises(TopicsError, match=r"t\[0\] ends at offset 4, and 9 were processed.*new STREAMS_APP_ID"):
        poller._refuse_logs_that_begin_again(BEGINS_AGAIN_MS, committed, ends)


async def test_a_new_leader_that_catches_up_is_none_that_begins_again() -> None:
    poller = HorizonPoller(KafkaSettings(), "app", PARTITIONS, WINDOW_TOPICS)
    poller._refuse_logs_that_begin_again(0, {A: 9}, {A: 8})
    poller._refuse_logs_that_begin_again(1, {A: 9}, {A: 9})

    poller._refuse_logs_that_begin_again(BEGINS_AGAIN_MS, {A: 9}, {A: 8})
