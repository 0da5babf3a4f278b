"""What counting a call costs: one write of one pane, however long the windows are that are read from the panes."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import faust
import pytest

from schemas.records.outcomes import OutcomeChange
from schemas.topics import WORKFLOW_OUTCOMES
from streams.rules.windows import WindowSettings
from tests.benchmarks.windows import WindowsBench
from tests.support.records import ENDED_AT, change, outcome

MINUTE_MS = 60_000
HOUR_S = 3600
CHANGELOG = "bench-workflow-windows-changelog"

Rows = Mapping[bytes, bytes | None]


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[WindowsBench]:
    """Panes of a minute: what a window of an hour by steps of a minute is read from."""
    bench = WindowsBench(tmp_path, WindowSettings(MINUTE_MS, HOUR_S * 1000))
    await bench.open()
    yield bench
    await bench.close()


@pytest.fixture
def writes(bench: WindowsBench, monkeypatch: pytest.MonkeyPatch) -> list[Rows]:
    """Every batch that reaches the store."""
    found: list[Rows] = []
    write = bench.table.store.write

    def noting(partition: int, rows: Rows) -> None:
        found.append(rows)
        write(partition, rows)

    monkeypatch.setattr(bench.table.store, "write", noting)
    return found


def call(number: int, ended_at: int = ENDED_AT) -> tuple[str, OutcomeChange]:
    return "wf-1", change(call_id=f"c{number}", received_at=ended_at, added=outcome(ended_at=ended_at))


def panes(rows: Rows) -> list[bytes]:
    return [key for key in rows if key.startswith(b"p")]


def test_a_hopping_window_of_faust_writes_sixty_rows_for_each_call() -> None:
    assert len(faust.HoppingWindow(HOUR_S, 60, 2 * HOUR_S).ranges(ENDED_AT / 1000)) == 60


async def test_a_call_costs_one_write_with_one_pane_and_its_workflows_clock(
    bench: WindowsBench, writes: list[Rows]
) -> None:
    for number in range(10):
        await bench.take([call(number, ENDED_AT + number * MINUTE_MS)])

    assert [(len(rows), len(panes(rows))) for rows in writes] == [(2, 1)] * 10
    assert bench.producer.records == {CHANGELOG: 20, WORKFLOW_OUTCOMES.name: 10}


async def test_calls_of_a_run_that_share_a_pane_share_its_write(bench: WindowsBench, writes: list[Rows]) -> None:
    await bench.take([call(number) for number in range(500)])

    assert [(len(rows), len(panes(rows))) for rows in writes] == [(2, 1)]
    assert bench.producer.records == {CHANGELOG: 2, WORKFLOW_OUTCOMES.name: 1}
