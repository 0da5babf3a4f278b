"""The short form of the hostile run. The long one: `python -m tests.faults.hostile --seed 1 --callbacks 10000`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults.hostile import attack


@pytest.mark.timeout(300)
async def test_hostile_callbacks_through_the_whole_system_cost_at_most_themselves(tmp_path: Path) -> None:
    outcome = await attack(tmp_path, seed=8, callbacks=200, tell=lambda line: None)

    assert outcome.faults == []
    assert outcome.reasons["too_large"] > 0
    assert outcome.reasons["invalid"] > 0
    assert outcome.reasons["undecodable"] > 0
