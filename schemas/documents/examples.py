"""The example record of each topic: what the system made of the provider's example."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from schemas.topics import Topic


def example_of(topic: Topic) -> dict[str, Any]:
    """`{"key", "headers", "value"}`; bytes are base64, instants epoch ms.

    Raises: FileNotFoundError or KeyError for a topic without one. `python -m tests.support.example_records.write`
    makes it.
    """
    example: dict[str, Any] = _examples(topic.record)[topic.name]
    return example


@cache
def _examples(record: str) -> dict[str, Any]:
    text = files("schemas").joinpath(f"examples/records/{record}.json").read_text(encoding="utf-8")
    topics: dict[str, Any] = json.loads(text)
    return topics
