"""Windows take memory by how many are open, not by how often they change. The long form: tests/benchmarks/memory.py."""

from __future__ import annotations

from pathlib import Path

from streams.rules.windows import WindowSettings
from tests.benchmarks.memory import measure

KEYS = 100
PER_S = 50
"""So every key is met in nearly every window of 10 s, and windows close 20 s after their end."""


async def test_memory_stays_though_updates_go_on(tmp_path: Path) -> None:
    course = await measure(tmp_path, 8_000, KEYS, PER_S, WindowSettings(10_000, 20_000), whole=True)

    assert max(course.windows) <= 5 * KEYS, "windows close as time goes on"
    assert min(course.windows[len(course.windows) // 3 :]) >= KEYS
    assert course.growth() < 8, course.rss
