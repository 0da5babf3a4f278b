"""The examples in Python, each in an environment of its own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, WORKFLOW_OUTCOMES, Topic
from tests.support.examples.process import check_example
from tests.support.examples.stack import Stack

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples" / "python"


@pytest.mark.parametrize("topic", [CALLS, ANSWERS, CALL_ATTEMPTS, WORKFLOW_OUTCOMES], ids=lambda topic: topic.record)
async def test_confluent(stack: Stack, topic: Topic) -> None:
    await check_example(stack, topic, [sys.executable, "confluent_consumer.py"], EXAMPLES)
