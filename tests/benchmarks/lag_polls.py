"""What watching many groups costs: processor time per poll, all but the network. 50 groups x 200 partitions.

    python -m tests.benchmarks.lag_polls [--groups 50] [--partitions 200] [--moving 1.0]

A stub stands for the broker's answers; the rest is the monitor's own: verdicts, histories, series, events. The share is
of one core, at one poll every two seconds. `event` is spent only while somebody listens.
"""

from __future__ import annotations

import argparse
import json
import time

from streams.monitor.history.memory import Memory
from streams.monitor.lag.poller import POLL_INTERVAL_S
from streams.monitor.lag.readings import Ahead, GroupReading, Partition, Reading
from streams.monitor.lag.tracker import LagTracker, Worker
from streams.monitor.lag.views import lag_view
from streams.monitor.settings import MonitorSettings

WARM_UP = 60  # a history of two minutes
MEASURED = 60


def reading(groups: int, partitions: int, poll: int, moving: float) -> Reading:
    """Every group has one topic; this share of its partitions moves, and is a few records behind."""
    at_ms = 1_800_000_000_000 + poll * int(POLL_INTERVAL_S * 1000)
    begin: dict[Partition, int] = {}
    end: dict[Partition, int] = {}
    found: list[GroupReading] = []
    ahead: dict[tuple[Partition, int], Ahead] = {}
    for number in range(groups):
        places = [Partition(f"topic-{number}", p) for p in range(partitions)]
        moved = {p for p in places if p.partition < partitions * moving}
        ends = {p: 1000 + 20 * poll if p in moved else 1000 for p in places}
        committed = {p: ends[p] - (3 if p in moved else 0) for p in places}
        begin |= dict.fromkeys(places, 0)
        end |= ends
        ahead |= {(p, committed[p]): Ahead(committed[p], at_ms - 500) for p in moved}
        found.append(GroupReading(f"group-{number}", "Stable", 3, frozenset(places), committed))
    return Reading(at_ms, found, begin, end, ahead)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--groups", type=int, default=50)
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--moving", type=float, default=1.0)
    asked = parser.parse_args()
    settings = MonitorSettings()
    tracker = LagTracker(Worker.of("group-0"))
    memory = Memory(settings, tracker.losses)
    memory.history.write()
    spent = dict.fromkeys(("verdicts", "history", "event", "write"), 0.0)
    for poll in range(WARM_UP + MEASURED):
        found = reading(asked.groups, asked.partitions, poll, asked.moving)
        if poll == WARM_UP:
            spent = dict.fromkeys(spent, 0.0)
        marks = [time.process_time()]
        snapshot = tracker.update(found)
        marks.append(time.process_time())
        memory.add(snapshot)
        marks.append(time.process_time())
        json.dumps(lag_view(snapshot))
        marks.append(time.process_time())
        if poll % 3 == 0:
            memory.history.write()
        marks.append(time.process_time())
        for name, before, after in zip(spent, marks, marks[1:], strict=False):
            spent[name] += after - before
    memory.history.close()
    for name, total in (*spent.items(), ("all", sum(spent.values()))):
        each = total / MEASURED
        print(f"{name:9} {1000 * each:8.1f} ms a poll {100 * each / POLL_INTERVAL_S:6.2f} % of a core")


if __name__ == "__main__":
    main()
