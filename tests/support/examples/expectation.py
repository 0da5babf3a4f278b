"""What an example has to print of a topic: the rules for subscribers, written down once more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.admin import AIOKafkaAdminClient

from schemas.errors import SchemaError
from schemas.records.types import TYPES
from schemas.registry import Registry
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES, Topic
from tests.support.topics import all_records

Offsets = dict[tuple[str, int], int]
"""By topic and partition."""

SHOWN: dict[str, tuple[str, ...]] = {
    CALLS.name: ("disposition", "duration_s"),
    ANSWERS.name: ("position", "question_name", "state"),
    CALL_ATTEMPTS.name: ("attempt_number", "disposition"),
    WORKFLOW_OUTCOMES.name: ("calls", "answered"),
    SIP_LINE_OUTCOMES.name: ("calls", "answered"),
}
"""The fields that a line has besides `topic`, `ce_id`, `key` and `revision`; it may have more."""


@dataclass
class Expected:
    """`lines` by `ce_id`; `set_aside`: the places of records that cannot be read, as `topic[partition]@offset`."""

    lines: dict[str, dict[str, Any]] = field(default_factory=dict)
    set_aside: set[str] = field(default_factory=set)


async def expected(bootstrap: str, registry_url: str, topic: Topic, below: Offsets) -> Expected:
    """What is to be printed of the records below these offsets."""
    registry, highest, found = Registry(registry_url), dict[str, int](), Expected()
    try:
        for record in await records_of(bootstrap, topic):
            if record.offset < below.get((record.topic, record.partition), 0):
                await _judge(record, registry, topic, highest, found)
    finally:
        await registry.aclose()
    return found


async def _judge(record: Any, registry: Registry, topic: Topic, highest: dict[str, int], found: Expected) -> None:
    headers = dict(record.headers)
    if "synthetic" in headers:
        return
    try:
        value = await registry.decode(record.value or b"", TYPES[topic.record])
        ce_id, key = headers["ce_id"].decode(), record.key.decode()
    except (SchemaError, KeyError):
        found.set_aside.add(f"{record.topic}[{record.partition}]@{record.offset}")
        return
    revision = getattr(value, "revision", None)
    if ce_id in found.lines or (revision or 0) < highest.get(key, 0):
        return
    highest[key] = revision or 0
    shown = {name: getattr(value, name) for name in SHOWN[topic.name]}
    found.lines[ce_id] = {"topic": topic.name, "ce_id": ce_id, "key": key, "revision": revision, **shown}


async def records_of(bootstrap: str, topic: Topic) -> list[Any]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False) as consumer:
        return await all_records(consumer, topic.name)


async def committed(bootstrap: str, group: str) -> Offsets:
    """The offsets that a group has committed."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        offsets = await admin.list_consumer_group_offsets(group)
    finally:
        await admin.close()
    return {(tp.topic, tp.partition): found.offset for tp, found in offsets.items()}


async def ends(bootstrap: str, topics: Iterable[Topic]) -> Offsets:
    """Where every partition of the topics ends now; those without a record are left out."""
    found: Offsets = {}
    for topic in topics:
        for record in await records_of(bootstrap, topic):
            found[record.topic, record.partition] = record.offset + 1
    return found
