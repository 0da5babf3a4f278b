"""Pure: since when, and when last, a counter of other processes grew; over restarts of them and of the monitor."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

# After so long without growth the next is an episode of its own.
QUIET_MS: Final = 3_600_000


@dataclass(frozen=True)
class Grown:
    """One counter of some processes. count: all that it grew while anybody looked, with what it had at the first look.

    seen: what each instance said last; one that does not answer stays as it was.
    since_ms: when the present episode began; last_ms: when it last grew. None: not while anybody looked.
    """

    count: int
    seen: Mapping[str, int]
    since_ms: int | None = None
    last_ms: int | None = None

    def with_(self, instance: str, value: int, at_ms: int) -> "Grown":
        """After the next look at one instance. A lower value is that of a process that began again, from 0."""
        before, seen = self.seen.get(instance), {**self.seen, instance: value}
        if before is None:
            return replace(self, count=self.count + value, seen=seen)
        more = value - before if value >= before else value
        if not more:
            return replace(self, seen=seen)
        is_new = self.last_ms is None or at_ms - self.last_ms > QUIET_MS
        return Grown(self.count + more, seen, at_ms if is_new else self.since_ms, at_ms)


class Growth:
    """Counters by a name of ours. `saved` and `restore` are for the next process."""

    def __init__(self) -> None:
        self.counters: dict[str, Grown] = {}

    def update(self, instances: Mapping[str, Mapping[str, int]], at_ms: int) -> None:
        """One look at the counters of each instance; those that are left out stay as they were."""
        for instance, values in instances.items():
            for name, value in values.items():
                known = self.counters.get(name, Grown(0, {}))
                self.counters[name] = known.with_(instance, value, at_ms)

    def saved(self) -> dict[str, Any]:
        """All of it, as JSON can say it."""
        return {name: asdict(grown) for name, grown in self.counters.items()}

    def restore(self, saved: Mapping[str, Any]) -> None:
        """Go on from what `saved` gave in an earlier process."""
        self.counters |= {name: Grown(**grown) for name, grown in saved.items()}
