"""Records lost are counted once, also by the next process."""

from __future__ import annotations

import json

from streams.monitor.lag.losses import Losses
from streams.monitor.lag.readings import GroupReading, Partition, Reading

PLACE = Partition("t", 0)


def count(losses: Losses, begin: int, committed: int = 10, at_ms: int = 1) -> int:
    group = GroupReading("g", "Empty", 0, frozenset(), {PLACE: committed})
    losses.count(group, {PLACE}, Reading(at_ms, [group], {PLACE: begin}, {PLACE: 1000}))
    return losses.counts["g", "t"]


def restarted(losses: Losses) -> Losses:
    after = Losses()
    after.restore(json.loads(json.dumps(losses.saved())))
    return after


def test_a_restart_neither_forgets_nor_counts_twice() -> None:
    losses = Losses()
    assert [count(losses, 0), count(losses, 50, at_ms=2)] == [0, 40]
    after = restarted(losses)
    assert after.counts == {("g", "t"): 40}
    assert after.grew_at_ms == {("g", "t"): 2}
    assert [count(after, 50), count(after, 60, at_ms=3)] == [40, 50]
    assert after.grew_at_ms == {("g", "t"): 3}


def test_what_was_lost_while_no_monitor_ran_is_counted() -> None:
    losses = Losses()
    count(losses, 0)
    assert count(restarted(losses), 50, at_ms=2) == 40


def test_what_is_gone_is_forgotten_but_not_what_cannot_be_read() -> None:
    losses = Losses()
    count(losses, 0)
    count(losses, 50)
    losses.keep(set(), {"g"}, {None})
    losses.keep(set(), {None}, {"t"})
    assert count(losses, 50) == 40
    losses.keep(set(), {None}, {None})
    assert losses.saved() == {"counts": [], "accounted": []}
