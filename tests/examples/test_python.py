"""The examples in Python that print, each in an environment of its own."""

from __future__ import annotations

import asyncio
import shutil
import signal
import uuid
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, WORKFLOW_OUTCOMES, Topic
from tests.support.examples.environments import Environments
from tests.support.examples.expectation import committed, expected
from tests.support.examples.process import check_example, start_example
from tests.support.examples.stack import Stack
from tests.support.waiting import wait_until

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "python"
PRINTING = {"confluent_consumer.py": "confluent", "aiokafka_consumer.py": "aiokafka", "faust_app.py": "faust"}
CLOSED_PORT = "http://127.0.0.1:9"
ENDS_S = 60.0


@pytest.fixture(params=PRINTING)
def command(request: pytest.FixtureRequest, environments: Environments, tmp_path: Path) -> list[str]:
    """How a copy in `tmp_path` is started."""
    name: str = request.param
    shutil.copy(EXAMPLES / name, tmp_path)
    return [str(environments.python(EXAMPLES / f"requirements-{PRINTING[name]}.txt")), name]


@pytest.mark.parametrize(
    ("number", "topics"),
    [(signal.SIGTERM, (CALLS, ANSWERS)), (signal.SIGINT, (CALL_ATTEMPTS, WORKFLOW_OUTCOMES))],
    ids=["SIGTERM", "SIGINT"],
)
async def test_it_prints_each_record_once_at_its_highest_revision_and_goes_on_where_a_signal_ended_it(
    stack: Stack, command: list[str], tmp_path: Path, number: int, topics: tuple[Topic, ...]
) -> None:
    async with asyncio.TaskGroup() as group:
        for topic in topics:
            group.create_task(check_example(stack, topic, command, tmp_path, number=number))


async def test_it_passes_over_no_record_while_the_registry_is_away(
    stack: Stack, command: list[str], tmp_path: Path
) -> None:
    group = f"example-{uuid.uuid4().hex[:8]}"
    environ = {**stack.environ, "TOPIC": CALLS.name, "GROUP": group, "SCHEMA_REGISTRY_URL": CLOSED_PORT}
    example = start_example(command, tmp_path, environ)
    try:
        await wait_until(lambda: "refused" in example.said(), ENDS_S, "a word about the registry")
    finally:
        example.stop()
    passed = await expected(stack.bootstrap, stack.registry_url, CALLS, await committed(stack.bootstrap, group))
    assert not passed.lines, example.said()
