"""Whose partitions are read is known before reading: a topic that is not there is named, and none is made by asking."""

from __future__ import annotations

from unittest.mock import AsyncMock

import pytest

from streams.monitor.broker import partitions_of
from streams.monitor.errors import TopicsMissingError

KNOWN = [{"topic": "calls", "partitions": [{"partition": 0}, {"partition": 1}]}, {"topic": "hidden", "partitions": []}]


async def test_each_topic_has_its_partitions() -> None:
    admin = AsyncMock()
    admin.describe_topics.return_value = KNOWN

    assert await partitions_of(admin, ["calls"]) == {"calls": [0, 1]}
    admin.describe_topics.assert_awaited_once_with(None)


async def test_every_topic_that_is_missing_is_named() -> None:
    admin = AsyncMock()
    admin.describe_topics.return_value = KNOWN

    with pytest.raises(TopicsMissingError, match="answers, hidden"):
        await partitions_of(admin, ["calls", "answers", "hidden"])
