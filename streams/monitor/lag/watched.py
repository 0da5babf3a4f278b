"""Which consumer groups are watched, by `MONITOR_GROUPS`. Pure."""

import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from typing import Final

# Each costs two requests a poll, and a row on the page.
MAX_GROUPS: Final = 200


def watches(text: str | None) -> Callable[[str], bool]:
    """A test for names: does the whole name fit a pattern, shell's or regular expression? "" fits none."""
    parts = _parts(text or "")
    expressions = [expression for part in parts if (expression := _compiled(part))]
    return lambda name: any(fnmatchcase(name, part) for part in parts) or any(e.fullmatch(name) for e in expressions)


def _parts(text: str) -> list[str]:
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def _compiled(part: str) -> re.Pattern[str] | None:
    try:
        return re.compile(part)
    except re.error:
        return None
