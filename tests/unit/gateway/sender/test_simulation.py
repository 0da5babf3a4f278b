"""Simulated traffic ends when it is told to, whatever the gateway answers."""

from __future__ import annotations

import asyncio
import time
from random import Random

import httpx2
import pytest

from gateway.sender.simulation import FINISH_S, MAX_OUTSTANDING, Simulation
from tests.support.requests import settings
from tests.support.waiting import PATIENCE_S, wait_until

ENDS_S = FINISH_S + 2
REFUSES = httpx2.Response(503, headers={"retry-after": "1"})


class Gateway:
    """Answers every POST alike: with a response, or never."""

    def __init__(self, response: httpx2.Response | None) -> None:
        self.asked = 0
        self._response = response

    async def __call__(self, _: httpx2.Request) -> httpx2.Response:
        self.asked += 1
        if self._response is None:
            await asyncio.Event().wait()
        assert self._response
        return self._response

    def simulation(self) -> Simulation:
        simulation = Simulation(settings(), "http://gateway/hook", Random(1))
        simulation._sender._client = httpx2.AsyncClient(transport=httpx2.MockTransport(self))
        return simulation


@pytest.mark.parametrize("response", [REFUSES, None], ids=["refuses", "never answers"])
async def test_it_ends_at_once_also_when_every_place_waits_for_its_acceptance(response: httpx2.Response | None) -> None:
    gateway, stop = Gateway(response), asyncio.Event()
    simulation = gateway.simulation()
    running = asyncio.create_task(simulation.run(10_000, None, stop, print))
    await wait_until(
        lambda: gateway.asked >= MAX_OUTSTANDING and simulation._room.locked(), PATIENCE_S, "all places taken"
    )

    stop.set()
    stopped_at = time.monotonic()
    await asyncio.wait_for(running, ENDS_S)

    assert time.monotonic() - stopped_at < ENDS_S
    assert f"{MAX_OUTSTANDING} given up at the stop" in simulation.summary()


async def test_a_stop_while_the_last_of_a_count_are_sent_again_ends_it_too() -> None:
    gateway, stop = Gateway(REFUSES), asyncio.Event()
    simulation = gateway.simulation()
    running = asyncio.create_task(simulation.run(1000, 3, stop, print))
    await wait_until(lambda: simulation.retries.total() >= 3, PATIENCE_S, "three refusals")

    stop.set()

    await asyncio.wait_for(running, ENDS_S)
    assert "3 given up at the stop" in simulation.summary()


async def test_without_a_stop_every_call_is_accepted() -> None:
    gateway = Gateway(httpx2.Response(200, json={}))
    simulation = gateway.simulation()

    await asyncio.wait_for(simulation.run(1000, 20, asyncio.Event(), print), 20)

    assert len(simulation.accepted) == 20
    assert simulation.unfinished == 0
