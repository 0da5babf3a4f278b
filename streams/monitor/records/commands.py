"""Pure: what to type about a partition: commands that help with the record that it stands at."""

import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from schemas.topics import CO_PARTITIONED, Topic
from streams.monitor.lag.verdicts import LagVerdict

STREAMS: Final = "python -m streams"


@dataclass(frozen=True)
class Command:
    """A line to copy, and what it does in words."""

    does: str
    line: str


@dataclass(frozen=True)
class Stuck:
    """Where a group stands. topic: None for one that is not ours; offset: of the record, appended_at: its time.

    call_id: of the record, where it could be read.
    """

    group: str
    is_ours: bool
    topic: Topic | None
    real_topic: str
    partition: int
    offset: int | None
    appended_at: int | None
    call_id: str | None
    verdict: LagVerdict
    servers: str


def commands(stuck: Stuck) -> list[Command]:
    """The commands that help here, the first to try first."""
    found = [] if stuck.is_ours else [Command("the group, watched", f"{STREAMS} lag --watch --group {_q(stuck.group)}")]
    if stuck.is_ours:
        found.append(Command("the worker's groups, watched", f"{STREAMS} lag --watch --partitions"))
    if stuck.topic is not None and stuck.offset is not None:
        found += _of_record(stuck, stuck.topic, stuck.offset)
    if not stuck.is_ours and stuck.offset is not None and stuck.verdict == "stall":
        found.append(_skip(stuck, stuck.offset))
    return found


def _of_record(stuck: Stuck, topic: Topic, offset: int) -> list[Command]:
    found = []
    if stuck.is_ours and topic in CO_PARTITIONED:
        place = f"{topic.short_name}[{stuck.partition}]@{offset}"
        found.append(
            Command("whether the worker has put it aside, and why", f"{STREAMS} dead-letters show {_q(place)}")
        )
    if stuck.call_id:
        found.append(Command("everything of its call", f"{STREAMS} trace-call {_q(stuck.call_id)}"))
    if stuck.appended_at is not None:
        since = datetime.fromtimestamp(stuck.appended_at / 1000, UTC).isoformat(timespec="milliseconds")
        line = f"{STREAMS} tail {topic.short_name} --from {since} --no-follow --limit 20 --headers --mask"
        found.append(
            Command("it and what was appended after it, in all partitions; without --mask: personal data, too", line)
        )
    return found


def _skip(stuck: Stuck, offset: int) -> Command:
    line = (
        f"kafka-consumer-groups.sh --bootstrap-server {_q(stuck.servers)} --group {_q(stuck.group)} "
        f"--topic {_q(f'{stuck.real_topic}:{stuck.partition}')} --reset-offsets --to-offset {offset + 1} --execute"
    )
    return Command("skip this record: its reader loses it; stop all members of the group first", line)


def _q(text: str) -> str:
    return shlex.quote(text)
