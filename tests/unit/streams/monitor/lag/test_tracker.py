"""Readings become lag: exact in records and seconds, loud about loss, and silent about what nobody can know."""

from __future__ import annotations

from dataclasses import replace

from schemas.topics import CALLBACKS
from streams.monitor.lag.readings import Ahead, GroupReading, Partition, Reading, Unseen
from streams.monitor.lag.tracker import LagTracker, PartitionLag, Worker

WORKER = "worker"
OURS = Worker.of(WORKER)
P0 = Partition("t", 0)


def reading(group: GroupReading, at_ms: int = 10_000, begin: int = 0, end: int = 100, **appended: int) -> Reading:
    ahead = {(P0, int(o[1:])): Ahead(int(o[1:]), at) for o, at in appended.items()}
    return Reading(at_ms, [group], {P0: begin}, {P0: end}, ahead)


def group(committed: int | None = 90, owned: bool = True, name: str = "g") -> GroupReading:
    members = frozenset({P0}) if owned else frozenset()
    return GroupReading(name, "Stable", int(owned), members, {} if committed is None else {P0: committed})


def only(tracker: LagTracker, look: Reading) -> PartitionLag:
    [found] = tracker.update(look).groups
    [row] = found.partitions
    return row


def test_lag_is_the_records_between_the_committed_and_the_end_offset() -> None:
    row = only(LagTracker(OURS), reading(group(90), o90=7_500))

    assert (row.current_offset, row.end_offset, row.lag, row.lag_seconds) == (90, 100, 10, 2.5)


def test_nothing_to_read_is_no_lag_in_records_or_seconds() -> None:
    row = only(LagTracker(OURS), reading(group(100)))

    assert (row.lag, row.lag_seconds, row.verdict) == (0, 0.0, "ok")


def test_a_record_from_a_clock_ahead_of_ours_has_no_negative_age() -> None:
    assert only(LagTracker(OURS), reading(group(90), o90=99_999)).lag_seconds == 0.0


def test_an_offset_beyond_the_end_has_no_lag_at_all() -> None:
    row = only(LagTracker(OURS), reading(group(120)))

    assert (row.lag, row.lag_seconds, row.verdict) == (None, None, "beyond")


def test_our_worker_lags_from_the_beginning_of_a_partition_it_never_committed() -> None:
    row = only(LagTracker(OURS), reading(group(None, name=WORKER), begin=40))

    assert (row.current_offset, row.lag, row.lag_seconds) == (None, 60, None)


def test_where_a_foreign_member_that_never_committed_begins_is_not_ours_to_know() -> None:
    row = only(LagTracker(OURS), reading(group(None), begin=40))

    assert (row.current_offset, row.lag, row.lag_seconds, row.verdict) == (None, None, None, "unknown")


def test_a_group_nobody_ever_saw_has_unknown_lag_on_what_it_should_read() -> None:
    partition = Partition(CALLBACKS.name, 0)
    unseen = GroupReading(WORKER, "Dead", 0, frozenset(), is_known=False)
    [found] = LagTracker(OURS).update(Reading(0, [unseen], {partition: 0}, {partition: 5}, {})).groups
    [row] = found.partitions

    assert (row.current_offset, row.lag, row.lag_seconds, row.verdict) == (None, None, None, "unknown")
    assert found.drain_seconds == {}


def test_a_poison_first_record_that_was_never_committed_becomes_a_stall() -> None:
    tracker = LagTracker(OURS)
    rows = [only(tracker, reading(group(None, name=WORKER), at_ms=2000 * i, end=3)) for i in range(17)]

    assert rows[-1].verdict == "stall"


def test_a_dead_group_is_a_stop_within_fifteen_seconds() -> None:
    tracker = LagTracker(OURS)
    rows = [only(tracker, reading(group(90, owned=False), at_ms=2000 * i)) for i in range(8)]

    assert rows[-1].verdict == "stop"


def test_loss_is_the_exact_gap_and_counted_once() -> None:
    tracker = LagTracker(OURS)
    lost = []
    for begin, committed in [(0, 90), (90, 90), (95, 90), (95, 90), (98, 90), (98, 98), (100, 98)]:
        lost.append(tracker.update(reading(group(committed), begin=begin)).records_lost[("g", "t")])

    assert lost == [0, 0, 5, 5, 8, 8, 10]


def test_a_counter_of_losses_is_born_as_zero() -> None:
    tracker = LagTracker(OURS)
    lost = [tracker.update(reading(group(90), begin=95)).records_lost["g", "t"] for _ in range(3)]

    assert lost == [0, 5, 5]


def test_losses_of_a_group_that_is_gone_are_forgotten() -> None:
    tracker = LagTracker(OURS)
    for _ in range(2):
        before = tracker.update(reading(group(90), begin=95)).records_lost
    after = tracker.update(reading(group(0, name="another"))).records_lost

    assert (before, after) == ({("g", "t"): 5}, {("another", "t"): 0})


def test_what_could_not_be_read_this_time_is_not_forgotten() -> None:
    tracker = LagTracker(OURS)
    for i in range(10):
        tracker.update(reading(group(90), at_ms=4000 * i, o90=0))
    hidden = replace(reading(group(90)), groups=[], unseen=(Unseen("group g", "busy", group="g"),))
    tracker.update(replace(hidden, at_ms=40_000))

    assert only(tracker, reading(group(90), at_ms=44_000, o90=0)).verdict == "stall"


def test_what_retention_took_and_what_nobody_can_read_is_no_lag() -> None:
    deleted = only(LagTracker(OURS), reading(group(10), begin=40))
    markers = replace(reading(group(90)), ahead={(P0, 90): Ahead(100, None)})
    marker_first = replace(reading(group(90), at_ms=10_000), ahead={(P0, 90): Ahead(95, 9_000)})

    assert deleted.lag == 60
    assert only(LagTracker(OURS), markers).verdict == "ok"
    row = only(LagTracker(OURS), marker_first)
    assert (row.lag, row.lag_seconds) == (5, 1.0)


def test_a_stall_is_seen_though_retention_goes_on_below_it() -> None:
    tracker = LagTracker(OURS)
    rows = [only(tracker, reading(group(5), at_ms=2000 * i, begin=10 + i)) for i in range(17)]

    assert rows[-1].verdict == "stall"


def test_a_rewind_is_kept_until_it_is_regained_however_long_that_takes() -> None:
    tracker = LagTracker(OURS)
    only(tracker, reading(group(90)))
    rows = [only(tracker, reading(group(10 + i), at_ms=10_000 + 5000 * i)) for i in range(81)]

    assert {row.verdict for row in rows[:80]} == {"rewind"}
    assert (rows[40].rewound_by, rows[80].rewound_by, rows[80].verdict) == (40, 0, "ok")


def test_a_rewind_of_a_group_without_members_is_reported_beside_its_stop() -> None:
    tracker = LagTracker(OURS)
    only(tracker, reading(group(90)))
    rows = [only(tracker, reading(group(10, owned=False), at_ms=12_000 + 2000 * i)) for i in range(5)]

    assert (rows[-1].verdict, rows[-1].rewound_by) == ("stop", 80)


def test_a_topic_that_was_made_anew_with_fewer_records_is_no_rewind() -> None:
    tracker = LagTracker(OURS)
    only(tracker, reading(group(90)))
    row = only(tracker, reading(group(3), end=5))

    assert (row.verdict, row.rewound_by) == ("rewind", 2)
    assert only(tracker, reading(group(5), end=5)).rewound_by == 0


def test_a_topic_that_is_gone_takes_its_rows_and_history_with_it() -> None:
    tracker = LagTracker(OURS)
    tracker.update(reading(group(90)))
    [found] = tracker.update(replace(reading(group(90)), begin={}, end={})).groups

    assert found.partitions == ()
    assert not tracker._histories


def test_rewound_records_are_counted() -> None:
    tracker = LagTracker(OURS)
    for committed in (90, 95):
        only(tracker, reading(group(committed)))
    row = only(tracker, reading(group(60)))

    assert (row.verdict, row.rewound_by) == ("rewind", 35)


def test_a_changelog_is_owned_and_never_committed_so_no_lag_is_told_of_it() -> None:
    changelog = Partition("worker-calls-changelog", 0)
    owner = GroupReading(WORKER, "Stable", 1, frozenset({P0, changelog}), {P0: 100})
    [found] = LagTracker(OURS).update(Reading(0, [owner], {P0: 0, changelog: 0}, {P0: 100, changelog: 9}, {})).groups

    assert [row.topic for row in found.partitions] == ["t"]
