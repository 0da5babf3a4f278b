"""Deliveries seen before. An event is remembered only after its acknowledgement, so that a retry is never lost."""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from typing import Final, Generic, TypeVar

from gateway.errors import PublishError

T = TypeVar("T")

REMEMBERED: Final = 100_000  # event ids


class Duplicates(Generic[T]):
    """Runs a delivery once per event id; equal deliveries in flight wait for the first and share its result or error.

    Only within one process and `capacity` events; the worker drops the other duplicates.
    """

    def __init__(self, capacity: int = REMEMBERED) -> None:
        self._capacity = capacity
        self._done: OrderedDict[str, T] = OrderedDict()
        self._running: dict[str, asyncio.Future[T]] = {}

    async def once(self, event_id: str, deliver: Callable[[], Awaitable[T]]) -> tuple[T, bool]:
        """The result, and whether this was a duplicate. Raises: what `deliver` raised, also to equal deliveries."""
        if event_id in self._done:
            self._done.move_to_end(event_id)
            return self._done[event_id], True
        if event_id in self._running:
            return await asyncio.shield(self._running[event_id]), True
        return await self._first(event_id, deliver), False

    async def _first(self, event_id: str, deliver: Callable[[], Awaitable[T]]) -> T:
        running = self._running[event_id] = asyncio.get_running_loop().create_future()
        try:
            result = await deliver()
        except BaseException as error:
            if isinstance(error, Exception):
                running.set_exception(error)
            else:  # cancelled: equal deliveries must fail with an error of their own
                running.set_exception(PublishError("the first delivery was interrupted"))
            running.exception()  # marks the error as retrieved when no other delivery waits
            raise
        else:
            running.set_result(result)
            self._remember(event_id, result)
            return result
        finally:
            del self._running[event_id]
            del running  # it holds the error, whose traceback holds this frame: a cycle, with the body in it

    def _remember(self, event_id: str, result: T) -> None:
        self._done[event_id] = result
        if len(self._done) > self._capacity:
            self._done.popitem(last=False)
