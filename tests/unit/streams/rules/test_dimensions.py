"""Each dimension is complete: its topics, its table and its field are those that the others declare."""

from __future__ import annotations

import pytest

from schemas.records.calls import Call
from schemas.records.outcomes import CallOutcome
from schemas.topics import CO_PARTITIONED, TABLES, TOPICS
from streams.rules.dimensions import DIMENSIONS, Dimension


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda dimension: dimension.name)
def test_a_dimension_has_its_topics_its_table_and_its_field(dimension: Dimension) -> None:
    assert dimension.changes in CO_PARTITIONED
    assert dimension.results in TOPICS
    assert dimension.table in TABLES
    assert dimension.changes.key == dimension.key
    assert dimension.results.key.startswith(f"{dimension.key}|")
    assert dimension.key in CallOutcome.__struct_fields__
    assert dimension.key in Call.__struct_fields__


@pytest.mark.parametrize("name", ["name", "key", "changes", "results", "table", "url", "title"])
def test_no_two_dimensions_share_anything(name: str) -> None:
    assert len({getattr(dimension, name) for dimension in DIMENSIONS}) == len(DIMENSIONS)


def test_a_late_call_is_published_by_one_dimension_alone() -> None:
    assert [dimension.has_calls for dimension in DIMENSIONS].count(True) == 1
