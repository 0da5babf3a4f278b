"""The fields of an Avro record as a flat list, nested ones by their dotted path, with their types in words. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from schemas.evolution.soundness import TAGS

PERSONAL: Final = {"PHONE": "phone number", "CONTENT": "about the callee"}
WORDS: Final = {"timestamp-millis": "instant (epoch ms)"}


@dataclass(frozen=True)
class Field:
    """One field. default: as JSON, empty when the field must be there; personal: what personal data it holds."""

    path: str
    type: str
    default: str
    doc: str
    personal: str


def fields_of(schema: Mapping[str, Any], prefix: str = "") -> Iterator[Field]:
    """Every field of a record schema, each before the fields within it."""
    for field in schema["fields"]:
        path = prefix + field["name"]
        default = json.dumps(field["default"], ensure_ascii=False) if "default" in field else ""
        tags = field.get(TAGS, ())
        personal = "; ".join(word for tag, word in PERSONAL.items() if tag in tags)
        yield Field(path, _type(field["type"]), default, field["doc"], personal)
        for record in _records_in(field["type"]):
            yield from fields_of(record, f"{path}.")


def _type(avro: Any) -> str:
    if isinstance(avro, list):
        return " or ".join(_type(branch) for branch in sorted(avro, key=lambda branch: branch == "null"))
    if isinstance(avro, str):
        return avro
    match avro["type"]:
        case "array":
            return f"list of {_type(avro['items'])}"
        case "map":
            return f"map of {_type(avro['values'])}"
        case "record":
            return str(avro["name"])
    return WORDS.get(avro.get("logicalType", ""), str(avro["type"]))


def _records_in(avro: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(avro, list):
        for branch in avro:
            yield from _records_in(branch)
    elif isinstance(avro, dict):
        if avro["type"] == "record":
            yield avro
        for key in ("items", "values"):
            yield from _records_in(avro.get(key))
