"""The README files as tests read them: tables by heading, code by fence."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
ROOMS: Final = ("gateway", "streams", "schemas", "tests", ".ci")
READMES: Final = sorted([ROOT / "README.md", *(page for room in ROOMS for page in (ROOT / room).rglob("README.md"))])
Row = dict[str, str]

_HEADING: Final = re.compile(r"#+ +(.+)")
_CELL_END: Final = re.compile(r"(?<!\\)\|")
_RULE: Final = re.compile(r"\|[ :|-]+\|")


def tables(path: Path) -> dict[str, list[Row]]:
    """Rows by the heading above them, each as {column: cell}; those of several tables below one heading follow on."""
    found: dict[str, list[Row]] = {}
    heading, columns = "", list[str]()
    for line in prose(path).splitlines():
        if match := _HEADING.fullmatch(line):
            heading, columns = match[1], []
        elif not line.startswith("|"):
            columns = []
        elif not columns:
            columns = cells(line)
        elif not _RULE.fullmatch(line):
            found.setdefault(heading, []).append(dict(zip(columns, cells(line), strict=True)))
    return found


def cells(line: str) -> list[str]:
    """The cells of one row; an escaped bar is part of its cell."""
    return [cell.strip().replace("\\|", "|") for cell in _CELL_END.split(line.strip())[1:-1]]


def words(text: str) -> list[str]:
    """What stands in backticks."""
    return re.findall(r"`([^`]+)`", text)


def word(text: str) -> str:
    """A cell's one word in backticks. Raises: ValueError when there is none or there are several."""
    (only,) = words(text)
    return only


def prose(path: Path) -> str:
    """The text without what stands in fences."""
    lines, is_inside = [], False
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            is_inside = not is_inside
        elif not is_inside:
            lines.append(line)
    return "\n".join(lines)


def name_of(page: Path) -> str:
    """Its path from the root."""
    return str(page.relative_to(ROOT))
