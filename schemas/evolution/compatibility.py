"""Whether a schema may follow a released one: FULL_TRANSITIVE by Avro's rules, and stricter. Pure.

Old readers must read new records, and new readers old ones, with the values as they were meant. Avro's rules allow
changes that keep the bytes readable and make the values wrong: another unit of an instant, another default, another
name. So what is in both schemas must be equal, but for its explanation. That leaves three changes: a new field with a
default, a field that leaves although it had one, and another order of the fields.
"""

from collections.abc import Iterator
from typing import Any, Final

from fastavro.schema import expand_schema

from schemas.evolution.faults import Fault, inner
from schemas.evolution.soundness import EXPLAINING, RETIRED

_KEEP: Final = "keep it as it was, and add a new field with a default instead"
_NEW_TOPIC: Final = "only a new topic (`.v2`) can have another"
_NO_DEFAULT: Final = "no default"


def shape(node: Any) -> Any:
    """A schema without its explanations: what two schemas have in common that differ in words only."""
    if isinstance(node, dict):
        if node.keys() == {"type"}:  # {"type": "string"} is "string"
            return shape(node["type"])
        return {key: shape(value) for key, value in node.items() if key not in EXPLAINING}
    return [shape(item) for item in node] if isinstance(node, list) else node


def faults_between(released: Any, candidate: Any) -> list[Fault]:
    """Why the candidate may not follow a released schema; empty when it may. Both: sound schemas, as decoded JSON."""
    return list(_of_type("", expand_schema(released), expand_schema(candidate)))


def _of_type(path: str, old: Any, new: Any) -> Iterator[Fault]:
    if _kind(old) != _kind(new):
        yield Fault(path, f"its type was {_words(old)} and is {_words(new)}", _KEEP)
    elif isinstance(old, list):
        yield from _of_union(path, old, new)
    elif _kind(old) == "record":
        yield from _of_record(path, old, new)
    elif _kind(old) in ("array", "map"):
        part = "items" if _kind(old) == "array" else "values"
        yield from _of_type(path, old[part], new[part])
    elif shape(old) != shape(new):
        yield Fault(path, f"its type was {_words(old)} and is {_words(new)}", _KEEP)


def _of_union(path: str, old: list[Any], new: list[Any]) -> Iterator[Fault]:
    if [_kind(branch) for branch in old] != [_kind(branch) for branch in new]:
        yield Fault(path, f"its type was {_words(old)} and is {_words(new)}", _KEEP)
        return
    for before, after in zip(old, new, strict=True):
        yield from _of_type(path, before, after)


def _of_record(path: str, old: Any, new: Any) -> Iterator[Fault]:
    if old["name"] != new["name"]:
        yield Fault(path, f"the record's name was {old['name']} and is {new['name']}", f"keep the name: {_NEW_TOPIC}")
    now = {field["name"]: field for field in new["fields"]}
    for field in old["fields"]:
        where = inner(path, field["name"])
        if field["name"] in now:
            yield from _of_field(where, field, now.pop(field["name"]))
        elif "default" not in field:
            yield Fault(
                where, "it was removed, and had no default", "put it back: only a new topic (`.v2`) can drop it"
            )
        elif field["name"] not in new.get(RETIRED, ()):
            yield Fault(
                where, "it was removed", f"put it back; if it is to leave for good, add it to `{RETIRED}` of its record"
            )
    for name, field in now.items():
        if "default" not in field:
            yield Fault(inner(path, name), "it is new and has no default", "give it a default")


def _of_field(path: str, old: Any, new: Any) -> Iterator[Fault]:
    before, after = (_default(field) for field in (old, new))
    if before != after:
        yield Fault(path, f"its default was {before} and is {after}", "keep the default: old records would change")
    yield from _of_type(path, old["type"], new["type"])


def _default(field: Any) -> str:
    return repr(field["default"]) if "default" in field else _NO_DEFAULT


def _kind(node: Any) -> str:
    if isinstance(node, list):
        return "union"
    return _kind(node["type"]) if isinstance(node, dict) else str(node)


def _words(node: Any) -> str:
    """A type in few words."""
    if isinstance(node, list):
        return f"[{', '.join(_words(branch) for branch in node)}]"
    if not isinstance(node, dict):
        return str(node)
    match node["type"]:
        case "array":
            return f"array of {_words(node['items'])}"
        case "map":
            return f"map of {_words(node['values'])}"
        case "enum":
            return f"enum {node['name']} {node['symbols']}"
        case "fixed":
            return f"fixed {node['name']} of {node['size']}"
        case kind:
            named = node.get("logicalType") or node.get("name")
            return f"{_kind(kind)} ({named})" if named else _words(kind)
