"""Workers restarted one after the other under load, one added, one removed. By command: tests/faults/rolling.py."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.rolling import roll

PAUSE_S = 120
"""A restarted worker gets its partitions back when it is there again, those of one that is gone after 15 s. The rest is
this machine's: two cores that start three workers, a broker and a registry."""


@pytest.mark.timeout(900)
async def test_three_workers_restarted_in_turn_one_added_and_one_removed_lose_nothing(tmp_path: Path) -> None:
    rolling, report = await roll(tmp_path, 3, 1, lambda line: None)

    assert report.differences == []
    assert report.windows > 0
    assert rolling.exit_codes == [0, 0, 0, 0]
    assert max(rolling.pauses.values()) < PAUSE_S, rolling.pauses
