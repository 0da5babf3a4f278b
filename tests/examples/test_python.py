"""The examples in Python that print, each in an environment of its own."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, WORKFLOW_OUTCOMES, Topic
from tests.support.examples.environments import Environments
from tests.support.examples.process import check_example
from tests.support.examples.stack import Stack

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "python"


@pytest.mark.parametrize(
    ("example", "client", "topic", "number"),
    [
        ("confluent_consumer.py", "confluent", CALLS, signal.SIGTERM),
        ("confluent_consumer.py", "confluent", ANSWERS, signal.SIGINT),
        ("aiokafka_consumer.py", "aiokafka", ANSWERS, signal.SIGTERM),
        ("aiokafka_consumer.py", "aiokafka", WORKFLOW_OUTCOMES, signal.SIGINT),
        ("faust_app.py", "faust", CALL_ATTEMPTS, signal.SIGTERM),
        ("faust_app.py", "faust", CALLS, signal.SIGINT),
    ],
)
async def test_an_example_prints_each_record_once_at_its_highest_revision_and_goes_on_where_it_ended(
    environments: Environments, stack: Stack, example: str, client: str, topic: Topic, number: signal.Signals
) -> None:
    python = environments.python(EXAMPLES / f"requirements-{client}.txt")
    await check_example(stack, topic, [str(python), example], EXAMPLES, number=number)
