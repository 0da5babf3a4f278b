"""JSON as text: whether it is JSON, how deep it nests, the types of its values. Pure."""

import json
import re
from array import array
from itertools import accumulate
from typing import Final, NoReturn

import msgspec

from gateway.errors import Fault, MalformedBodyError

MAX_DEPTH: Final = 64  # nesting that readers' recursive JSON parsers can take
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_TYPES: Final = {'"': "string", "{": "object", "[": "array", "t": "boolean", "f": "boolean", "n": "null"}
_STRING: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_BRACKETS: Final = b"[]{}"
_NO_BRACKETS: Final = bytes(set(range(256)) - set(_BRACKETS))
_STEPS: Final = bytes.maketrans(_BRACKETS, b"\x01\xff\x01\xff")  # 0xff is -1 as a signed byte


def require_json(body: bytes) -> None:
    """Raises MalformedBodyError unless the body is JSON in UTF-8, not nested too deep. Numbers may be of any size."""
    try:
        body.decode()
        msgspec.json.decode(body, type=msgspec.Raw)
        depth = _depth(body)
    except RecursionError:
        depth = MAX_DEPTH + 1
    except UnicodeDecodeError:
        raise MalformedBodyError([Fault("$", "expected UTF-8")]) from None
    except msgspec.MsgspecError as error:
        raise MalformedBodyError([Fault("$", f"expected JSON: {error}")]) from None
    if depth > MAX_DEPTH:
        raise MalformedBodyError([Fault("$", f"nested deeper than {MAX_DEPTH} levels")])


def any_json(body: bytes) -> str:
    """The text of a body that is JSON. Raises MalformedBodyError, as require_json.

    RFC 8259 lets an escape be half of a surrogate pair. msgspec does not, so what it refuses is judged again.
    """
    try:
        require_json(body)
    except MalformedBodyError:
        if not _is_json(body):
            raise
    return body.decode()


def json_type(text: str) -> str:
    """JSON's name for the type of a value, by its text."""
    return _TYPES.get(text[0], "number")


def _is_json(body: bytes) -> bool:
    try:
        text = body.decode()
        if _depth(body) > MAX_DEPTH:
            return False
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse)
    except ValueError:
        return False
    return True


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _depth(body: bytes) -> int:
    """How deep objects and arrays nest; counted without recursion, which a deep body would exhaust."""
    steps = array("b", _STRING.sub(b"", body).translate(_STEPS, _NO_BRACKETS))
    return max(accumulate(steps), default=0)
