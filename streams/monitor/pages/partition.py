"""`/lag/{group}/{topic}/{partition}`: one partition, its verdict in words, the record that it stands at."""

import json
from collections.abc import Mapping
from typing import Any, Final

from schemas.runtime import instants
from streams.monitor.api.records import MAX_PARTITION, number_of
from streams.monitor.errors import MonitorError, NotFoundError
from streams.monitor.history.memory import VERDICT, VerdictKey
from streams.monitor.history.names import of_topic
from streams.monitor.history.waiting import Change
from streams.monitor.lag.readings import Partition
from streams.monitor.lag.tracker import GroupLag, PartitionLag
from streams.monitor.lag.verdicts import MEANINGS, REMEDIES
from streams.monitor.links import in_path
from streams.monitor.monitor import Monitor
from streams.monitor.pages.frame import Page, PageRequest
from streams.monitor.pages.lag import lag_chart
from streams.monitor.records.commands import Stuck, commands
from streams.monitor.records.one_view import record_view
from streams.rules.labels import short

MAX_TITLE_CHARS: Final = 60
MAX_CHANGES: Final = 50


def build(monitor: Monitor, asked: PageRequest, names: Mapping[str, str]) -> Page:
    """Raises: NotReadyError before the first poll; NotFoundError for what is not watched."""
    group, row, pointer = _watched(monitor, names)
    key = VerdictKey(group.consumergroup, row.topic, row.partition)
    title = f"Lag of {row.topic}, all partitions"
    values = {
        "group": group,
        "row": row,
        "pointer": pointer,
        "as_of_ms": monitor.poller.as_of_ms,
        "since_ms": monitor.memory.verdicts.since_ms(key),
        "meaning": MEANINGS[row.verdict],
        "remedy": REMEDIES[row.verdict],
        "chart": lag_chart(
            monitor.history, asked, title, {"age": of_topic("lag_seconds", group.consumergroup, row.topic)}
        ),
        "changes": _changes(monitor, asked, key),
    }
    return Page(f"Lag {short(row.topic, MAX_TITLE_CHARS)}/{row.partition}", "partition.html", values)


async def prepare(monitor: Monitor, asked: PageRequest, names: Mapping[str, str]) -> Mapping[str, Any]:
    """The record that it stands at, or why it is not shown; and the commands that help with it."""
    group, row, _ = _watched(monitor, names)
    offset = stands_at(row)
    found: dict[str, Any] | None = None
    hidden, path = "", ""
    if not row.lag or offset is None:
        hidden = "No record waits here." if row.lag == 0 else "Where the group stands is not known."
    else:
        path = f"/api/records/{in_path(row.topic)}/{row.partition}/{offset}"
        try:
            found = record_view(await monitor.records.read(Partition(row.topic, row.partition), offset), asked.now_ms)
        except MonitorError as error:
            hidden = f"Not shown: {error}."
    value = found["record"]["value"] if found and found["record"] else None
    return {
        "found": found,
        "hidden": hidden,
        "path": path,
        "text": None if value is None else json.dumps(value, indent=2, ensure_ascii=False),
        "commands": commands(_stuck(monitor, group, row, found)),
    }


def stands_at(row: PartitionLag) -> int | None:
    """The offset that the group reads next, as far as it is known."""
    if row.current_offset is None:
        return row.begin_offset if row.lag is not None else None
    return max(row.current_offset, row.begin_offset)


def call_id_of(value: Mapping[str, Any] | None) -> str | None:
    """The call that a record is about; of a callback the first."""
    if value is None:
        return None
    details = value.get("details")
    first = details[0] if isinstance(details, list) and details and isinstance(details[0], dict) else value
    found = first.get("call_id")
    return found if isinstance(found, str) and found else None


def _watched(monitor: Monitor, names: Mapping[str, str]) -> tuple[GroupLag, PartitionLag, str]:
    """The group, its partition, and their place in /api/lag."""
    number = number_of("partition", names["partition"], MAX_PARTITION)
    for place, group in enumerate(monitor.poller.snapshot.groups):
        if group.consumergroup != names["group"]:
            continue
        for nested, row in enumerate(group.partitions):
            if (row.topic, row.partition) == (names["topic"], number):
                return group, row, f"/groups/{place}/partitions/{nested}"
    raise NotFoundError("no such partition of a group that is watched; /lag has them all")


def _stuck(monitor: Monitor, group: GroupLag, row: PartitionLag, found: Mapping[str, Any] | None) -> Stuck:
    kafka = monitor.settings.kafka
    record = found["record"] if found else None
    return Stuck(
        group.consumergroup,
        group.consumergroup == monitor.settings.group,
        kafka.names.topic(row.topic),
        row.topic,
        row.partition,
        (record["offset"] if record else stands_at(row)) if row.lag else None,
        instants.parse(record["appended_at"]) if record else None,
        call_id_of(record["value"]) if record else None,
        row.verdict,
        kafka.bootstrap_servers,
    )


def _changes(monitor: Monitor, asked: PageRequest, key: VerdictKey) -> list[Change]:
    """When its verdict became another one within the range, the newest first."""
    found = monitor.history.changes(VERDICT, key.subject, asked.from_ms, asked.to_ms)
    return [change for change in reversed(found) if change.subject == key.subject][:MAX_CHANGES]
