"""What the broker says of consumer groups: how far they are and who is in them.

By aiokafka, for librdkafka 2.16's admin client ended the benchmark with a segmentation fault in one start of two, when
it was asked for the offsets of a group that did not exist yet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

T = TypeVar("T")

STABLE = "Stable"


class Groups:
    """Asks one broker. Synchronous: its event loop turns only while a question is answered. Close it."""

    def __init__(self, bootstrap: str) -> None:
        self._bootstrap = bootstrap
        self._runner = asyncio.Runner()
        self._admin: Any = None

    def committed(self, group: str) -> dict[tuple[str, int], int]:
        """What a group has committed so far; empty while there is no such group."""
        found: dict[Any, Any] = self._ask(lambda admin: admin.list_consumer_group_offsets(group), {})
        return {(place.topic, place.partition): committed.offset for place, committed in found.items()}

    def members(self, group: str) -> int:
        """Members of a group that has settled; 0 before."""
        responses: list[Any] = self._ask(lambda admin: admin.describe_consumer_groups([group]), [])
        for response in responses:
            for _, _, state, _, _, members, *_ in response.groups:
                return len(members) if state == STABLE else 0
        return 0

    def close(self) -> None:
        """Let go of the broker."""
        if self._admin is not None:
            self._runner.run(self._admin.close())
        self._runner.close()

    def _ask(self, question: Callable[[Any], Awaitable[T]], otherwise: T) -> T:
        return self._runner.run(self._answer(question, otherwise))

    async def _answer(self, question: Callable[[Any], Awaitable[T]], otherwise: T) -> T:
        if self._admin is None:
            self._admin = AIOKafkaAdminClient(bootstrap_servers=self._bootstrap)
            await self._admin.start()
        try:
            return await question(self._admin)
        except KafkaError:  # a coordinator that still loads: it is asked again
            return otherwise
