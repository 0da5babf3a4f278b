"""Fields and words that the provider sends beyond its documentation: accepted, kept in the record, counted here. Pure.

A verified sender must not choose a metric's labels either: what does not look like a name counts as `other`, and so
does every name after the first MAX_NAMES of a kind. Values are never counted by name.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from operator import attrgetter
from typing import Any, Final, NamedTuple, get_args

from msgspec import Struct
from msgspec.structs import fields

MAX_NAMES: Final = 50
OTHER: Final = "other"
_NAME: Final = re.compile(r"(?!.*[0-9]{4})[A-Za-z_][A-Za-z0-9_.-]{0,79}")  # four digits may be part of someone's number

Get = Callable[[Any], Any]  # an attribute of a record
Words = Mapping[type[Struct], Mapping[str, frozenset[str]]]


class Found(NamedTuple):
    """Counts by the path of the field, such as details.ring_type."""

    fields: Counter[str]
    words: Counter[str]


class Names:
    """The first MAX_NAMES names that were seen."""

    def __init__(self) -> None:
        self.seen: set[str] = set()

    def label(self, name: str) -> str:
        """The name, or OTHER when it is one too many or does not look like a name."""
        if name in self.seen:
            return name
        if len(self.seen) >= MAX_NAMES or not _NAME.fullmatch(name):
            return OTHER
        self.seen.add(name)
        return name


class _Shape(NamedTuple):
    """What is known of the objects at one path. Attributes of the model and of the record have the same names."""

    path: str
    names: frozenset[str]
    words: tuple[tuple[Get, str, frozenset[str | None]], ...]  # attribute, path, words
    parts: "tuple[tuple[Get, _Shape, bool], ...]"  # attribute, the shape of its objects, whether it is a list of them


class Unknowns:
    """Finds unknown fields and words in the records of one kind.

    model: what the provider documents; without one nothing is unknown. shown: paths it shows without a type, which are
    kept like unknown ones.
    """

    def __init__(self, model: type[Struct] | None, words: Words, shown: frozenset[str] = frozenset()) -> None:
        self._shape = _shape(model, words, shown, "") if model else None
        self._names = Names()

    @property
    def word_paths(self) -> list[str]:
        """The path of every field whose words are known."""
        return [path for shape in _all(self._shape) for _, path, _ in shape.words] if self._shape else []

    def find(self, record: Struct) -> Found:
        """What is unknown in a record; nearly always nothing."""
        found = Found(Counter(), Counter())
        if self._shape:
            self._find((record,), self._shape, found)
        return found

    def _find(self, items: Sequence[Any], shape: _Shape, found: Found) -> None:
        """What is unknown in objects of one shape. On the path of every callback."""
        names = shape.names
        for item in items:
            if item.extra:  # holds known names too: optional ones that are null, maps whose values are not all text
                found.fields.update(self._names.label(shape.path + name) for name in item.extra if name not in names)
        for get, path, listed in shape.words:
            for word in map(get, items):
                if word not in listed:
                    found.words[path] += 1
        for get, inner, is_list in shape.parts:
            for part in map(get, items):
                if part:
                    self._find(part if is_list else (part,), inner, found)


def _shape(model: type[Struct], words: Words, shown: frozenset[str], path: str) -> _Shape:
    known = fields(model)
    sent = {field.name: path + field.encode_name for field in known}
    parts = [(field.name, field.type, False) for field in known if _is_model(field.type)]
    parts += [(field.name, get_args(field.type)[0], True) for field in known if _is_model(*get_args(field.type)[:1])]
    return _Shape(
        path,
        frozenset(field.encode_name for field in known) | {name.removeprefix(path) for name in shown},
        tuple((attrgetter(name), sent[name], listed | {None}) for name, listed in words.get(model, {}).items()),
        tuple(
            (attrgetter(name), _shape(part, words, shown, f"{sent[name]}."), is_list) for name, part, is_list in parts
        ),
    )


def _is_model(kind: Any = None) -> bool:
    return isinstance(kind, type) and issubclass(kind, Struct)


def _all(shape: _Shape) -> Iterator[_Shape]:
    yield shape
    for _, inner, _ in shape.parts:
        yield from _all(inner)
