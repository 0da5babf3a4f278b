"""The functions that generated writers call: numbers and strings to bytes, recent ones from a cache."""

from typing import Final

CACHED_STRINGS: Final = 8192
CACHED_LENGTH: Final = 128
SMALL: Final = 4096  # integers below have their bytes in a table


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
    """A cache of the bytes of large integers, each after `before`. The records of one callback share their instants."""

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


_SMALL: Final = tuple(map(_varint, range(SMALL)))
_NULLABLE_SMALL: Final = tuple(b"\2" + small for small in _SMALL)
_BOOLEAN: Final = {True: b"\1", False: b"\0"}
RUNTIME: Final = {
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
}
