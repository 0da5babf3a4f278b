"""Pure: does a backlog grow or shrink? One word, told from two spans that follow each other."""

from collections import deque
from collections.abc import Sequence
from statistics import fmean
from typing import Final, Literal

from streams.monitor.lag.facts import LAG, topics_of
from streams.monitor.lag.tracker import LagSnapshot

Trend = Literal["growing", "shrinking", "steady", ""]

TREND_S: Final = 120
MIN_TREND_S: Final = 10
# A change of less than a tenth, or of one record, is none.
STEADY: Final = 0.1


def trend_of(before: Sequence[float], after: Sequence[float]) -> Trend:
    """The word for the records of an earlier and of a later span; empty while nobody can tell.

    Nothing to read is steady, whatever was before.
    """
    if not before or not after:
        return ""
    earlier, later = fmean(before), fmean(after)
    if not after[-1] or abs(later - earlier) <= max(1.0, STEADY * earlier):
        return "steady"
    return "growing" if later > earlier else "shrinking"


class Trends:
    """The trend of each topic over what was seen: over TREND_S each, over less in the first minutes."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], deque[tuple[int, float]]] = {}

    def add(self, snapshot: LagSnapshot) -> None:
        """The next snapshot. Topics that are gone are forgotten."""
        known = {}
        for group in snapshot.groups:
            for topic in topics_of(group):
                key = group.consumergroup, topic.topic
                known[key] = seen = self._seen.get(key, deque())
                if (records := LAG.of(*topic.partitions)) is not None:
                    seen.append((snapshot.as_of_ms, records))
                while seen and snapshot.as_of_ms - seen[0][0] > 2 * TREND_S * 1000:
                    seen.popleft()
        self._seen = known

    def of(self, group: str, topic: str) -> Trend:
        """The word for this topic of this group."""
        seen = self._seen.get((group, topic), ())
        if not seen or seen[-1][0] - seen[0][0] < 2 * MIN_TREND_S * 1000:
            return ""
        middle = (seen[0][0] + seen[-1][0]) / 2
        return trend_of([records for at, records in seen if at < middle], [r for at, r in seen if at >= middle])
