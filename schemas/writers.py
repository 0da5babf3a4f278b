"""Checks that a foreign schema cannot make a few bytes costly to read. Pure.

fastavro reads a record that contains itself by recursion in C: a few hundred kilobytes overflow the stack and end the
process without an error. And a few bytes can hold an endless array of values that take no byte.
"""

from typing import Any, Final

MAX_PARTS: Final = 1000  # values of a record, lists counted once; our largest schema has under a hundred

_EMPTY: Final = "null"


class UnboundedSchemaError(ValueError):
    """A few bytes of this schema could keep a reader busy for ever, or end the process."""


def check_bounded(schema: Any) -> None:
    """schema: as fastavro parsed it, so with full names. Raises: UnboundedSchemaError."""
    _Walk().size(schema)


class _Walk:
    def __init__(self) -> None:
        self._known: dict[str, tuple[int, int] | None] = {}  # None while a type is being read

    def size(self, schema: Any) -> tuple[int, int]:
        """The fewest bytes that a value takes, and of how many parts it is."""
        if isinstance(schema, list):
            return 1, max((self.size(branch)[1] for branch in schema), default=0) + 1
        if isinstance(schema, str):
            return self._named(schema)
        kind = schema["type"]
        if kind in ("record", "error"):
            return self._record(schema)
        if kind in ("enum", "fixed"):
            self._known[schema["name"]] = found = schema.get("size", 1), 1
            return found
        if kind in ("array", "map"):
            return self._repeated(schema)
        return self.size(kind)

    def _named(self, name: str) -> tuple[int, int]:
        found = self._known.get(name, (0 if name == _EMPTY else 1, 1))
        if found is None:
            raise UnboundedSchemaError(f"{name} holds itself")
        return found

    def _record(self, schema: Any) -> tuple[int, int]:
        self._known[schema["name"]] = None
        sizes = [self.size(field["type"]) for field in schema["fields"]]
        found = sum(least for least, _ in sizes), sum(parts for _, parts in sizes) + 1
        if found[1] > MAX_PARTS:
            raise UnboundedSchemaError(f"{schema['name']} has more than {MAX_PARTS} parts")
        self._known[schema["name"]] = found
        return found

    def _repeated(self, schema: Any) -> tuple[int, int]:
        least, parts = self.size(schema["items"] if schema["type"] == "array" else schema["values"])
        if least == 0 and schema["type"] == "array":
            raise UnboundedSchemaError("an array of what takes no byte")
        return 1, parts + 1
