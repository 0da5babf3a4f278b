"""The axes along which the worker's cost is measured."""

from __future__ import annotations

from collections import Counter

import pytest

from schemas.topics import TOPICS, WORKFLOW_OUTCOMES
from tests.benchmarks.peers.job import Job
from tests.benchmarks.peers.work import SchemaIds
from tests.benchmarks.scaling import POINTS, Point

IDS = SchemaIds({topic.name: number for number, topic in enumerate(TOPICS, 1)})


def test_only_one_thing_moves_along_an_axis() -> None:
    for axis in ("answers", "partitions", "workers", "keys"):
        points = [point for point in POINTS if point.axis == axis]
        fixed = {"answers", "partitions", "workers", "workflows", "spread_s"}
        moving = {name for name in fixed if len({getattr(point, name) for point in points}) > 1}
        assert moving == {"workflows" if axis == "keys" else axis}


@pytest.mark.parametrize("workflows", [10, 300])
def test_every_window_key_has_a_call_and_one_window(workflows: int) -> None:
    point = Point("keys", workflows, answers=0, workflows=workflows, spread_s=0)
    warm_up = 20
    callbacks = point.callbacks(50, warm_up)

    job = Job.make(callbacks + warm_up, 0, IDS, workflows=point.workflows, spread_s=point.spread_s)

    windows = job.expected(callbacks + warm_up).windows[WORKFLOW_OUTCOMES.name]
    assert len(windows) == workflows
    assert Counter(key.split("|")[1] for key in windows).total() == workflows


def test_a_callback_gives_as_many_records_as_the_table_says() -> None:
    for answers in (0, 1, 50):
        job = Job.make(1, answers, IDS)
        assert len(job.expected(1).outputs) == Point("answers", answers, answers=answers).records
