"""Pure: the records that retention took before a group read them, each counted once, also over restarts."""

from collections.abc import Set
from typing import Any

from streams.monitor.lag.readings import GroupReading, Partition, Reading


class Losses:
    """counts: records lost by (group, topic). grew_at_ms: when a count last grew (epoch ms), for those that did."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.grew_at_ms: dict[tuple[str, str], int] = {}
        self._accounted: dict[tuple[str, Partition], int] = {}

    def count(self, group: GroupReading, committed: Set[Partition], reading: Reading) -> None:
        """Count what is lost of these partitions, which the group committed.

        A counter starts at 0 and grows from the next reading on: Prometheus' `increase()` cannot see a first value.
        """
        lost: dict[str, int] = {}
        for partition in committed:
            key, begin = (group.name, partition), reading.begin[partition]
            gone = begin - max(group.committed[partition], self._accounted.get(key, 0))
            lost[partition.topic] = lost.get(partition.topic, 0) + max(0, gone)
            if gone > 0 and (group.name, partition.topic) in self.counts:
                self._accounted[key] = begin
        for topic, count in lost.items():
            counter = (group.name, topic)
            if counter in self.counts and count:
                self.grew_at_ms[counter] = reading.at_ms
            self.counts[counter] = self.counts[counter] + count if counter in self.counts else 0

    def keep(self, known: Set[tuple[str, Partition]], groups: Set[str | None], topics: Set[str | None]) -> None:
        """Forget what is not known any more, but nothing of these groups and topics, which could not be read now."""
        for key in self._accounted.keys() - known:
            if key[0] not in groups and key[1].topic not in topics:
                del self._accounted[key]
        counted = {(name, partition.topic) for name, partition in known}
        for counter in self.counts.keys() - counted:
            if counter[0] not in groups and counter[1] not in topics:
                del self.counts[counter]
                self.grew_at_ms.pop(counter, None)

    def saved(self) -> dict[str, Any]:
        """All of it, for `restore`, as JSON can say it."""
        counts = [[*counter, count, self.grew_at_ms.get(counter)] for counter, count in self.counts.items()]
        return {"counts": counts, "accounted": [[name, *place, at] for (name, place), at in self._accounted.items()]}

    def restore(self, saved: dict[str, Any]) -> None:
        """Go on from what `saved` gave in an earlier process."""
        for group, topic, count, at_ms in saved["counts"]:
            self.counts[group, topic] = count
            if at_ms is not None:
                self.grew_at_ms[group, topic] = at_ms
        for group, topic, partition, begin in saved["accounted"]:
            self._accounted[group, Partition(topic, partition)] = begin
