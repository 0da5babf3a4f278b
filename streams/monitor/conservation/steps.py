"""Pure: the sums that must hold, step by step from the gateway to the windows, out of one look at all of them.

streams/monitor/README.md, Conservation, defines each term.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal, get_args

from schemas.topic_names import TopicNames
from schemas.topics import CALLBACKS, REKEYED_DETAILS, WEBHOOKS_PATH, WORKFLOW_WINDOWS_TABLE
from streams.monitor.conservation.exposition import Scraped
from streams.monitor.lag.tracker import LagSnapshot

StepName = Literal["requests", "stored", "handled", "counted"]
STEPS: Final[tuple[StepName, ...]] = get_args(StepName)

# What is left of a worker's backlog says nothing about what it loses.
MAX_BEHIND_S: Final = 10.0


@dataclass(frozen=True)
class Look:
    """One look at everything, downstream first: so nothing can be downstream that was not yet upstream.

    counted: calls in the windows of all workflows. workers before `lag`, `lag` before gateways; None: not looked at.
    began_ms: when the count of `counted` began.
    """

    at_ms: int
    counted: int | None
    began_ms: int
    workers: Scraped | None
    lag: LagSnapshot | None
    gateways: Scraped | None


@dataclass(frozen=True)
class Term:
    """One step at one look. upstream, downstream: what must be equal when nothing is on its way.

    waiting: what is known to be on its way. epoch: while it is the same, the numbers have one beginning. parts: what
    the sums are made of. why: why it is not known; then the numbers mean nothing.
    """

    upstream: int = 0
    downstream: int = 0
    waiting: int = 0
    epoch: str = ""
    parts: tuple[tuple[str, int], ...] = ()
    why: str = ""


def terms_of(look: Look, group: str, names: TopicNames) -> dict[StepName, Term]:
    """Every step."""
    return {
        "requests": _of_gateways(look, _requests),
        "stored": _of_gateways(look, lambda gateways: _stored(gateways, look.lag, names)),
        "handled": _of_workers(look, lambda workers: _handled(workers, look.lag, group, names)),
        "counted": _of_workers(look, lambda workers: _counted(workers, look)),
    }


def _of_gateways(look: Look, term: Callable[[Scraped], Term]) -> Term:
    return _of_role(look.gateways, "MONITOR_GATEWAY_URLS", term)


def _of_workers(look: Look, term: Callable[[Scraped], Term]) -> Term:
    return _of_role(look.workers, "MONITOR_WORKER_URLS", term)


def _of_role(scraped: Scraped | None, setting: str, term: Callable[[Scraped], Term]) -> Term:
    if scraped is None:
        return Term(why=f"not looked at: {setting} is not set")
    if scraped.faults:
        return Term(why="; ".join(scraped.faults))
    return term(scraped)


def _requests(gateways: Scraped) -> Term:
    """Requests with an outcome = requests that were answered."""
    outcomes = _by("outcome", gateways, "webhook_requests_total")
    answered = sum(
        value
        for labels, value in gateways.of("http_server_request_duration_seconds_count", http_request_method="POST")
        if labels["http_route"].startswith(WEBHOOKS_PATH)
    )
    return Term(sum(outcomes.values()), round(answered), 0, _lives(gateways), tuple(outcomes.items()))


def _stored(gateways: Scraped, lag: LagSnapshot | None, names: TopicNames) -> Term:
    """Callbacks that the gateway called stored = records in their topic, and in the spool."""
    ends = _ends(lag, names.of(CALLBACKS))
    if ends is None:
        return Term(why="the callbacks' topic could not be read")
    published = gateways.total("webhook_publish_duration_seconds_count", topic=CALLBACKS.name)
    spooled = gateways.total("webhook_spool_entries", state="waiting")
    refused = gateways.total("webhook_spool_entries", state="refused")
    if spooled:
        return Term(why=f"{spooled} records wait in the spool")
    parts = (("published", published), ("in_kafka", sum(ends)), ("refused_by_kafka", refused))
    return Term(published, sum(ends), 0, f"{_lives(gateways)} {len(ends)}", parts)


def _handled(workers: Scraped, lag: LagSnapshot | None, group: str, names: TopicNames) -> Term:
    """Records in the topics that the first stage reads = records that it handled."""
    topics = (names.of(CALLBACKS), names.of(REKEYED_DETAILS))
    ends = [_ends(lag, topic) for topic in topics]
    rows = [] if lag is None else [row for g in lag.groups if g.consumergroup == group for row in g.partitions]
    mine = [row for row in rows if row.topic in topics]
    if None in ends or not mine or any(row.lag is None for row in mine):
        return Term(why="the worker's lag is not known")
    if (behind_s := max(row.lag_seconds or 0.0 for row in mine)) > MAX_BEHIND_S:
        return Term(why=f"the worker is {behind_s:.0f} s behind")
    outcomes = _by("outcome", workers, "stream_records_total", stage="call")
    appended = sum(sum(found or ()) for found in ends)
    waiting = sum(row.lag or 0 for row in mine)
    epoch = f"{_lives(workers)} {len(mine)}"
    return Term(appended, sum(outcomes.values()), waiting, epoch, (("appended", appended), *outcomes.items()))


def _counted(workers: Scraped, look: Look) -> Term:
    """New calls = calls in the windows of workflows, and new calls that came late."""
    if look.counted is None:
        return Term(why="the windows have not been read yet")
    if look.lag is None:
        return Term(why="the worker's lag is not known")
    new = workers.total("stream_records_total", stage="call", outcome="ok")
    late = workers.total("stream_window_late_total", table=WORKFLOW_WINDOWS_TABLE)
    late -= workers.total("stream_late_corrections_total", table=WORKFLOW_WINDOWS_TABLE)
    parts = (("new_calls", new), ("in_windows", look.counted), ("late", late))
    return Term(new, look.counted + late, _waiting(look.lag), f"{_lives(workers)} {look.began_ms}", parts)


def _waiting(lag: LagSnapshot) -> int:
    """Every record that any watched group has still to read: more than what is on its way, never less."""
    return sum(row.lag or 0 for group in lag.groups for row in group.partitions)


def _ends(lag: LagSnapshot | None, topic: str) -> list[int] | None:
    found = [] if lag is None else [end for place, end in sorted(lag.end.items()) if place.topic == topic]
    return found or None


def _by(label: str, scraped: Scraped, name: str, **labels: str) -> dict[str, int]:
    """The total for each value of a label."""
    found: dict[str, int] = {}
    for known, value in scraped.of(name, **labels):
        found[known[label]] = found.get(known[label], 0) + round(value)
    return dict(sorted(found.items()))


def _lives(scraped: Scraped) -> str:
    """Changes when a process began anew, and when tables were recovered: a rebalance has records handled again."""
    return " ".join(map(str, (*scraped.lives, scraped.total("stream_recoveries_total"))))
