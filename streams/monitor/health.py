"""Pure: is anything wrong, and does the monitor know? The page's headline, title and icon and /api/health are this.

    broken     something does not work: calls are not counted, or records are gone
    blind      the monitor does not know: what it reads is missing or too old
    degraded   it works, but not as it should
    ok         everything was read lately, and nothing of the above

Old readings say nothing about now: old verdicts are no problems, being blind is one.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, get_args

from schemas.runtime import instants
from streams.monitor.history.beginnings import Beginnings
from streams.monitor.lag.readings import RECENT_S
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.lag.verdicts import LAG_SLO_S, MEANINGS, WORST_FIRST, LagVerdict
from streams.monitor.links import partition_path

HealthState = Literal["broken", "blind", "degraded", "ok"]
# Worst first.
HEALTH_STATES: Final[tuple[HealthState, ...]] = get_args(HealthState)

LOSS_SHOWN_S: Final = 86_400.0
# A worker that is replaced is without a member for a moment only; a session that ran out lasts.
NO_MEMBER_AFTER_S: Final = 3.0

MAX_NAMED: Final = 12
BEGUN: Final = "begun"
SEVERITY: Final[dict[LagVerdict, HealthState]] = {
    "stop": "broken",
    "stall": "broken",
    "beyond": "broken",
    "rewind": "degraded",
    "warn": "degraded",
    "behind": "degraded",
    "unknown": "degraded",
}
EVIDENCE: Final = {verdict: (severity, MEANINGS[verdict]) for verdict, severity in SEVERITY.items()}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: what, its evidence, a link, since when (epoch ms). Shown once it lasted `lasting_s`.

    began_ms: when the evidence shows it to have begun, unless it was known before. Without both it begins when seen.
    """

    state: HealthState
    what: str
    evidence: str
    link: str
    since_ms: int | None = None
    lasting_s: float = 0.0
    began_ms: int | None = None


@dataclass(frozen=True)
class HealthSource:
    """One thing that the monitor reads: when it last did, why not since, and after how long it is stale."""

    name: str
    as_of_ms: int | None
    fault: str | None
    stale_after_s: float
    link: str

    def is_stale(self, now_ms: int) -> bool:
        """True when the last reading says nothing about now."""
        return self.as_of_ms is None or now_ms - self.as_of_ms > self.stale_after_s * 1000

    def why_stale(self, now_ms: int) -> str | None:
        """When it was last read, and what keeps us from reading; None while it is not stale."""
        if not self.is_stale(now_ms):
            return None
        if self.as_of_ms is None:
            return self.fault or "nothing read yet"
        return f"last read at {instants.text(self.as_of_ms)}" + (f"; {self.fault}" if self.fault else "")


@dataclass(frozen=True)
class Health:
    """The worst state, and every problem, worst first and the oldest first among equals."""

    state: HealthState
    as_of_ms: int
    problems: tuple[Problem, ...] = ()

    @property
    def headline(self) -> str:
        """One line for somebody at three in the morning."""
        if not self.problems:
            return "OK: everything is read, and nothing is wrong"
        more = f" (and {len(self.problems) - 1} more)" if len(self.problems) > 1 else ""
        return f"{self.state.capitalize()}: {self.problems[0].what}{more}"


class HealthTracker:
    """Remembers since when each problem has been there. One per process; from any thread."""

    def __init__(self, beginnings: Beginnings[tuple[str, str]] | None = None) -> None:
        self._beginnings = beginnings or Beginnings(lambda *_: None, "\n".join)

    def update(
        self,
        sources: Iterable[HealthSource],
        snapshot: LagSnapshot | None,
        worker: str,
        now_ms: int,
        others_found: Iterable[Problem] = (),
    ) -> Health:
        """The health now. snapshot: the newest, however old; sources: lag first; others_found: besides lag's."""
        lag, *others = sources
        problems = [*blindness((lag, *others), now_ms), *others_found]
        if snapshot is not None and not lag.is_stale(now_ms):
            problems += lag_problems(snapshot, worker)
        # what is not looked at may go on: only a whole look ends a problem
        is_whole = not any(source.is_stale(now_ms) for source in (lag, *others))
        found: dict[tuple[str, str], tuple[str, int]] = {
            (p.state, p.what): (BEGUN, p.since_ms or p.began_ms or now_ms) for p in problems
        }
        since_ms = self._beginnings.update(found, now_ms, is_whole=is_whole)
        dated = [replace(p, since_ms=p.since_ms or since_ms[p.state, p.what]) for p in problems]
        dated = [p for p in dated if now_ms - (p.since_ms or 0) >= p.lasting_s * 1000]
        dated.sort(key=lambda p: (HEALTH_STATES.index(p.state), p.since_ms))
        return Health(dated[0].state if dated else "ok", now_ms, tuple(dated))


def blindness(sources: Iterable[HealthSource], now_ms: int) -> Iterator[Problem]:
    """A problem for each source that is stale."""
    for source in sources:
        if evidence := source.why_stale(now_ms):
            what = f"{source.name} not read yet" if source.as_of_ms is None else f"{source.name} cannot be read"
            yield Problem("blind", what, evidence, source.link, source.as_of_ms)


def lag_problems(snapshot: LagSnapshot, worker: str) -> Iterator[Problem]:
    """A problem for each thing that the newest snapshot shows to be wrong."""
    for unseen in snapshot.unseen[:MAX_NAMED]:
        yield Problem("blind", f"{unseen.what} cannot be seen", unseen.why, "/readyz")
    for group in snapshot.groups:
        yield from _group_problems(group, group.consumergroup == worker)
    yield from _losses(snapshot)
    count, since_ms = snapshot.dead_letters
    if count:
        evidence = f"{count} within {RECENT_S / 60:.0f} minutes: python -m streams dead-letters list"
        yield Problem("degraded", "records ended as dead letters", evidence, "/losses", since_ms)


def _group_problems(group: GroupLag, is_worker: bool) -> Iterator[Problem]:
    name = group.consumergroup
    if is_worker and not group.is_known:
        waiting = sum(row.end_offset - row.begin_offset for row in group.partitions)
        evidence = f"the broker does not know this group; {waiting} records wait for it"
        yield Problem("broken" if waiting else "degraded", f"{name} has never read anything", evidence, "/lag")
        return
    if is_worker and group.members == 0 and group.state != "Unknown":
        what = f"{name} has no live member"
        yield Problem("broken", what, f"group state {group.state}", "/lag", lasting_s=NO_MEMBER_AFTER_S)
    for state in WORST_FIRST[:-1]:
        rows = [row for row in group.partitions if row.verdict == state and (row.has_records or state != "unknown")]
        if rows:
            severity, text = EVIDENCE[state]
            if is_worker and any(_is_late_and_still(row) for row in rows):
                severity, text = "broken", "old records wait, and nothing was committed lately"
            yield Problem(severity, f"{name}: {state}", f"{text}: {_where(rows)}", _link(name, rows))
    rewound = [row for row in group.partitions if row.rewound_by and row.verdict != "rewind"]
    if rewound:
        text = f"{sum(row.rewound_by for row in rewound)} records are read again: {_where(rewound)}"
        yield Problem("degraded", f"{name}: rewound", text, _link(name, rewound))


def _is_late_and_still(row: PartitionLag) -> bool:
    return (row.lag_seconds or 0) > LAG_SLO_S and row.unmoved_s > LAG_SLO_S


def _link(group: str, rows: list[PartitionLag]) -> str:
    """To the partition whose next record is the oldest."""
    row = max(rows, key=lambda row: row.lag_seconds or 0.0)
    return partition_path(group, row.topic, row.partition)


def _where(rows: list[PartitionLag]) -> str:
    named = ", ".join(f"{row.topic}/{row.partition}" for row in rows[:MAX_NAMED])
    more = f" and {len(rows) - MAX_NAMED} more" if len(rows) > MAX_NAMED else ""
    records = sum(row.lag or 0 for row in rows)
    oldest = max((row.lag_seconds for row in rows if row.lag_seconds is not None), default=None)
    age = "" if oldest is None else f", the oldest {oldest:.0f} s old"
    return f"{records} records in {named}{more}{age}"


def _losses(snapshot: LagSnapshot) -> Iterator[Problem]:
    for (group, topic), at_ms in snapshot.lost_at_ms.items():
        if snapshot.as_of_ms - at_ms <= LOSS_SHOWN_S * 1000:
            count = snapshot.records_lost[group, topic]
            evidence = f"retention took {count} before they were read, last {instants.text(at_ms)}"
            yield Problem("broken", f"{group} lost records of {topic}", evidence, "/losses", at_ms)


def health_view(health: Health) -> dict[str, Any]:
    """{"state", "as_of", "problems": [{"what", "since", "evidence", "link"}]}, worst first."""
    return {
        "state": health.state,
        "as_of": instants.text(health.as_of_ms),
        "headline": health.headline,
        "problems": [
            {
                "what": problem.what,
                "since": instants.text(problem.since_ms or health.as_of_ms),
                "evidence": problem.evidence,
                "link": problem.link,
            }
            for problem in health.problems
        ],
    }
