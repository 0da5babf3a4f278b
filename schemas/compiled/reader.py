"""Readers: functions from bytes to a record."""

from collections.abc import Callable
from typing import Any, Final

from schemas.compiled.source import Source, UnsupportedSchemaError

Reader = Callable[[bytes, int], tuple[Any, int]]  # the data and where the record starts: the record, and where it ends

MAX_SHIFT: Final = 63  # a varint of 64 bits has ten bytes at most


def compile_reader(schema: Any) -> Reader:
    """The reader of a schema, as fastavro parsed it. Raises: UnsupportedSchemaError."""
    source = _ReaderSource()
    name = source.record(schema)
    return source.load(name, _RUNTIME)  # type: ignore[no-any-return]


class _ReaderSource(Source):
    """Writes each type as statements that leave its value in a variable and move p behind it.

    A slice never raises and never allocates more than there is, so a length is not checked where it is read: p then
    lies behind the data, where the next byte raises IndexError, or codec finds that the record did not end there.
    """

    def record(self, schema: Any) -> str:
        """The name of a function (data, place) -> (record, place behind it)."""
        kind = self.struct(schema)
        name = self.new("read")
        lines = [f"def {name}(d, p):"]
        values = []
        for number, field in enumerate(schema["fields"]):
            lines += [f"    {line}" for line in self._value(field["type"], f"v{number}")]
            values.append(f"{field['name']}=v{number}")
        lines.append(f"    return {kind.__name__}({', '.join(values)}), p")
        self.functions.append("\n".join(lines))
        return name

    def _value(self, schema: Any, to: str, skip: int = 0) -> list[str]:
        """skip: bytes before the value that are read already, but that p does not count yet."""
        if isinstance(schema, list):
            inner = self._value(self.nullable(schema), to, 1)
            return [
                "if (n := d[p]) == 2:",
                *(f"    {line}" for line in inner),
                f"elif n == 0: {to} = None; p += 1",
                "else: raise ValueError",
            ]
        schema = self.resolve(schema)
        if isinstance(schema, dict):
            return [*([f"p += {skip}"] if skip else []), *self._complex(schema, to)]
        at, behind = (f"p + {skip}", f"p + {skip + 1}") if skip else ("p", "p + 1")
        text = ".decode()" if schema == "string" else ""
        of_length = [
            f"if (n := d[{at}]) & 129: n, p = length(d, {at}); {to} = d[p : (p := p + n)]{text}",
            f"else: {to} = d[{behind} : (p := {behind} + (n >> 1))]{text}",
        ]
        integer = [f"if (n := d[{at}]) & 129: {to}, p = number(d, {at})", f"else: {to} = n >> 1; p = {behind}"]
        simple = {
            "string": of_length,
            "bytes": of_length,
            "int": integer,
            "long": integer,
            "boolean": [f"if (n := d[{at}]) > 1: raise ValueError", f"{to} = n == 1; p = {behind}"],
        }
        if schema not in simple:
            raise UnsupportedSchemaError(str(schema))
        return simple[schema]

    def _complex(self, schema: Any, to: str) -> list[str]:
        if schema["type"] == "record":
            return [f"{to}, p = {self.record(schema)}(d, p)"]
        name = self.new(schema["type"])
        if schema["type"] == "array":
            item, keep, empty = self._value(schema["items"], "v"), "vs.append(v)", "[]"
        else:
            item = [*self._value("string", "k"), *self._value(schema["values"], "v")]
            keep, empty = "vs[k] = v", "{}"
        lines = [
            f"def {name}(d, p):",
            f"    vs = {empty}",
            "    while True:",
            "        m, p = length(d, p)",
            "        if not m: return vs, p",
            "        for _ in range(m):",
            *(f"            {line}" for line in [*item, keep]),
        ]
        self.functions.append("\n".join(lines))
        return [f"if d[p]: {to}, p = {name}(d, p)", f"else: {to} = {empty}; p += 1"]


def _number(data: bytes, place: int) -> tuple[int, int]:
    """A long, and where it ends. Raises: ValueError when it is no 64-bit integer, IndexError at the end of the data."""
    rest = shift = 0
    while (byte := data[place]) > 127:
        rest |= (byte & 127) << shift
        shift += 7
        place += 1
        if shift > MAX_SHIFT:
            raise ValueError
    rest |= byte << shift
    if rest >> 64:
        raise ValueError
    return (rest >> 1) ^ -(rest & 1), place + 1


def _length(data: bytes, place: int) -> tuple[int, int]:
    """A length or count, and where it ends. Raises: ValueError for a negative one (invalid, or a block with a size)."""
    number, place = _number(data, place)
    if number < 0:
        raise ValueError
    return number, place


_RUNTIME: Final = {"number": _number, "length": _length}
