"""Realistic traffic to a gateway, at a rate, until it is stopped."""

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import datetime
from random import Random
from typing import Any, Final

from gateway.errors import DeliveryRefusedError
from gateway.sender.client import Sender
from gateway.sender.traffic import Traffic
from gateway.settings import GatewaySettings

MAX_OUTSTANDING: Final = 200  # calls sent and not yet accepted; no more are made meanwhile
FINISH_S: Final = 1.0  # how long calls already sent may take to be accepted after the stop
REPEAT_SHARE: Final = 0.01  # the provider sends some deliveries twice


class Simulation:
    """One run. `accepted`: the call ids that the gateway answered with 200."""

    def __init__(self, settings: GatewaySettings, url: str, random: Random) -> None:
        self.accepted: set[str] = set()
        self.refused: list[str] = []
        self.retries: Counter[str] = Counter()
        self.unfinished = 0
        self._timezone = settings.timezone
        self._sender = Sender(settings, url)
        self._random = random
        self._traffic = Traffic(random)
        self._room = asyncio.Semaphore(MAX_OUTSTANDING)
        self._outstanding: set[asyncio.Task[None]] = set()

    async def run(self, rate: float, count: int | None, stop: asyncio.Event, show: Callable[[str], None]) -> None:
        """Send `count` calls (None: endless) at `rate` a second until `stop`; returns when they are accepted.

        After `stop`, calls that were sent have FINISH_S to be accepted.
        """
        loop = asyncio.get_running_loop()
        due = loop.time()
        made = 0
        while (count is None or made < count) and await _unless_stopped(stop, self._room.acquire()):
            self._send_one()
            made += 1
            if made % max(1, round(rate * 30)) == 0:
                show(self.summary())
            due = max(due + 1 / rate, loop.time() - 1)  # after a jam, catch up at most a second's worth
            await _wait(stop, due - loop.time())
        await self._finish(stop)
        await self._sender.aclose()

    def summary(self) -> str:
        """One line: how many calls are accepted, and how often a call was sent again."""
        again = ", ".join(f"{count} x {reason}" for reason, count in self.retries.most_common()) or "none"
        refused = f", {len(self.refused)} refused for good ({self.refused[0]})" if self.refused else ""
        left = f", {self.unfinished} given up at the stop" if self.unfinished else ""
        return f"accepted {len(self.accepted)} distinct calls (sent again: {again}{refused}{left})"

    def _send_one(self) -> None:
        delivery = self._traffic.delivery(datetime.now(self._timezone))
        times = 2 if self._random.random() < REPEAT_SHARE else 1
        call_id, body = delivery["details"][0]["call_id"], json.dumps(delivery).encode()
        task = asyncio.create_task(self._deliver(call_id, body, times))
        self._outstanding.add(task)
        task.add_done_callback(self._outstanding.discard)

    async def _deliver(self, call_id: str, body: bytes, times: int) -> None:
        try:
            for _ in range(times):
                await self._sender.post_until_accepted(body, lambda reason: self.retries.update([reason]))
                self.accepted.add(call_id)
        except DeliveryRefusedError as error:
            self.refused.append(str(error))
        finally:
            self._room.release()

    async def _finish(self, stop: asyncio.Event) -> None:
        """Wait until every call is accepted; once stopped, no longer than FINISH_S."""
        finishing: asyncio.Future[Any] = asyncio.gather(*self._outstanding)
        if not await _unless_stopped(stop, asyncio.shield(finishing)):
            await asyncio.wait({finishing}, timeout=FINISH_S)
        self.unfinished = len(self._outstanding)
        finishing.cancel()
        await asyncio.gather(finishing, return_exceptions=True)


async def _unless_stopped(stop: asyncio.Event, work: Awaitable[Any]) -> bool:
    """Wait for the work or for the stop; False when the stop came first, and the work is cancelled then."""
    working, stopped = asyncio.ensure_future(work), asyncio.create_task(stop.wait())
    await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    is_stopped = stop.is_set()
    for task in (working, stopped):
        task.cancel()
    await asyncio.gather(working, stopped, return_exceptions=True)
    return not is_stopped


async def _wait(stop: asyncio.Event, delay_s: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(delay_s):
            await stop.wait()
