"""Typed models for TypeScript: one module of interfaces, and a function each that makes one of what was decoded."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable
from typing import Any, Final

from schemas.documents.models.shapes import REQUIRED, Field, Shape, Type

WIDTH: Final = 120
WORDS: Final = {
    "string": "string",
    "int": "number",
    "long": "number",
    "boolean": "boolean",
    "bytes": "Uint8Array",
    "instant": "Date",
}
HEAD: Final = """\
// The records of AiRudder's topics as interfaces. Written by `python -m schemas models`; do not edit.
//
// Copy this file; it needs no package. `toCall(decoded)` takes what avsc gives for a record, with instants as Date: the
// example for Node shows how. It leaves out fields that are newer than this file. A field that the record is too old
// for gets its default. Words may be new: no text is an enum.

/** What an Avro reader gives for a record. */
export type Decoded = { readonly [name: string]: any };

function required(decoded: Decoded, name: string): any {
  if (decoded[name] === undefined) throw new TypeError(`the record has no ${name}`);
  return decoded[name];
}

function mapped<T>(values: { readonly [name: string]: Decoded }, to: (decoded: Decoded) => T): Record<string, T> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, to(value)]));
}
"""


def typescript_module(shapes: Iterable[Shape]) -> str:
    """The text of the module; each record comes after those within it."""
    return "\n".join([HEAD, *(f"{_interface(shape)}\n{_function(shape)}" for shape in shapes)])


def _interface(shape: Shape) -> str:
    lines = [*_doc(shape.doc, ""), f"export interface {shape.name} {{"]
    for field in shape.fields:
        lines += [*_doc(field.doc, "  "), f"  {field.name}: {_type(field.type)};"]
    return "\n".join([*lines, "}\n"])


def _function(shape: Shape) -> str:
    lines = ["/** Throws TypeError when a field without a default is missing. */"]
    lines += [f"export function to{shape.name}(decoded: Decoded): {shape.name} {{", "  return {"]
    lines += [f"    {field.name}: {_built(field)}," for field in shape.fields]
    return "\n".join([*lines, "  };", "}\n"])


def _type(type: Type) -> str:
    item = _type(type.item) if type.item else ""
    item = f"({item})" if type.item and type.item.is_nullable and type.word == "list" else item
    name = {"list": f"{item}[]", "map": f"Record<string, {item}>", "record": type.name}.get(type.word)
    return (name or WORDS[type.word]) + (" | null" if type.is_nullable else "")


def _value(field: Field) -> str:
    if field.default is REQUIRED:
        return f'required(decoded, "{field.name}")'
    return f"decoded.{field.name} ?? {_default(field.type, field.default)}"


def _default(type: Type, default: Any) -> str:
    if default is None or type.word in ("int", "long", "boolean", "string", "list", "map"):
        return json.dumps(default)
    if type.word == "instant":
        return f"new Date({default})"
    if type.word == "bytes" and default == "":
        return "new Uint8Array()"
    raise ValueError(f"no default like {default!r} in TypeScript yet")


def _built(field: Field) -> str:
    """The expression that gives the field, with records made of what is decoded."""
    value, name = _value(field), field.type.record
    if not name:
        return value
    if field.type.is_nullable:
        value = f"decoded.{field.name}"
    made = {"list": f"({value}).map(to{name})", "map": f"mapped({value}, to{name})"}.get(field.type.word)
    made = made or f"to{name}({value})"
    return f"{value} == null ? null : {made}" if field.type.is_nullable else made


def _doc(text: str, indent: str) -> list[str]:
    lines = textwrap.wrap(text, WIDTH - len(indent) - len("/**  */"))
    if len(lines) == 1:
        return [f"{indent}/** {lines[0]} */"]
    return [f"{indent}/**", *(f"{indent} * {line}" for line in lines), f"{indent} */"]
