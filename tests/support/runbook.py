"""The entries of the monitor's runbook and their commands, as tests read them."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from tests.support.readmes import ROOT

_TEXT: Final = (ROOT / "streams" / "monitor" / "RUNBOOK.md").read_text(encoding="utf-8")
ENTRIES: Final = {
    entry.partition("\n")[0].strip(): entry
    for part in re.split(r"^## ", _TEXT, flags=re.M)
    for entry in part.split("\n### ")[1:]
}


class Command(NamedTuple):
    """A line of a block. ends_with: its exit code on a system that is well."""

    text: str
    ends_with: int


def commands_of(entry: str) -> list[Command]:
    """The commands of an entry. Raises: AssertionError for one that does not say how it ends."""
    lines = [line for block in re.findall(r"^```sh\n(.*?)^```", entry, re.M | re.S) for line in block.splitlines()]
    found = [re.fullmatch(r"(.+?)  # (\d+)(; \d+ when .+)?", line) for line in lines]
    assert all(found), lines
    return [Command(match[1], int(match[2])) for match in found if match]


COMMANDS: Final = list(dict.fromkeys(command for entry in ENTRIES.values() for command in commands_of(entry)))
