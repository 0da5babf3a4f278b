"""Avro as Python source made from our own schemas: records straight into bytes, and bytes straight into records.

Why: fastavro needs a dict in between each way, and checks every union of records; measured it was two thirds of a
worker's time. How it stays right: this is only the fast path for what is usual. Whatever is not - a value of another
type, a long block, bytes that do not fit - raises here, and `schemas.codec` then asks fastavro, which alone decides
and alone names the error. So all that must hold is: what this module accepts, fastavro accepts with the same result
(tests/property/test_compiled.py). A schema it does not fully understand is not compiled at all.

Names in the source: r a record, v a value, p the place in the data d, n a number just read.
"""

import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

from schemas import records

Writer = Callable[[bytes, Any], bytes]  # the prefix and the record; raises anything
Reader = Callable[[bytes, int], tuple[Any, int]]  # the data and where the record starts: the record, and where it ends

CACHED_STRINGS: Final = 8192
CACHED_LENGTH: Final = 128
SMALL: Final = 4096  # integers below have their bytes in a table
MAX_SHIFT: Final = 63  # a varint of 64 bits has ten bytes at most
# Ids that no other record has: caching them would only drive out what comes again.
_UNIQUE: Final = frozenset(("record_id",))


class UnsupportedSchemaError(Exception):
    """A schema that this module does not understand to the last bit; fastavro does."""


def compile_writer(schema: Any) -> Writer:
    """The writer of a schema, as fastavro parsed it. Raises: UnsupportedSchemaError."""
    source = _WriterSource()
    name = source.record(schema, is_strict=False)
    return _load(source.functions, name)  # type: ignore[no-any-return]


def compile_reader(schema: Any) -> Reader:
    """The reader of a schema, as fastavro parsed it. Raises: UnsupportedSchemaError."""
    source = _ReaderSource()
    name = source.record(schema)
    return _load(source.functions, name)  # type: ignore[no-any-return]


def _load(functions: list[str], name: str) -> Any:
    namespace: dict[str, Any] = {**_RUNTIME, **vars(records)}
    exec(compile("\n".join(functions), f"<compiled {name}>", "exec"), namespace)
    return namespace[name]


class _Source:
    """Functions made so far, and the named types they are for."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._named: dict[str, Any] = {}
        self._numbers: Iterator[int] = itertools.count()

    def new(self, kind: str) -> str:
        """A name that is not taken."""
        return f"{kind}_{next(self._numbers)}"

    def resolve(self, schema: Any) -> Any:
        """A type as a dict or the name of a primitive; names of records seen before stand for them."""
        schema = self._named.get(schema, schema) if isinstance(schema, str) else schema
        if isinstance(schema, dict) and schema["type"] == "record":
            self._named[schema["name"]] = schema
        elif isinstance(schema, dict) and isinstance(schema["type"], str) and schema["type"] not in ("array", "map"):
            return self.resolve(schema["type"])
        return schema

    @staticmethod
    def nullable(union: list[Any]) -> Any:
        """X of the union [null, X]. Raises: UnsupportedSchemaError for any other."""
        if len(union) != 2 or union[0] != "null" or isinstance(union[1], list):
            raise UnsupportedSchemaError(f"a union of {len(union)}")
        return union[1]

    @staticmethod
    def struct(schema: Any) -> type[records.Record]:
        """The type of a record. Raises: UnsupportedSchemaError when its fields are not those of the schema."""
        name = schema["name"].rpartition(".")[2]
        kind = getattr(records, name, None)
        if kind is None or {field["name"] for field in schema["fields"]} != set(kind.__struct_fields__):
            raise UnsupportedSchemaError(f"no type for {name}")
        return kind  # type: ignore[no-any-return]


class _WriterSource(_Source):
    """Writes each type as an expression that gives bytes. `is_strict`: under a union fastavro checks every value."""

    def record(self, schema: Any, *, is_strict: bool) -> str:
        """The name of a function (prefix, record) -> bytes."""
        self.struct(schema)
        name = self.new("write")
        parts = [self._field(field, is_strict) for field in schema["fields"]]
        self.functions.append(f"def {name}(prefix, r):\n    return join((prefix, {', '.join(parts)}))")
        return name

    def _field(self, field: Any, is_strict: bool) -> str:
        if field["name"] in _UNIQUE and field["type"] == "string":
            return f"unique(r.{field['name']})"
        return self._value(field["type"], f"r.{field['name']}", is_strict)

    def _value(self, schema: Any, value: str, is_strict: bool) -> str:
        if isinstance(schema, list):
            return self._nullable(self.nullable(schema), value)
        schema = self.resolve(schema)
        if isinstance(schema, dict):
            return self._complex(schema, value, is_strict)
        if schema in ("int", "long"):
            small = f"(small[n] if 0 <= (n := {value}) < {SMALL} else longs[n] if type(n) is int else long(n))"
            return f"strict_{schema}({value})" if is_strict else small
        simple = {
            "string": f"string[{value}]",
            "boolean": f"strict_boolean({value})" if is_strict else f"boolean[{value}]",
            "bytes": f"binary({value})",
        }
        if schema not in simple:
            raise UnsupportedSchemaError(str(schema))
        return simple[schema]

    def _nullable(self, schema: Any, value: str) -> str:
        kind = self.resolve(schema)
        if kind == "string":
            return f"nullable_string[{value}]"
        if kind == "long":
            number = f"(nullable_small[n] if 0 <= n < {SMALL} else nullable_longs[n])"
            return f"({number} if type(n := {value}) is int else no_long(n))"
        return f"(b'\\0' if (u := {value}) is None else b'\\2' + {self._value(schema, 'u', True)})"

    def _complex(self, schema: Any, value: str, is_strict: bool) -> str:
        if schema["type"] == "record":
            return f"{self.record(schema, is_strict=is_strict)}(b'', {value})"
        name = self.new(schema["type"])
        if schema["type"] == "array":
            items = f"[{self._value(schema['items'], 'v', is_strict)} for v in vs]"
        else:
            items = f"[string[k] + {self._value(schema['values'], 'v', is_strict)} for k, v in vs.items()]"
        body = f"return long(len(vs)) + join({items}) + b'\\0' if vs else b'\\0'"
        self.functions.append(f"def {name}(vs):\n    {kind_check(schema)}\n    {body}")
        return f"{name}({value})"


def kind_check(schema: Any) -> str:
    """A line that refuses other containers than lists and dicts."""
    return f"if type(vs) is not {'list' if schema['type'] == 'array' else 'dict'}: raise TypeError"


class _ReaderSource(_Source):
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


def _varint(number: int) -> bytes:
    """Avro's long: zigzag, then seven bits a byte."""
    rest = (number << 1) ^ (number >> 63)
    out = bytearray()
    while rest > 127:
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


class _Longs(dict[int, bytes]):
    """The bytes of the latest large integers, each after `before`: the records of one callback share their instants."""

    def __init__(self, before: bytes = b"") -> None:
        super().__init__()
        self._before = before

    def __missing__(self, number: int) -> bytes:
        if not -(1 << 63) <= number < 1 << 63:
            raise OverflowError
        if len(self) >= CACHED_STRINGS:
            self.clear()
        self[number] = encoded = self._before + _varint(number)
        return encoded


_LONGS: Final = _Longs()


def _long(number: int) -> bytes:
    if type(number) is not int:
        raise TypeError
    return _LONGS[number]


def _no_long(value: None) -> bytes:
    """The null of [null, long]."""
    if value is not None:
        raise TypeError
    return b"\0"


def _strict_boolean(value: bool) -> bytes:
    if type(value) is not bool:
        raise TypeError
    return _BOOLEAN[value]


def _strict_int(number: int) -> bytes:
    if not -(1 << 31) <= number < 1 << 31:
        raise OverflowError
    return _long(number)


class _Strings(dict[str | None, bytes]):
    """The bytes of strings written lately, each after `before`. Bounded in number and in the length of each."""

    def __init__(self, before: bytes) -> None:
        super().__init__()
        self._before = before

    def __missing__(self, text: str) -> bytes:
        encoded = self._before + _string(text)
        if len(encoded) <= CACHED_LENGTH:
            if len(self) >= CACHED_STRINGS:
                self.clear()
            self[text] = encoded
        return encoded


class _NullableStrings(_Strings):
    """The same for [null, string]."""

    def __missing__(self, text: str | None) -> bytes:
        if text is None:
            self[text] = b"\0"
            return b"\0"
        return super().__missing__(text)


def _string(text: str) -> bytes:
    if type(text) is not str:
        raise TypeError
    encoded = text.encode()
    return (_SMALL[len(encoded)] if len(encoded) < SMALL else _long(len(encoded))) + encoded


def _binary(value: bytes) -> bytes:
    if type(value) is not bytes:
        raise TypeError
    return _long(len(value)) + value


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
    """A length or count, and where it ends. A negative one is garbage, or a block that says its size: not for here."""
    number, place = _number(data, place)
    if number < 0:
        raise ValueError
    return number, place


_SMALL: Final = tuple(map(_varint, range(SMALL)))
_NULLABLE_SMALL: Final = tuple(b"\2" + small for small in _SMALL)
_BOOLEAN: Final = {True: b"\1", False: b"\0"}
_RUNTIME: Final = {
    "join": b"".join,
    "small": _SMALL,
    "long": _long,
    "nullable_small": _NULLABLE_SMALL,
    "longs": _LONGS,
    "nullable_longs": _Longs(b"\2"),
    "no_long": _no_long,
    "strict_int": _strict_int,
    "strict_long": _long,
    "string": _Strings(b""),
    "nullable_string": _NullableStrings(b"\2"),
    "unique": _string,
    "boolean": _BOOLEAN,
    "strict_boolean": _strict_boolean,
    "binary": _binary,
    "number": _number,
    "length": _length,
}
