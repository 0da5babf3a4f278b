"""What may follow a released schema, and what a developer reads when something may not."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from schemas.codec import schema_text
from schemas.evolution.compatibility import faults_between
from schemas.evolution.soundness import faults_of

Schema = dict[str, Any]
CALL: Schema = json.loads(schema_text("Call"))
ENUM = {"type": "enum", "name": "Word", "symbols": ["A", "B"], "default": "A"}
BASE: Schema = {
    "type": "record",
    "name": "Part",
    "namespace": "airudder",
    "fields": [
        {"name": "id", "type": "string"},
        {"name": "at", "type": {"type": "long", "logicalType": "timestamp-millis"}, "default": 0},
        {"name": "note", "type": ["null", "string"], "default": None},
        {"name": "words", "type": {"type": "map", "values": "string"}, "default": {}},
        {"name": "kind", "type": ENUM, "default": "A"},
        {"name": "mark", "type": {"type": "fixed", "name": "Mark", "size": 4}, "default": "abcd"},
        {
            "name": "parts",
            "type": {
                "type": "array",
                "items": {"type": "record", "name": "Inner", "fields": [{"name": "count", "type": "int"}]},
            },
            "default": [],
        },
    ],
}


def changed(change: Callable[[dict[str, Schema], Schema], object]) -> Schema:
    """BASE after a change. change: gets the fields by name, and the record."""
    schema = copy.deepcopy(BASE)
    change({field["name"]: field for field in schema["fields"]}, schema)
    return schema


def inner(fields: dict[str, Schema]) -> Schema:
    found: Schema = fields["parts"]["type"]["items"]
    return found


def drop(schema: Schema, name: str, **attributes: Any) -> None:
    schema["fields"] = [field for field in schema["fields"] if field["name"] != name]
    schema.update(attributes)


ALLOWED: dict[str, Callable[[dict[str, Schema], Schema], object]] = {
    "nothing": lambda f, s: None,
    "a new field with a default": lambda f, s: s["fields"].append({"name": "new", "type": "long", "default": 0}),
    "the same type, spelt longer": lambda f, s: f["id"].update(type={"type": "string"}),
    "another explanation": lambda f, s: f["id"].update(doc="Better."),
    "another tag": lambda f, s: f["id"].update({"confluent:tags": ["PII"]}),
    "another order of fields": lambda f, s: s["fields"].reverse(),
    "a retired field": lambda f, s: drop(s, "note", retired=["note"]),
    "a nested field with a default": lambda f, s: inner(f)["fields"].append({"name": "n", "type": "int", "default": 0}),
}

KEEP = "; keep it as it was, and add a new field with a default instead"
REFUSED: dict[str, tuple[Callable[[dict[str, Schema], Schema], object], str]] = {
    "removed": (
        lambda f, s: drop(s, "note"),
        "Part.note, against version 1: it was removed; put it back; if it is to leave for good, add it to `retired` of "
        "its record",
    ),
    "removed without a default": (
        lambda f, s: drop(s, "id", retired=["id"]),
        "Part.id, against version 1: it was removed, and had no default; put it back: only a new topic (`.v2`) can "
        "drop it",
    ),
    "new without a default": (
        lambda f, s: s["fields"].append({"name": "new", "type": "long"}),
        "Part.new, against version 1: it is new and has no default; give it a default",
    ),
    "micros": (
        lambda f, s: f["at"]["type"].update(logicalType="timestamp-micros"),
        "Part.at, against version 1: its type was long (timestamp-millis) and is long (timestamp-micros)" + KEEP,
    ),
    "no logical type": (
        lambda f, s: f["at"].update(type="long"),
        "Part.at, against version 1: its type was long (timestamp-millis) and is long" + KEEP,
    ),
    "another default": (
        lambda f, s: f["at"].update(default=1),
        "Part.at, against version 1: its default was 0 and is 1; keep the default: old records would change",
    ),
    "a default for what had none": (
        lambda f, s: f["id"].update(default=""),
        "Part.id, against version 1: its default was no default and is ''; keep the default: old records would change",
    ),
    "another order of a union": (
        lambda f, s: f["note"].update(type=["string", "null"]),
        "Part.note, against version 1: its type was [null, string] and is [string, null]" + KEEP,
    ),
    "one more branch": (
        lambda f, s: f["note"].update(type=["null", "string", "long"]),
        "Part.note, against version 1: its type was [null, string] and is [null, string, long]" + KEEP,
    ),
    "other values of a map": (
        lambda f, s: f["words"].update(type={"type": "map", "values": ["null", "string"]}),
        "Part.words, against version 1: its type was string and is [null, string]" + KEEP,
    ),
    "another symbol": (
        lambda f, s: f["kind"].update(type={**ENUM, "symbols": ["A", "B", "C"]}),
        "Part.kind, against version 1: its type was enum airudder.Word ['A', 'B'] and is enum airudder.Word "
        "['A', 'B', 'C']" + KEEP,
    ),
    "another size": (
        lambda f, s: f["mark"]["type"].update(size=5),
        "Part.mark, against version 1: its type was fixed airudder.Mark of 4 and is fixed airudder.Mark of 5" + KEEP,
    ),
    "wider": (
        lambda f, s: inner(f)["fields"][0].update(type="long"),
        "Part.parts.count, against version 1: its type was int and is long" + KEEP,
    ),
    "another name": (
        lambda f, s: inner(f).update(name="Other"),
        "Part.parts, against version 1: the record's name was airudder.Inner and is airudder.Other; keep the name: "
        "only a new topic (`.v2`) can have another",
    ),
    "another namespace": (
        lambda f, s: inner(f).update(namespace="other"),
        "Part.parts, against version 1: the record's name was airudder.Inner and is other.Inner; keep the name: only a "
        "new topic (`.v2`) can have another",
    ),
}


@pytest.mark.parametrize("change", ALLOWED.values(), ids=ALLOWED)
def test_what_changes_no_value_may_follow(change: Callable[[dict[str, Schema], Schema], object]) -> None:
    candidate = changed(change)

    assert faults_of(candidate) == faults_between(BASE, candidate) == []


@pytest.mark.parametrize(("change", "line"), REFUSED.values(), ids=REFUSED)
def test_what_would_change_a_value_is_refused_in_words(
    change: Callable[[dict[str, Schema], Schema], object], line: str
) -> None:
    faults = [fault.line("Part", "version 1") for fault in faults_between(BASE, changed(change))]

    assert line in faults
    assert len(faults) == 1


def test_a_rename_is_a_removal_and_a_new_field() -> None:
    renamed = copy.deepcopy(CALL)
    next(field for field in renamed["fields"] if field["name"] == "sip_line")["name"] = "trunk"

    assert [fault.path for fault in faults_between(CALL, renamed)] == ["sip_line"]


# -- soundness


def record(*fields: Schema, **attributes: Any) -> Schema:
    return {"type": "record", "name": "A", "fields": list(fields), **attributes}


UNSOUND = {
    "a default of the second branch": record({"name": "a", "type": ["null", "string"], "default": "x"}),
    "a default of another type in a map": record(
        {"name": "a", "type": {"type": "map", "values": "int"}, "default": {"x": "y"}}
    ),
    "a default that is no symbol": record({"name": "a", "type": ENUM, "default": "C"}),
    "a default without a needed field": record(
        {"name": "a", "type": record({"name": "x", "type": "int"}, name="B"), "default": {}}
    ),
    "a default over 32 bits": record({"name": "a", "type": "int", "default": 2**40}),
    "a branch twice": record({"name": "a", "type": ["string", {"type": "string"}]}),
    "a union in a union": record({"name": "a", "type": ["null", ["int"]]}),
    "a field twice": record({"name": "a", "type": "int"}, {"name": "a", "type": "int"}),
    "a name with a space": record({"name": "a b", "type": "int"}),
    "an unknown type": record({"name": "a", "type": "nope"}),
    "an alias of a field": record({"name": "a", "type": "int", "aliases": ["b"]}),
    "an alias of a record": record({"name": "a", "type": "int"}, aliases=["B"]),
    "a misspelt attribute": record({"name": "a", "type": "int", "defalut": 1}),
    "a retired field that is there": record({"name": "a", "type": "int"}, retired=["a"]),
    "no schema": 5,
}


@pytest.mark.parametrize("schema", UNSOUND.values(), ids=UNSOUND)
def test_a_schema_that_a_parser_would_refuse_or_misread_is_unsound(schema: Any) -> None:
    faults = faults_of(schema)

    assert len(faults) == 1
    assert all(fault.what and fault.remedy for fault in faults)
