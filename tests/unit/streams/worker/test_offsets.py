"""Only what is settled may be committed, whatever the order in which runs settle."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.worker.offsets import OffsetTracker


def tracker(*runs: int) -> OffsetTracker[str]:
    offsets: OffsetTracker[str] = OffsetTracker()
    for last in runs:
        offsets.deliver("p", last)
    return offsets


def test_nothing_is_committable_before_anything_is_settled() -> None:
    offsets = tracker(9)

    assert (offsets.committable("p"), list(offsets.partitions())) == (None, [])


def test_a_settled_run_is_committable_up_to_the_next_offset_to_read() -> None:
    offsets = tracker(9)
    offsets.settle("p", 9)

    assert (offsets.committable("p"), list(offsets.partitions())) == (10, ["p"])


def test_a_hole_at_the_head_holds_everything_back() -> None:
    offsets = tracker(10, 11, 12, 13)
    for last in (11, 12, 13):
        offsets.settle("p", last)

    assert offsets.committable("p") is None


def test_filling_the_hole_commits_all_behind_it_at_once() -> None:
    offsets = tracker(10, 11, 12)
    for last in (12, 11, 10):
        offsets.settle("p", last)

    assert (offsets.committable("p"), offsets.unsettled()) == (13, 0)


def test_offsets_that_no_run_has_are_stepped_over() -> None:
    offsets = tracker(3, 900)
    offsets.settle("p", 3)
    offsets.settle("p", 900)

    assert offsets.committable("p") == 901


def test_what_has_no_record_behind_a_run_waits_for_the_run() -> None:
    offsets = tracker(5)
    offsets.step_over("p", 8)
    assert offsets.committable("p") is None

    offsets.settle("p", 5)
    assert offsets.committable("p") == 8


def test_what_has_no_record_is_committable_when_no_run_is_open_and_never_goes_back() -> None:
    offsets = tracker()
    offsets.step_over("p", 8)
    offsets.step_over("p", 6)

    assert (offsets.committable("p"), offsets.delivered("p")) == (8, None)


def test_partitions_do_not_wait_for_each_other() -> None:
    offsets = tracker(5)
    offsets.deliver("q", 7)
    offsets.settle("q", 7)

    assert (offsets.committable("p"), offsets.committable("q")) == (None, 8)


@pytest.mark.parametrize("last", [9, 3])
def test_going_back_in_a_partition_is_refused(last: int) -> None:
    with pytest.raises(ValueError, match="9"):
        tracker(9).deliver("p", last)


def test_settling_twice_or_what_was_never_delivered_changes_nothing() -> None:
    offsets = tracker(5, 9)
    for last in (5, 5, 7, 100):
        offsets.settle("p", last)
    offsets.settle("elsewhere", 1)

    assert (offsets.committable("p"), offsets.unsettled()) == (6, 1)


def test_after_clear_an_old_run_settles_nothing_and_reading_may_go_back() -> None:
    offsets = tracker(5, 9)
    offsets.clear()
    offsets.settle("p", 9)
    offsets.deliver("p", 2)

    assert (offsets.committable("p"), offsets.delivered("p"), offsets.unsettled()) == (None, 2, 1)


def test_delivered_is_the_last_offset_handed_over() -> None:
    assert (tracker().delivered("p"), tracker(4, 9).delivered("p")) == (None, 9)


@settings(max_examples=200)
@given(
    st.lists(st.tuples(st.sampled_from("pq"), st.integers(1, 5)), min_size=1, max_size=25),
    st.lists(st.one_of(st.none(), st.integers(0, 24)), max_size=60),
)
def test_what_may_be_committed_never_passes_the_smallest_unsettled_run(
    runs: list[tuple[str, int]], steps: list[int | None]
) -> None:
    """Steps: None delivers the next run, a number settles one of those delivered, in any order and repeatedly."""
    offsets: OffsetTracker[str] = OffsetTracker()
    waiting, ends = list(runs), dict.fromkeys("pq", -1)
    delivered: list[tuple[str, int]] = []
    settled: set[tuple[str, int]] = set()
    for step in steps:
        if step is None and waiting:
            partition, length = waiting.pop(0)
            ends[partition] += length
            offsets.deliver(partition, ends[partition])
            delivered.append((partition, ends[partition]))
        elif step is not None and delivered:
            run = delivered[step % len(delivered)]
            offsets.settle(*run)
            settled.add(run)
        for partition in "pq":
            of_partition = [run for run in delivered if run[0] == partition]
            done = [run[1] + 1 for n, run in enumerate(of_partition) if settled.issuperset(of_partition[: n + 1])]
            assert offsets.committable(partition) == max(done, default=None)
        assert offsets.unsettled() >= len(set(delivered) - settled)
