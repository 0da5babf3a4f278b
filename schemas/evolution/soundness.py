"""Whether a schema by itself is one that every Avro parser accepts, with nothing in it that we do not use. Pure.

Parsers differ: Java's refuses a default that does not fit its field, Python's do not. All accept a misspelt attribute,
which then does nothing. So each attribute, name and default is checked here.
"""

import re
from collections.abc import Iterator
from types import NoneType
from typing import Any, Final

import fastavro
from fastavro.schema import expand_schema

from schemas.evolution.faults import Fault, inner

TAGS: Final = "confluent:tags"
RETIRED: Final = "retired"
EXPLAINING: Final = frozenset({"doc", TAGS})  # attributes that change no byte and no value
ADD_NO_ALIAS: Final = "remove it: clients differ in what they do with aliases"

_NAME: Final = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*", re.ASCII)
_NAMED: Final = {"type", "name", "namespace", "doc"}
_ATTRIBUTES: Final = {
    "field": {"name", "type", "default", *EXPLAINING},
    "record": {*_NAMED, "fields", RETIRED},
    "enum": {*_NAMED, "symbols", "default"},
    "fixed": {*_NAMED, "size"},
    "array": {"type", "items"},
    "map": {"type", "values"},
}
_SIMPLE: Final = {"type", "logicalType"}
_INTEGERS: Final = {"int": 2**31, "long": 2**63}
_PYTHON: Final = {
    "null": (NoneType,),
    "boolean": (bool,),
    "float": (int, float),
    "double": (int, float),
    "string": (str,),
}
_NO_DEFAULT: Final = object()


def faults_of(schema: Any) -> list[Fault]:
    """What is wrong with a schema. schema: its JSON, decoded."""
    try:
        fastavro.parse_schema(schema)
        expanded = expand_schema(schema)
    except Exception as error:  # fastavro raises KeyError, TypeError, ... for what is no schema
        return [Fault("", f"it is no Avro schema ({type(error).__name__}: {error})", "correct it")]
    return list(_of_type("", expanded))


def _of_type(path: str, node: Any) -> Iterator[Fault]:
    if isinstance(node, list):
        kinds = [_branch(branch) for branch in node]
        if len(set(kinds)) < len(kinds) or "union" in kinds:
            yield Fault(path, f"its union {kinds} has a branch twice, or a union inside", "correct it")
        for branch in node:
            yield from _of_type(path, branch)
    elif isinstance(node, dict):
        kind = node["type"]
        yield from _attributes(path, node, _ATTRIBUTES.get(str(kind), _SIMPLE))
        yield from _name(path, node)
        if kind == "record":
            yield from _of_fields(path, node)
        elif kind in ("array", "map"):
            yield from _of_type(path, node["items" if kind == "array" else "values"])


def _of_fields(path: str, record: Any) -> Iterator[Fault]:
    seen: set[str] = set()
    for field in record["fields"]:
        where = inner(path, field["name"])
        if field["name"] in seen:
            yield Fault(where, "its record has two fields of this name", "remove one")
        seen.add(field["name"])
        yield from _attributes(where, field, _ATTRIBUTES["field"])
        yield from _name(where, field)
        yield from _of_type(where, field["type"])
        default = field.get("default", _NO_DEFAULT)
        if default is not _NO_DEFAULT and not _fits(default, field["type"]):
            yield Fault(where, "its default does not fit its type", "correct it; of a union the first branch counts")
    if gone := seen.intersection(record.get(RETIRED, ())):
        yield Fault(path, f"`{RETIRED}` names fields that are there: {', '.join(sorted(gone))}", "remove them there")


def _attributes(path: str, node: Any, known: set[str]) -> Iterator[Fault]:
    for name in sorted(node.keys() - known):
        remedy = ADD_NO_ALIAS if name == "aliases" else f"remove it, or spell it as one of {', '.join(sorted(known))}"
        yield Fault(path, f"it has an attribute `{name}`", remedy)


def _name(path: str, node: Any) -> Iterator[Fault]:
    for name in (node.get("name"), node.get("namespace"), *node.get("symbols", ())):
        if name is not None and not _NAME.fullmatch(name):
            yield Fault(path, f"{name!r} is no Avro name", "use letters, digits and _")


def _branch(node: Any) -> str:
    """What must differ between two branches of a union: the type, or the name of a named one."""
    if isinstance(node, list):
        return "union"
    return str(node.get("name", node["type"]) if isinstance(node, dict) else node)


def _fits(value: Any, node: Any) -> bool:
    """Whether a default, in JSON, is a value of the type. A default of bytes is text, one character a byte."""
    if isinstance(node, list):
        return bool(node) and _fits(value, node[0])
    kind = node["type"] if isinstance(node, dict) else node
    match kind:
        case "int" | "long":
            return type(value) is int and -_INTEGERS[kind] <= value < _INTEGERS[kind]
        case "bytes":
            return isinstance(value, str) and value.isascii()
        case "fixed":
            return isinstance(value, str) and value.isascii() and len(value) == node["size"]
        case "enum":
            return value in node["symbols"]
        case "array":
            return isinstance(value, list) and all(_fits(item, node["items"]) for item in value)
        case "map":
            return isinstance(value, dict) and all(_fits(item, node["values"]) for item in value.values())
        case "record":
            return isinstance(value, dict) and all(
                _fits(value.get(one["name"], one.get("default", _NO_DEFAULT)), one["type"]) for one in node["fields"]
            )
    return type(value) in _PYTHON.get(str(kind), ())
