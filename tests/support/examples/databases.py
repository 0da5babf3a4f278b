"""What a database has to hold of a call's topics and of windows: worked out from the topics, whatever their order."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from schemas.errors import SchemaError
from schemas.records.types import TYPES
from schemas.registry import Registry
from schemas.topics import ANSWERS, CALL_ATTEMPTS, CALLS, WORKFLOW_OUTCOMES, Topic
from tests.support.examples.expectation import committed, records_of
from tests.support.examples.stack import Stack

Row = tuple[Any, ...]
Select = Callable[[str], list[Row]]
"""Runs a query; its rows."""

KEPT: tuple[Topic, ...] = (CALLS, ANSWERS, CALL_ATTEMPTS, WORKFLOW_OUTCOMES)
QUERIES: dict[Topic, str] = {
    CALLS: "SELECT call_id, revision, disposition, duration_s FROM calls",
    ANSWERS: "SELECT call_id, position, revision, question_name, state, answer_text FROM answers",
    CALL_ATTEMPTS: "SELECT final_call_id, attempt_number, revision, disposition FROM call_attempts",
    WORKFLOW_OUTCOMES: "SELECT value, revision, calls, answered FROM windows",
}
"""By topic: what is compared. The columns have the names of the record's fields."""


def columns(query: str) -> list[str]:
    """The names that a query of QUERIES selects."""
    return query.partition(" FROM ")[0].removeprefix("SELECT ").split(", ")


def tables_of(example: Path) -> str:
    """The SQL of an example by which it makes its tables."""
    [made] = [
        node.value
        for node in ast.parse(example.read_text()).body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "TABLES"
    ]
    return str(ast.literal_eval(made))


async def assert_as_it_is(stack: Stack, topics: Iterable[Topic], group: str, select: Select, nul: str) -> None:
    """Hold the rows of these topics, read by this group, against all that lies below its committed offsets.

    nul: how the database keeps that character.
    """
    wanted = await _rows_of(stack, topics, group, nul)
    for topic in topics:
        assert wanted[topic], topic.name
        assert _ordered(select(QUERIES[topic])) == wanted[topic], topic.name


async def _rows_of(stack: Stack, topics: Iterable[Topic], group: str, nul: str) -> dict[Topic, list[Row]]:
    """Of one call, over its topics, the highest revision counts; the same of one window."""
    kept = [(topic, key, value) for topic in topics for key, value in await _readable(stack, group, topic)]
    highest: dict[tuple[bool, str], int] = {}
    for topic, key, value in kept:
        of = (topic is WORKFLOW_OUTCOMES, key)
        highest[of] = max(highest.get(of, 0), value.revision)
    rows: dict[Topic, set[Row]] = {topic: set() for topic in topics}
    for topic, key, value in kept:
        if value.revision == highest[topic is WORKFLOW_OUTCOMES, key]:
            row = [getattr(value, name) for name in columns(QUERIES[topic])]
            rows[topic].add(tuple(item.replace("\0", nul) if isinstance(item, str) else item for item in row))
    return {topic: _ordered(found) for topic, found in rows.items()}


def _ordered(rows: Iterable[Row]) -> list[Row]:
    return sorted((tuple(row) for row in rows), key=lambda row: [(item is None, str(item)) for item in row])


async def _readable(stack: Stack, group: str, topic: Topic) -> list[tuple[str, Any]]:
    """Key and record of all that the group has read and could read, probes left out."""
    below, registry, found = await committed(stack.bootstrap, group), Registry(stack.registry_url), []
    try:
        for record in await records_of(stack.bootstrap, topic):
            is_read = record.offset < below.get((record.topic, record.partition), 0)
            if not is_read or "synthetic" in dict(record.headers):
                continue
            try:
                value: Any = await registry.decode(record.value or b"", TYPES[topic.record])
            except SchemaError:
                continue
            found.append((record.key.decode(), value))
    finally:
        await registry.aclose()
    return found
