"""Writers: functions from a record to its bytes."""

from collections.abc import Callable
from typing import Any

from schemas.compiled.encoding import RUNTIME, SMALL
from schemas.compiled.source import Source, UnsupportedSchemaError

Writer = Callable[[bytes, Any], bytes]  # the prefix and the record; raises anything

# Ids that no other record has: in the cache they would only displace strings that come again.
_UNIQUE = frozenset(("record_id",))


def compile_writer(schema: Any) -> Writer:
    """The writer of a schema, as fastavro parsed it. Raises: UnsupportedSchemaError."""
    source = _WriterSource()
    name = source.record(schema, is_strict=False)
    return source.load(name, RUNTIME)  # type: ignore[no-any-return]


class _WriterSource(Source):
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
        self.functions.append(f"def {name}(vs):\n    {_kind_check(schema)}\n    {body}")
        return f"{name}({value})"


def _kind_check(schema: Any) -> str:
    """A line that refuses other containers than lists and dicts."""
    return f"if type(vs) is not {'list' if schema['type'] == 'array' else 'dict'}: raise TypeError"
