"""The short form of `python -m tests.property.fuzz`."""

from __future__ import annotations

import structlog

from tests.property.fuzz import make_input, run

INPUTS = 1500


async def test_every_input_gets_its_documented_answer_and_no_memory_is_kept() -> None:
    with structlog.testing.capture_logs() as logs:
        report = await run(seed=20240311, inputs=INPUTS)
        logs.clear()

    assert report.wrong == []
    assert report.is_good
    assert {200, 401, 404, 405, 413, 415, 422} == {int(answer.split()[-1]) for answer in report.answers}
    assert sum(report.answers.values()) == INPUTS


def test_an_input_follows_from_seed_and_number_whatever_was_made_before() -> None:
    first = [make_input(1, number) for number in range(INPUTS)]

    assert [make_input(1, number) for number in range(INPUTS)] == first
    assert [make_input(2, number) for number in range(INPUTS)] != first
