"""A restart goes on where the process before ended, also when the disk comes late."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from streams.monitor.history.history import History
from streams.monitor.history.memory import LOSSES, VERDICT, Memory, VerdictKey
from streams.monitor.lag.losses import Losses
from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.settings import MonitorSettings

AT_MS = 1_800_000_000_000
KEY = VerdictKey("g", "t", 0)
LEFT = {"counts": [["g", "t", 40, AT_MS]], "accounted": []}
STOPPED = GroupLag("g", "Stable", 1, (PartitionLag("t", 0, 1, 0, 5, 4, 9.0, "stop"),), {})


@pytest.fixture
def before(tmp_path: Path) -> History:
    """The process before, which has the directory still."""
    history = History(tmp_path)
    history.note(VERDICT, KEY.subject, AT_MS, "stop")
    history.keep(LOSSES, LEFT)
    history.write()
    return history


def memory_of(directory: Path) -> tuple[Memory, Losses]:
    losses = Losses()
    return Memory(MonitorSettings(data_dir=directory), losses), losses


def poll(memory: Memory, after_s: int) -> None:
    memory.add(LagSnapshot(AT_MS + after_s * 1000, (STOPPED,), {}, {}, {}))


async def test_a_disk_that_opens_late_loses_nothing_that_was_kept(tmp_path: Path, before: History) -> None:
    memory, losses = memory_of(tmp_path)
    await memory.open()
    losses.counts["g", "t"] = 0
    poll(memory, 60)
    assert memory.verdicts.since_ms(KEY) == AT_MS + 60_000

    before.close()
    await asyncio.to_thread(memory.history.write)
    poll(memory, 62)
    assert losses.counts["g", "t"] == 40
    assert memory.verdicts.since_ms(KEY) == AT_MS
    await memory.history.aclose()

    after, losses = memory_of(tmp_path)
    await after.open()
    poll(after, 90)
    assert losses.counts["g", "t"] == 40
    assert after.verdicts.since_ms(KEY) == AT_MS
    await after.history.aclose()
