"""The provider: callbacks without a pause, to one gateway or through a balancer to several, until each is accepted."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from typing import Self

import httpx2

from schemas.signatures.keys import Key
from tests.support.deliveries import to_body, with_detail
from tests.support.processes.gateway import GatewayProcess
from tests.support.requests import KEY, WEBHOOK, signed
from tests.support.waiting import wait_until

SENDERS = 12
CHECK_EVERY_S = 0.1  # far below GATEWAY_DRAIN_DELAY_S, as a balancer's has to be, also on a machine that is busy


class SteadyLoad:
    """`accepted`: event ids answered 200; `answers`: by status; `broken`: connections that ended without an answer.

    A callback that got no 200 is sent again, on another connection, until it does. `key` signs what is sent from now
    on. Use as a context manager.
    """

    def __init__(self, gateways: Sequence[GatewayProcess], name: str, key: Key = KEY) -> None:
        self.key = key
        self.accepted: set[str] = set()
        self.answers: Counter[int] = Counter()
        self.broken: list[str] = []
        self._gateways = gateways
        self._ready: list[GatewayProcess] = list(gateways)
        self._name = name
        self._made = 0
        self._sent_at: dict[str, float] = {}
        self._is_over = False
        self._tasks: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._check_on())]
        self._tasks += [asyncio.create_task(self._send_on()) for _ in range(SENDERS)]
        return self

    async def __aexit__(self, *error: object) -> None:
        self._is_over = True
        await asyncio.gather(*self._tasks)

    async def go_on(self, count: int) -> None:
        """Until so many more are accepted."""
        goal = len(self.accepted) + count
        await wait_until(lambda: len(self.accepted) >= goal, 60, f"{count} more accepted")

    def oldest_s(self) -> float:
        """For how long the oldest request has had no answer."""
        return time.monotonic() - min(self._sent_at.values(), default=time.monotonic())

    async def _check_on(self) -> None:
        async with httpx2.AsyncClient(timeout=5, trust_env=False) as http:
            while not self._is_over:
                self._ready = [gateway for gateway in self._gateways if await _is_ready(http, gateway)]
                await asyncio.sleep(CHECK_EVERY_S)

    async def _send_on(self) -> None:
        """One sender: keeps its connections as long as they hold."""
        async with httpx2.AsyncClient(timeout=30, trust_env=False) as http:
            while not self._is_over:
                self._made += 1
                await self._send(http, to_body(with_detail(call_id=f"{self._name}-{self._made}")))

    async def _send(self, http: httpx2.AsyncClient, body: bytes) -> None:
        event_id = sha256(body).hexdigest()
        while event_id not in self.accepted:
            ready = self._ready or self._gateways
            gateway = ready[self._made % len(ready)]
            self._sent_at[event_id] = time.monotonic()
            try:
                answer = await http.post(gateway.url + WEBHOOK, content=body, headers=signed(body, key=self.key))
            except httpx2.TransportError as error:
                self.broken.append(type(error).__name__)
                continue
            finally:
                del self._sent_at[event_id]
            self.answers[answer.status_code] += 1
            if answer.status_code == httpx2.codes.OK:
                self.accepted.add(event_id)


async def _is_ready(http: httpx2.AsyncClient, gateway: GatewayProcess) -> bool:
    try:
        return (await http.get(gateway.ops_url + "/readyz")).status_code == httpx2.codes.OK
    except httpx2.TransportError:
        return False
