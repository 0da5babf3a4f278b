"""Duplicates: marked only after the acknowledgement, shared by twins in flight."""

from __future__ import annotations

import asyncio

import pytest

from gateway.duplicates import Duplicates
from gateway.errors import PublishError


class Delivery:
    """Counts its runs; waits for `go`, then gives its count or raises what it is told to."""

    def __init__(self) -> None:
        self.runs = 0
        self.error: Exception | None = None
        self.go = asyncio.Event()

    async def __call__(self) -> int:
        self.runs += 1
        await self.go.wait()
        if self.error:
            raise self.error
        return self.runs


async def test_a_delivery_seen_before_is_not_run_again() -> None:
    duplicates, deliver = Duplicates[int](), Delivery()
    deliver.go.set()

    assert await duplicates.once("a", deliver) == (1, False)
    assert await duplicates.once("a", deliver) == (1, True)
    assert await duplicates.once("b", deliver) == (2, False)


async def test_fifty_twins_in_flight_run_once_and_share_the_result() -> None:
    duplicates, deliver = Duplicates[int](), Delivery()
    twins = [asyncio.create_task(duplicates.once("a", deliver)) for _ in range(50)]
    await asyncio.sleep(0)
    deliver.go.set()

    results = await asyncio.gather(*twins)

    assert deliver.runs == 1
    assert sorted(results) == [(1, False)] + [(1, True)] * 49


async def test_a_failure_is_shared_by_twins_and_not_remembered() -> None:
    duplicates, deliver = Duplicates[int](), Delivery()
    deliver.error = PublishError("away")
    twins = [asyncio.create_task(duplicates.once("a", deliver)) for _ in range(3)]
    await asyncio.sleep(0)
    deliver.go.set()

    results = await asyncio.gather(*twins, return_exceptions=True)
    deliver.error = None

    assert [type(result) for result in results] == [PublishError] * 3
    assert await duplicates.once("a", deliver) == (2, False)


async def test_a_cancelled_twin_leaves_the_first_alone() -> None:
    duplicates, deliver = Duplicates[int](), Delivery()
    first, twin = (asyncio.create_task(duplicates.once("a", deliver)) for _ in range(2))
    await asyncio.sleep(0)
    twin.cancel()
    deliver.go.set()

    assert await first == (1, False)


async def test_a_cancelled_first_is_not_remembered() -> None:
    duplicates, deliver = Duplicates[int](), Delivery()
    first = asyncio.create_task(duplicates.once("a", deliver))
    await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    deliver.go.set()

    assert await duplicates.once("a", deliver) == (2, False)


async def test_the_oldest_is_forgotten_when_the_memory_is_full() -> None:
    duplicates, deliver = Duplicates[int](capacity=2), Delivery()
    deliver.go.set()
    for event_id in ("a", "b", "a", "c"):  # a is used again, so b is the oldest
        await duplicates.once(event_id, deliver)

    assert (await duplicates.once("a", deliver))[1] is True
    assert (await duplicates.once("b", deliver))[1] is False
