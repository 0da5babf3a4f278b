"""Wait for a condition, never for a time: poll until it holds or a deadline passes."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.05
# The deadline of a wait that no promise bounds: far more than a busy machine needs, so only a fault reaches it.
PATIENCE_S = 30.0


async def wait_until(predicate: Callable[[], object | Awaitable[object]], deadline_s: float, what: str) -> object:
    """The first true value that `predicate`, plain or async, returns.

    Raises: AssertionError that names `what` when `deadline_s` seconds pass first.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        value = predicate()
        if inspect.isawaitable(value):
            value = await value
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        await asyncio.sleep(POLL_S)


def wait_until_true(predicate: Callable[[], object], deadline_s: float, what: str) -> object:
    """`wait_until` for tests without an event loop; `predicate` is a plain function."""
    deadline = time.monotonic() + deadline_s
    while not (value := predicate()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {deadline_s} s: {what}")
        time.sleep(POLL_S)
    return value
