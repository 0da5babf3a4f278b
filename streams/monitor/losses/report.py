"""What was lost or set aside, by kind, with since when and the command that helps. Pure.

Lag and the dead letter topic are read by the monitor itself; what gateways and workers counted is what they said last.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Final

from streams.monitor.conservation.exposition import Samples, Scraped
from streams.monitor.health import LOSS_SHOWN_S, HealthState
from streams.monitor.lag.readings import RECENT_S
from streams.monitor.lag.tracker import LagSnapshot
from streams.monitor.losses.growth import Grown, Growth

# Between the kind of loss and what tells its counters apart.
BETWEEN: Final = "\n"
# The instance that the monitor's own counters are of.
KAFKA: Final = "kafka"

TITLES: Final = {
    "retention": "Lost to retention",
    "dead_letters": "Dead letters",
    "quarantine": "Quarantine",
    "spool": "Spool",
    "late": "Late calls",
}
MEANINGS: Final = {
    "retention": "Kafka deleted these records before the group had read them. They are gone.",
    "dead_letters": "The worker could not process these records. They are kept, and can be replayed.",
    "quarantine": "The gateway refused these requests. What is kept can be judged again and replayed.",
    "spool": "The gateway keeps these callbacks on its disk until Kafka takes them.",
    "late": "These calls came after the grace of their window. No window has them; their topic does.",
}
# What is counted of gateways and workers: the kind, the metric, its labels.
COUNTED: Final = (
    ("dead_letters", "stream_dead_letter_total", ("stage", "reason")),
    ("quarantine", "webhook_quarantined_total", ("reason", "outcome")),
    ("late", "stream_window_late_total", ("table",)),
)
NOT_KEPT: Final = {"over_cap": "over the daily cap, not kept", "lost": "not kept: Kafka was away"}
RANKS: Final[tuple[HealthState, ...]] = ("broken", "degraded", "ok")


@dataclass(frozen=True)
class Loss:
    """One row. state: `ok` when it is over. since_ms, last_ms: None when it was before anybody looked."""

    what: str
    count: int
    state: HealthState
    since_ms: int | None
    last_ms: int | None
    command: str


@dataclass(frozen=True)
class Section:
    """One kind. unknown: why nobody can say all; then `count` is what is known of, or None, never 0."""

    kind: str
    rows: tuple[Loss, ...]
    unknown: str = ""

    @property
    def count(self) -> int | None:
        """All of them."""
        return None if self.unknown and not self.rows else sum(row.count for row in self.rows)

    @property
    def state(self) -> HealthState | None:
        """The worst of its rows; None where nobody can say that it is `ok`."""
        worst = self.rows[0].state if self.rows else "ok"
        return None if self.unknown and worst == "ok" else worst


def counters(snapshot: LagSnapshot | None, said: Scraped) -> dict[str, dict[str, int]]:
    """By instance: every counter of a loss by its key, as text."""
    found = {instance: _counters_of(samples) for instance, samples in said.instances.items()}
    if snapshot is not None:
        lost = snapshot.records_lost.items()
        found[KAFKA] = {BETWEEN.join(("retention", *counter)): count for counter, count in lost}
    return found


def _counters_of(samples: Samples) -> dict[str, int]:
    found: dict[str, int] = {}
    for kind, metric, labels in COUNTED:
        for known, count in samples.get(metric, {}).items():
            values = dict(known)
            key = BETWEEN.join((kind, *(values.get(label, "") for label in labels)))
            found[key] = found.get(key, 0) + round(count)
    return found


def report(
    snapshot: LagSnapshot | None, said: Scraped, why_unsaid: dict[str, str], growth: Growth, gateway: str, now_ms: int
) -> list[Section]:
    """Every kind, in the order of TITLES.

    why_unsaid: why `lag`, a `gateway` or a `worker` says nothing of now, for each role that is not whole; gateway: the
    address of one.
    """
    rows: dict[str, list[Loss]] = {kind: [] for kind in TITLES}
    for text, grown in list(growth.counters.items()):
        kind, *names = text.split(BETWEEN)
        if grown.count and kind in DESCRIBED:
            rows[kind].append(_counted(kind, names, grown, now_ms))
    # without a row of the workers' counters the topic answers, and no worker is missed
    worker = why_unsaid.get("worker", "")
    of_dead_letters = worker if rows["dead_letters"] else ""
    if snapshot is not None and snapshot.dead_letters[0] and not rows["dead_letters"]:
        rows["dead_letters"].append(_recent(snapshot))
    rows["spool"].extend(_spool(said, gateway))
    unknown = {
        "retention": why_unsaid.get("lag", ""),
        "dead_letters": why_unsaid.get("lag", "") or of_dead_letters,
        "quarantine": why_unsaid.get("gateway", ""),
        "spool": why_unsaid.get("gateway", ""),
        "late": worker,
    }
    return [Section(kind, tuple(_worst_first(rows[kind])), unknown[kind]) for kind in TITLES]


def _worst_first(rows: Sequence[Loss]) -> list[Loss]:
    return sorted(rows, key=lambda row: (RANKS.index(row.state), -(row.last_ms or 0), row.what))


def _counted(kind: str, names: list[str], grown: Grown, now_ms: int) -> Loss:
    what, state, command = DESCRIBED[kind](*names)
    shown_s = LOSS_SHOWN_S if state == "broken" else RECENT_S
    is_over = grown.last_ms is None or now_ms - grown.last_ms > shown_s * 1000
    return Loss(what, grown.count, "ok" if is_over else state, grown.since_ms, grown.last_ms, command)


def _of_retention(group: str, topic: str) -> tuple[str, HealthState, str]:
    return f"{group} lost records of {topic}", "broken", f"python -m streams lag --partitions --group {quote(group)}"


def _of_dead_letters(stage: str, reason: str) -> tuple[str, HealthState, str]:
    command = f"python -m streams dead-letters list --reason {quote(reason)}"
    return f"{reason.replace('_', ' ')} (stage {stage})", "degraded", command


def _of_quarantine(reason: str, outcome: str) -> tuple[str, HealthState, str]:
    command = f"python -m gateway quarantine list --reason {quote(reason)}"
    name = reason.replace("_", " ")
    if outcome in NOT_KEPT:
        return f"{name} ({NOT_KEPT[outcome]})", "broken", command
    return name, "degraded", command


def _of_late(table: str) -> tuple[str, HealthState, str]:
    name = table.removesuffix("-windows").replace("-", " ")
    return f"late for {name}", "degraded", "python -m streams tail late-calls --mask --no-follow --limit 20"


DESCRIBED: Final[Mapping[str, Callable[..., tuple[str, HealthState, str]]]] = {
    "retention": _of_retention,
    "dead_letters": _of_dead_letters,
    "quarantine": _of_quarantine,
    "late": _of_late,
}


def _recent(snapshot: LagSnapshot) -> Loss:
    count, since_ms = snapshot.dead_letters
    what = f"in their topic within {RECENT_S / 60:.0f} min"
    return Loss(what, count, "degraded", since_ms, since_ms, "python -m streams dead-letters list")


def _spool(said: Scraped, gateway: str) -> Iterator[Loss]:
    command = f"curl -s {quote(gateway)}/readyz"
    ages = [age for _, age in said.of("webhook_spool_oldest_age_seconds")]
    since_ms = None if said.as_of_ms is None or not ages else said.as_of_ms - round(max(ages) * 1000)
    if waiting := said.total("webhook_spool_entries", state="waiting"):
        yield Loss("wait for Kafka", waiting, "degraded", since_ms, said.as_of_ms, command)
    if refused := said.total("webhook_spool_entries", state="refused"):
        yield Loss("refused by Kafka for good, set aside", refused, "broken", None, None, command)
