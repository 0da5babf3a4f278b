"""The short form of `python -m tests.faults.gateway`: what was acknowledged outlives every kill."""

from __future__ import annotations

from pathlib import Path

from tests.faults.gateway.gateway_kills import kill_gateways
from tests.faults.gateway.spool_kills import kill_spool_writers


async def test_what_the_spool_promised_outlives_its_writers_kills(tmp_path: Path) -> None:
    outcome = await kill_spool_writers(tmp_path, seed=1, kills=60)

    assert outcome.promised > 0
    assert outcome.torn > 0
    assert (outcome.missing, outcome.invented, outcome.damaged) == (0, 0, 0), str(outcome)


async def test_what_the_gateway_acknowledged_outlives_its_kills_and_its_brokers(
    registry_url: str, tmp_path: Path
) -> None:
    outcome = await kill_gateways(tmp_path, registry_url, seed=1, kills=8)

    assert outcome.acknowledged > 0
    assert outcome.cut + outcome.repeats + outcome.answers[503] > 0
    assert outcome.freezes > 0
    assert outcome.broker_kills > 0
    assert (outcome.missing, outcome.invented) == (0, 0), str(outcome)
