"""Text that the provider escaped twice. Pure."""

import re
from functools import lru_cache
from typing import Final

# Characters behind an even number of backslashes: surrogate pairs, and units that are no surrogate. Half a pair is no
# character, and Avro takes none; NUL is one, but many databases take none.
_ESCAPED: Final = re.compile(
    r"(?<!\\)((?:\\\\)*)"
    r"((?:\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u(?!0000|[dD][89a-fA-F])[0-9a-fA-F]{4})+)"
)
_REMEMBERED_LENGTH: Final = 2048  # a script's questions come again with every call; what is longer costs memory


def readable(text: str | None) -> str | None:
    """Text that the provider escaped twice, as people read it; what is no valid escape stays as it is."""
    if text is None or "\\u" not in text:
        return text
    return _unescaped(text) if len(text) <= _REMEMBERED_LENGTH else _unescaped.__wrapped__(text)


@lru_cache(maxsize=1024)
def _unescaped(text: str) -> str:
    return _ESCAPED.sub(_unescape, text)


def _unescape(match: re.Match[str]) -> str:
    return match[1] + bytes.fromhex(match[2].replace("\\u", "")).decode("utf-16-be")
