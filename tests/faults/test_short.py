"""The short form of the fault runs. The long one: `python -m tests.faults --seed 1 --faults 100 --seeds 3`."""

from __future__ import annotations

from pathlib import Path

import pytest

from schemas.topics import SIP_LINE_OUTCOMES, WORKFLOW_OUTCOMES
from tests.faults.chaos import Chaos, run_chaos
from tests.support.processes.system import faulty_system
from tests.support.traffic import ContractTraffic
from tests.support.waiting import wait_until

CLOSED_S = 180


@pytest.mark.timeout(900)
async def test_whatever_breaks_nothing_is_missing_nothing_miscounted_and_repeats_are_equal(tmp_path: Path) -> None:
    outcome = await run_chaos(tmp_path, seed=1, faults=11, per_fault=200, tell=lambda line: None)

    assert outcome.report.differences == []
    assert outcome.repeats > 0, "no fault made the workers send anything again: they struck nothing"
    assert outcome.report.revised > 0
    assert outcome.report.records["airudder.dead-letters.v1"] > 0


@pytest.mark.timeout(600)
async def test_windows_that_close_while_workers_fall_close_once_and_each_call_is_counted_or_late(
    tmp_path: Path,
) -> None:
    settings = {"STREAMS_WINDOW_S": "10", "STREAMS_GRACE_S": "15"}
    async with faulty_system(tmp_path, settings) as faulty:
        chaos = Chaos(faulty, 1, lambda line: None, ContractTraffic(1, oldest_ms=8_000, is_plain=True), per_fault=200)
        await chaos.run_these(["kill worker", "add worker", "kill worker", "remove worker", "restart worker"])

        async def all_are_final() -> bool:
            topics = [await faulty.system.subscriber.read(topic) for topic in (WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES)]
            final = {(read.topic, read.key): read.value.is_final for reads in topics for read in reads if read.value}
            return all(final.values())

        await wait_until(all_are_final, CLOSED_S, "every window is final")
        report = await faulty.compare(window_ms=10_000, allow_late=True)

    assert report.differences == []
    assert report.finals == report.windows > 0
