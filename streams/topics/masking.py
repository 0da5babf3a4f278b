"""Takes personal data out of a record's plain values, by the tag PII of the fields in our schemas. Pure."""

import json
from functools import cache
from typing import Any, Final

from schemas import codec
from schemas.evolution.soundness import TAGS

MASK: Final = "***"
PERSONAL: Final = "PII"
Types = dict[str, Any]


def masked(value: dict[str, Any], record: str) -> dict[str, Any]:
    """The values without phone numbers and without what was said or is known about the callee.

    A field that our schema of the record does not have is masked too: nobody knows what a newer writer puts there.
    """
    return _record(value, _types(record)[record], _types(record))


def hidden(value: Any) -> Any:
    """The value with every text and number in it masked; names and sizes stay."""
    match value:
        case dict():
            return {name: hidden(item) for name, item in value.items()}
        case list():
            return [hidden(item) for item in value]
        case None | bool():
            return value
        case _:
            return MASK


@cache
def _types(record: str) -> Types:
    """Every record type in our schema, by its name without the namespace."""
    found: Types = {}
    _collect(json.loads(codec.schema_text(record)), found)
    return found


def _collect(node: Any, found: Types) -> None:
    if isinstance(node, dict):
        if node.get("type") == "record":
            found[node["name"].rpartition(".")[2]] = {field["name"]: field for field in node["fields"]}
        for item in node.values():
            _collect(item, found)
    elif isinstance(node, list):
        for item in node:
            _collect(item, found)


def _record(value: dict[str, Any], fields: Types, types: Types) -> dict[str, Any]:
    return {
        name: hidden(item)
        if name not in fields or _is_personal(fields[name])
        else _value(item, fields[name]["type"], types)
        for name, item in value.items()
    }


def _is_personal(field: Types) -> bool:
    return PERSONAL in field.get(TAGS, ())


def _value(value: Any, kind: Any, types: Types) -> Any:
    """A value that is not personal itself, without what is personal in it."""
    if isinstance(value, list):
        return [_value(item, _part(kind, "array", "items"), types) for item in value]
    if not isinstance(value, dict):
        return value
    name = _record_name(kind, types)
    if name:
        return _record(value, types[name], types)
    inner = _part(kind, "map", "values")
    return {key: _value(item, inner, types) for key, item in value.items()}


def _branches(kind: Any) -> list[Any]:
    return kind if isinstance(kind, list) else [kind]


def _part(kind: Any, container: str, part: str) -> Any:
    """The type of what an array or a map holds."""
    for branch in _branches(kind):
        if isinstance(branch, dict) and branch.get("type") == container:
            return branch[part]
    return "null"


def _record_name(kind: Any, types: Types) -> str:
    """The name of the record type among the branches; empty when there is none."""
    for branch in _branches(kind):
        named = branch.get("name") if isinstance(branch, dict) else branch
        name = str(named).rpartition(".")[2]
        if name in types:
            return name
    return ""
