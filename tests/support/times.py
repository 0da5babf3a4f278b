"""Instants as tests need them: now in epoch milliseconds, and the provider's text of one."""

from __future__ import annotations

import time


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def ended(at_ms: int) -> str:
    """The provider's text of an instant."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / 1000))
