"""Schemas of strangers: what a few bytes of them could do to a reader."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.codec import parse, schema_text
from schemas.topics import TOPICS
from schemas.writers import UnboundedSchemaError

LINK = {"type": "record", "name": "Link", "fields": [{"name": "next", "type": ["null", "Link"]}]}
NOTHING = {"type": "record", "name": "Nothing", "fields": [{"name": "a", "type": "null"}]}
NO_BYTES = {"type": "fixed", "name": "NoBytes", "size": 0}


def holding(*types: Any) -> str:
    fields = [{"name": f"f{number}", "type": kind} for number, kind in enumerate(types)]
    return json.dumps({"type": "record", "name": "airudder.Callback", "namespace": "n", "fields": fields})


def doubled(times: int) -> Any:
    """A record of 2**times records, each of which takes no byte."""
    kind: Any = NOTHING
    for number in range(times):
        name = kind["name"]
        kind = {
            "type": "record",
            "name": f"Two{number}",
            "fields": [{"name": "a", "type": kind}, {"name": "b", "type": name}],
        }
    return kind


@pytest.mark.parametrize(
    ("why", "kind"),
    [
        ("a record that holds itself: C's recursion ends the process", LINK),
        ("by way of an array", {**LINK, "fields": [{"name": "next", "type": {"type": "array", "items": "Link"}}]}),
        ("by way of a map", {**LINK, "fields": [{"name": "next", "type": {"type": "map", "values": "Link"}}]}),
        ("an array of nulls: 2**62 of them are nine bytes", {"type": "array", "items": "null"}),
        ("an array of empty records", {"type": "array", "items": NOTHING}),
        ("an array of fixed of no bytes", {"type": "array", "items": NO_BYTES}),
        ("2**40 empty records in no byte", doubled(40)),
    ],
)
def test_a_schema_that_bytes_do_not_bound_is_refused(why: str, kind: Any) -> None:
    with pytest.raises(UnboundedSchemaError):
        parse(holding("string", kind))


def test_a_schema_of_another_release_is_not() -> None:
    twice = {"type": "record", "name": "Pair", "fields": [{"name": "a", "type": "int"}]}

    parse(
        holding(
            twice, "Pair", {"type": "map", "values": "null"}, {"type": "array", "items": "Pair"}, ["null", NO_BYTES]
        )
    )
    for topic in TOPICS:
        parse(schema_text(topic.record))
