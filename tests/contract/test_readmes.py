"""What a README names is there: paths, links, tests, modules, commands and their options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.core import TyperCommand, TyperGroup

import gateway.__main__ as gateway_main
import streams.__main__ as streams_main
from tests.support.readmes import READMES, ROOMS, ROOT, name_of, prose, words

MAX_ROOT_LINES = 150
MADE_BY_READERS = {"body.json", "keys.toml", "consumer.py"}
COMMANDS: dict[str, Any] = {
    "gateway": typer.main.get_command(gateway_main.app),
    "streams": typer.main.get_command(streams_main.app),
}
PATH = re.compile(rf"({'|'.join(map(re.escape, ROOMS))})/[\w./-]*")
MODULE = re.compile(r"(gateway|streams|schemas|tests)(\.\w+)+")
FILE = re.compile(r"[\w-]+\.(py|avsc|md|json|svg|yml|toml|css|js)")
RUN_MODULE = re.compile(r"python3? -m (tests[.a-z_]*)")
RUN_COMMAND = re.compile(r"(?:python3? -m |airudder-)(gateway|streams)\b([^`\n|;&>#]*)")
PROGRAMS = re.compile(r"(gateway|streams) ([a-z][^`]*)")
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[\w-]*)?\)")
ANCHOR = re.compile(r"\]\(([^)#\s]*)#([\w-]+)\)")


def is_there(path: str) -> bool:
    return (ROOT / path).exists()


def is_module(dotted: str) -> bool:
    """True for a module, a package, or a name within one."""
    path = dotted.replace(".", "/")
    above = path.rpartition("/")[0]
    return any(map(is_there, (path, f"{path}.py", f"{above}.py"))) or (
        dotted.endswith(".avsc") or is_there(f"schemas/avro/{dotted}.avsc")
    )


def is_event(word: str) -> bool:
    """True for an event of the log, which is written out where it is logged."""
    return any(f'"{word}"' in path.read_text(encoding="utf-8") for path in (ROOT / word.split(".")[0]).rglob("*.py"))


def fault_of(command: TyperCommand | TyperGroup, arguments: str) -> str:
    """What of `arguments` the command does not know; empty when it knows all."""
    for word in re.findall(r"--[a-z][\w-]*|[^\s\[\]]+", arguments):
        if word.startswith("--"):
            options = {option for one in command.params for option in (*one.opts, *one.secondary_opts)}
            if word not in {*options, "--help"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, TyperGroup):
            if word not in command.commands:
                return f"{command.name} has no command {word}"
            command = command.commands[word]  # type: ignore[assignment]  # typer makes no others
    return ""


def commands_in(page: Path) -> list[tuple[TyperCommand | TyperGroup, str]]:
    """Every command that is written out, by its program or, in backticks, by its first word alone."""
    text = page.read_text(encoding="utf-8")
    found = [(COMMANDS[program], arguments) for program, arguments in RUN_COMMAND.findall(text)]
    for word in words(prose(page)):
        if match := PROGRAMS.fullmatch(word):
            found.append((COMMANDS[match[1]], match[2]))
            continue
        first = word.split(" ")[0]
        found += [
            (program, word)
            for program in COMMANDS.values()
            if isinstance(program, TyperGroup) and isinstance(program.commands.get(first), TyperGroup)
        ]
    return found


def anchors_of(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_root_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= MAX_ROOT_LINES


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_every_path_and_module_is_there(page: Path) -> None:
    named = words(prose(page))
    paths = [word for word in named if PATH.fullmatch(word)]
    modules = [word for word in named if MODULE.fullmatch(word) and not FILE.fullmatch(word)]

    assert [path for path in paths if not is_there(path)] == []
    assert [module for module in modules if not (is_module(module) or is_event(module))] == []


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_every_file_that_is_named_alone_is_somewhere_in_its_room(page: Path) -> None:
    room = page.parent
    names = {word for word in words(prose(page)) if FILE.fullmatch(word)}
    tracked = {path.name for path in room.rglob("*") if ".venv" not in path.parts and ".data" not in path.parts}

    assert names - tracked - MADE_BY_READERS == set()


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    links = [link for link in LINK.findall(text) if "://" not in link]

    assert [link for link in links if not (page.parent / link).exists()] == []
    assert [
        anchor
        for link, anchor in ANCHOR.findall(text)
        if "://" not in link and anchor not in anchors_of(page.parent / link if link else page)
    ] == []


@pytest.mark.parametrize("page", READMES, ids=name_of)
def test_every_command_is_there_with_its_options(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    faults = [fault_of(command, arguments) for command, arguments in commands_in(page)]

    assert [fault for fault in faults if fault] == []
    assert [module for module in RUN_MODULE.findall(text) if not is_module(module.rstrip("."))] == []


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        ("topics apply", ""),
        ("lag --json --watch", ""),
        ("recount [--from ISO --to ISO]", ""),
        ("topics destroy", "topics has no command destroy"),
        ("lag --loud", "lag has no option --loud"),
    ],
)
def test_a_command_that_is_not_there_is_noticed(arguments: str, fault: str) -> None:
    assert fault_of(COMMANDS["streams"], arguments) == fault
