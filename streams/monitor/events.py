"""Events for listeners: the newest of each kind and never a backlog, so a slow listener costs nothing."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Final, Literal

from streams.monitor.errors import TooManyListenersError

Kind = Literal["beat", "lag", "outcomes"]
MAX_LISTENERS: Final = 200


class EventHub:
    """One per process and event loop. An event's id counts all events since the start."""

    def __init__(self) -> None:
        self._newest: dict[Kind, tuple[int, Callable[[], str]]] = {}
        self._sequence = 0
        self._changed = asyncio.Event()
        self.listeners = 0

    def publish(self, kind: Kind, data: Callable[[], str]) -> None:
        """Replace the newest event of this kind and wake the listeners. data: called once, and only for a listener."""
        self._sequence += 1
        self._newest[kind] = (self._sequence, cache(data))
        self._changed.set()
        self._changed = asyncio.Event()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A listener's place while the block lasts. Raises: TooManyListenersError."""
        if self.listeners >= MAX_LISTENERS:
            raise TooManyListenersError(f"{MAX_LISTENERS} clients listen already")
        self.listeners += 1
        try:
            yield
        finally:
            self.listeners -= 1

    async def listen(self) -> AsyncGenerator[tuple[Kind, int, str], None]:
        """(kind, id, data): first the newest of each kind, then each new one; replaced ones are skipped."""
        seen = 0
        while True:
            changed = self._changed
            for kind, (number, data) in sorted(self._newest.items(), key=lambda item: item[1][0]):
                if number > seen:
                    seen = number
                    yield kind, number, data()
            await changed.wait()
