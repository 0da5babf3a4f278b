"""What makes a copy wrong before it begins: a worker that has begun, or records that came by another way."""

import asyncio
import time
from typing import Any, Final

from aiokafka.errors import GroupCoordinatorNotAvailableError

from schemas.headers import REPLAYED_FROM
from schemas.reader import Offsets, TopicReader
from schemas.topics import CALLBACKS
from streams.errors import TopicsError
from streams.settings import TopicSettings
from streams.tools.growing.marks import Mark
from streams.topics.admin import admin_client, check_topics
from streams.topics.schemas import check_schemas

COORDINATOR_S: Final = 15.0
RETRY_PAUSE_S: Final = 0.2
START_ANEW: Final = "begin anew with a prefix that nothing has used"


async def check_target(target: TopicSettings) -> None:
    """The new topics and schemas must be there, and no worker may have read them.

    A worker closes windows by what it has read: what is copied behind that would be late.
    Raises: TopicsError, SchemasError, BrokerUnavailableError, RegistryAwayError.
    """
    try:
        await check_topics(target.kafka, target.group)
    except TopicsError as error:
        apply = f"AIRUDDER_TOPIC_PREFIX={target.kafka.topic_prefix} python -m streams topics apply"
        raise TopicsError(f"{error}\n  - the topics to copy into are made by `{apply}`") from error
    await check_schemas(target.registry)
    async with admin_client(target.kafka) as admin:
        has_begun = await _has_begun(admin, target.group)
    if has_begun:
        raise TopicsError(
            f"a worker of group {target.group} has begun: what is copied now would be late for the windows that it "
            f"has closed. Start the worker after the last copy; now {START_ANEW}"
        )


async def _has_begun(admin: Any, group: str) -> bool:
    """True when the group has members or committed offsets. A broker that never had a group needs a moment."""
    until = time.monotonic() + COORDINATOR_S
    while True:
        try:
            [described] = await admin.describe_consumer_groups([group])
            return bool(described.to_object()["groups"][0]["members"] or await admin.list_consumer_group_offsets(group))
        except GroupCoordinatorNotAvailableError:
            if time.monotonic() > until:
                raise
        await asyncio.sleep(RETRY_PAUSE_S)


def check_marks(marks: dict[Any, Mark], source_name: str, ends: Offsets) -> None:
    """The target must hold all that was copied before. Raises: TopicsError when it was made anew since."""
    copied = sum(mark.copied for tp, mark in marks.items() if tp.topic == source_name)
    if copied > sum(ends.values()):
        name = next(iter(ends)).topic
        raise TopicsError(
            f"{copied} records were copied into {name}, and it has {sum(ends.values())}: it was made anew since. "
            f"Delete group airudder-replay of its prefix, or {START_ANEW}"
        )


async def check_order(target: TopicReader) -> None:
    """No callback may have come directly: an older one that is copied behind it would seem to correct it.

    Raises: TopicsError.
    """
    ends, begins = await target.ends(CALLBACKS), await target.beginnings(CALLBACKS)
    starts = {tp: max(end - 1, begins[tp]) for tp, end in ends.items()}
    async for record in target.records(starts, ends):
        origins = [value.decode("latin-1") for name, value in record.headers if name == REPLAYED_FROM]
        if not origins or target.names.topic(origins[-1].partition("[")[0]) is not None:
            raise TopicsError(
                f"{record.topic}[{record.partition}]@{record.offset} came by the gateway, not by this copy: an older "
                "callback of its call, copied behind it, would seem to correct it. Stop that gateway, and "
                f"{START_ANEW}: replay the former topics into it, then these (`--from-prefix {target.names.prefix}`)"
            )
