"""Changes of a schema as developers make them, allowed and not: drawn from a seed, so that every run tries the same."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, Final

Schema = dict[str, Any]
Mutate = Callable[[Random, Schema], None]  # changes one record of a schema in place

TYPES: Final[tuple[Any, ...]] = (
    "string", "bytes", "boolean", "int", "long", "float", "double",
    {"type": "long", "logicalType": "timestamp-millis"}, {"type": "long", "logicalType": "timestamp-micros"},
    {"type": "array", "items": "string"}, {"type": "map", "values": "long"}, ["null", "string"], ["string", "null"],
    {"type": "enum", "name": "Drawn", "symbols": ["A", "B"]}, {"type": "fixed", "name": "Sized", "size": 2},
    {"type": "record", "name": "Deep", "fields": [{"name": "x", "type": "int"}]},
    {"type": "record", "name": "Shallow", "fields": [{"name": "x", "type": "int", "default": 1}]},
)  # fmt: skip
DEFAULTS: Final[tuple[Any, ...]] = ("", "A", "xy", None, 0, 1, 2**40, 0.5, True, [], ["a"], {}, {"a": 1}, {"x": 1})
LOGICAL: Final = ("timestamp-millis", "timestamp-micros", "time-millis", "date", "uuid", "local-timestamp-millis")


def mutations(schemas: dict[str, Schema], count: int, seed: int) -> Iterator[tuple[str, str, Schema]]:
    """Record, what was changed, and the changed schema. Most have one change, some two."""
    draw = Random(seed)
    operators = list(OPERATORS)
    for number in range(count):
        record = draw.choice(sorted(schemas))
        names = [operators[number % len(operators)], *draw.choices(operators, k=draw.choice((0, 0, 1)))]
        mutant = copy.deepcopy(schemas[record])
        for name in names:
            OPERATORS[name](draw, draw.choice(list(records_in(mutant))))
        yield record, " + ".join(names), mutant


def records_in(node: Any) -> Iterator[Schema]:
    """Every record defined in a schema."""
    if isinstance(node, list):
        for branch in node:
            yield from records_in(branch)
    elif isinstance(node, dict):
        if node.get("type") == "record":
            yield node
            for field in node["fields"]:
                yield from records_in(field["type"])
        else:
            yield from (one for key in ("type", "items", "values") for one in records_in(node.get(key)))


def _field(draw: Random, record: Schema) -> Schema:
    found: Schema = draw.choice(record["fields"])
    return found


def _add(draw: Random, record: Schema, **attributes: Any) -> None:
    added = {"name": f"added_{draw.randrange(10**6)}", "type": copy.deepcopy(draw.choice(TYPES)), **attributes}
    record["fields"].insert(draw.randrange(len(record["fields"]) + 1), added)


def _remove(draw: Random, record: Schema) -> None:
    record["fields"].remove(_field(draw, record))


def _retire(draw: Random, record: Schema) -> None:
    field = _field(draw, record)
    record["fields"].remove(field)
    record.setdefault("retired", []).append(field["name"])


def _rename(draw: Random, record: Schema, *, with_alias: bool) -> None:
    field = _field(draw, record)
    if with_alias:
        field["aliases"] = [field["name"]]
    field["name"] += "_renamed"


def _retype(draw: Random, record: Schema) -> None:
    _field(draw, record)["type"] = copy.deepcopy(draw.choice(TYPES))


def _logical(draw: Random, record: Schema) -> None:
    """Another logical type on a whole number, or on whatever comes if the record has none."""
    field = next((one for one in record["fields"] if "long" in str(one["type"])), _field(draw, record))
    plain = field["type"]["type"] if isinstance(field["type"], dict) and "logicalType" in field["type"] else "long"
    field["type"] = draw.choice((plain, {"type": plain, "logicalType": draw.choice(LOGICAL)}))


def _default(draw: Random, record: Schema) -> None:
    _field(draw, record)["default"] = draw.choice(DEFAULTS)


def _nullable(draw: Random, record: Schema) -> None:
    field = _field(draw, record)
    is_union = isinstance(field["type"], list)
    field["type"] = field["type"][-1] if is_union else ["null", field["type"]]
    if draw.random() < 0.5:
        field["default"] = None


def _branches(draw: Random, record: Schema) -> None:
    unions = [field for field in record["fields"] if isinstance(field["type"], list)]
    if unions:
        union = draw.choice(unions)["type"]
        draw.choice((union.reverse, lambda: union.append("boolean"), lambda: union.insert(0, "int")))()


def _inside(draw: Random, record: Schema) -> None:
    """Other items of an array or values of a map."""
    of_parts = [f["type"] for f in record["fields"] if isinstance(f["type"], dict) and f["type"].keys() & _PARTS]
    if of_parts:
        node = draw.choice(of_parts)
        node[next(iter(node.keys() & _PARTS))] = copy.deepcopy(draw.choice(TYPES))


_PARTS: Final = {"items", "values"}

OPERATORS: Final[dict[str, Mutate]] = {
    "a new field": lambda d, r: _add(d, r),
    "a new field with a default": lambda d, r: _add(d, r, default=d.choice(DEFAULTS)),
    "a new optional field": lambda d, r: _add(d, r, type=["null", copy.deepcopy(d.choice(TYPES[:11]))], default=None),
    "a new optional field with a default of its other branch": lambda d, r: _add(
        d, r, type=["null", "string"], default="x"
    ),
    "a new field with no name of Avro's": lambda d, r: _add(
        d, r, name=f"x-{d.randrange(10**6)}", type="int", default=0
    ),
    "a new field with an alias": lambda d, r: _add(d, r, type="string", default="", aliases=[_field(d, r)["name"]]),
    "a new field of an old name": lambda d, r: _add(d, r, name=_field(d, r)["name"], type="string", default=""),
    "a removed field": _remove,
    "a retired field": _retire,
    "a rename": lambda d, r: _rename(d, r, with_alias=False),
    "a rename with an alias": lambda d, r: _rename(d, r, with_alias=True),
    "another type": _retype,
    "another logical type": _logical,
    "another default": _default,
    "no default": lambda d, r: _field(d, r).pop("default", None) and None,
    "null or not": _nullable,
    "other branches": _branches,
    "other items or values": _inside,
    "another name of a record": lambda d, r: r.update(name=f"{r['name']}Renamed"),
    "another namespace": lambda d, r: r.update(namespace=d.choice(("other", "airudder.v2"))),
    "an alias of a record": lambda d, r: r.update(aliases=["Formerly"]),
    "another order of fields": lambda d, r: d.shuffle(r["fields"]),
    "another explanation": lambda d, r: _field(d, r).update(doc="Other words."),
    "another tag": lambda d, r: _field(d, r).update({"confluent:tags": ["PII", "PHONE"]}),
    "a misspelt attribute": lambda d, r: _field(d, r).update(defualt=""),
}
