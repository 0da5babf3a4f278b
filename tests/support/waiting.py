"""Wait for a condition, never for a time: poll until it holds or a deadline passes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.05


async def wait_until(predicate: Callable[[], object | Awaitable[object]], deadline_s: float, what: str) -> object:
    """The first true value that `predicate`, plain or async, gives.

    Raises: AssertionError naming `what` was awaited when `deadline_s` seconds pass first.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {deadline_s} s in vain: {what}")
        await asyncio.sleep(POLL_S)


def wait_until_true(predicate: Callable[[], object], deadline_s: float, what: str) -> object:
    """`wait_until` for tests without an event loop; `predicate` is a plain function."""
    deadline = time.monotonic() + deadline_s
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {deadline_s} s in vain: {what}")
        time.sleep(POLL_S)
    return value
