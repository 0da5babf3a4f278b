"""A mask leaves no personal value of any record, and leaves all that is not personal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from schemas import codec
from schemas.records.record import Record
from streams.topics.decoding import plain
from streams.topics.masking import MASK, masked
from tests.support.records import EVERY_RECORD

Leaf = tuple[str, Any]


def tagged(node: Any, prefix: str = "") -> Iterator[str]:
    """The dotted paths of the fields that a schema tags as personal."""
    for branch in node if isinstance(node, list) else [node]:
        if isinstance(branch, dict):
            for field in branch.get("fields", ()):
                if "PII" in field.get("confluent:tags", ()):
                    yield prefix + field["name"]
                yield from tagged(field["type"], f"{prefix}{field['name']}.")
            yield from tagged(branch.get("items"), prefix)
            yield from tagged(branch.get("type"), prefix)


def leaves(value: Any, path: str = "") -> Iterator[Leaf]:
    """Every value with the dotted path of its names."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from leaves(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for item in value:
            yield from leaves(item, path)
    else:
        yield path, value


@pytest.mark.parametrize("record", EVERY_RECORD, ids=lambda record: type(record).__name__)
def test_what_is_tagged_is_masked_and_nothing_else(record: Record) -> None:
    name = type(record).__name__
    personal = set(tagged(json.loads(codec.schema_text(name))))
    value = plain(record.to_datum())

    def expected(leaf: Leaf) -> Leaf:
        path, found = leaf
        is_personal = any(path == field or path.startswith(f"{field}.") for field in personal)
        return (path, MASK if is_personal and found is not None and not isinstance(found, bool) else found)

    assert list(leaves(masked(value, name))) == [expected(leaf) for leaf in leaves(value)]


def test_a_field_of_a_newer_writer_is_masked_whatever_it_is() -> None:
    found = masked({"call_id": "c", "mood": {"words": ["glum", 7]}, "is_new": True}, "Call")

    assert found == {"call_id": "c", "mood": {"words": [MASK, MASK]}, "is_new": True}
