"""Probes go the way of calls and leave no trace in what counts them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.headers import SYNTHETIC
from schemas.topics import (
    CALLBACKS,
    CALLS,
    CALLS_TABLE,
    LATE_CALLS,
    OUTCOMES_BY_SIP_LINE,
    OUTCOMES_BY_WORKFLOW,
    SIP_LINE_OUTCOMES,
    SYNTHETIC_WORKFLOW_ID,
    TABLES,
    WORKFLOW_OUTCOMES,
)
from streams.worker.calls_agent import PROBES_KEPT_MS
from tests.support.agents import NOW_MS, Agents
from tests.support.deliveries import delivery, detail
from tests.support.topics import callback_of

COUNTED = (OUTCOMES_BY_WORKFLOW, OUTCOMES_BY_SIP_LINE, WORKFLOW_OUTCOMES, SIP_LINE_OUTCOMES, LATE_CALLS)
DAY_MS = 86_400_000


@pytest.fixture
async def agents() -> Agents:
    made = Agents(partitions=1)
    await made.start()
    return made


async def tell(agents: Agents, call_id: str, workflow: str, at_ms: int = NOW_MS, **changes: Any) -> None:
    callback = callback_of(delivery(detail(call_id, **changes), workflow=workflow, line="L"), at_ms)
    headers = [SYNTHETIC] if workflow == SYNTHETIC_WORKFLOW_ID else []
    agents.write(CALLBACKS, call_id.encode(), callback, headers=headers, timestamp=at_ms)
    await agents.process_all()


def business(agents: Agents) -> tuple[object, ...]:
    """Every metric but the count of probes and those of the process, and everything that leads to a window."""
    samples = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for family in agents.metrics.registry.collect()
        for sample in family.samples
        if sample.labels.get("outcome") != "probe" and not sample.name.startswith(("process_", "schema_", "messaging_"))
    }
    return samples, {topic: len(reads) for topic, reads in agents.outputs(*COUNTED).items()}


async def test_a_probe_moves_no_metric_and_no_window_whatever_is_odd_about_it(agents: Agents) -> None:
    await tell(agents, "real", "wf")
    before = business(agents)

    await tell(agents, "p1", SYNTHETIC_WORKFLOW_ID)
    await tell(agents, "p1", SYNTHETIC_WORKFLOW_ID)
    await tell(agents, "p2", SYNTHETIC_WORKFLOW_ID, call_end_time="never", call_times=7)

    assert business(agents) == before
    labels = {"stage": "call", "outcome": "probe"}
    assert agents.metrics.registry.get_sample_value("stream_records_total", labels) == 3
    assert [read.key for read in agents.outputs(CALLS)[CALLS.name]] == ["real", "p1", "p2"]


@pytest.mark.parametrize("order", [("__probe__", "wf"), ("wf", "__probe__"), ("wf", "__probe__", "wf")])
async def test_a_probe_with_the_id_of_a_call_changes_nothing_of_the_call(agents: Agents, order: list[str]) -> None:
    alone = Agents(partitions=1)
    await alone.start()
    for number, workflow in enumerate(order):
        await tell(agents, "same", workflow, NOW_MS + number, duration=number + 1)
        if workflow == "wf":
            await tell(alone, "same", workflow, NOW_MS + number, duration=number + 1)

    def windows(of: Agents) -> list[tuple[str, int, int, int]]:
        reads = of.outputs(WORKFLOW_OUTCOMES)[WORKFLOW_OUTCOMES.name]
        return [(one.value.value, one.value.revision, one.value.calls, one.value.duration_s_sum) for one in reads]

    assert windows(agents) == windows(alone)


async def test_the_rows_of_probes_go_after_an_hour_and_those_of_calls_stay(agents: Agents) -> None:
    await tell(agents, "p", SYNTHETIC_WORKFLOW_ID)
    await tell(agents, "real", "wf")
    await tell(agents, "later", SYNTHETIC_WORKFLOW_ID, NOW_MS + PROBES_KEPT_MS + 1)
    await agents.agents[CALLBACKS.name].expire(0, 7 * DAY_MS)

    assert sorted(agents.tables[CALLS_TABLE].rows[0]) == [b"real", b"\xfflater"]
    assert not any(b"\xff" in key for name in TABLES if name != CALLS_TABLE for key in agents.tables[name].rows[0])
