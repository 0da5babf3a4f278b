"""READMEs say which test proves which promise: each test that they name is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.readmes import READMES

TESTS = Path(__file__).parents[1]
PAGE = TESTS / "README.md"
NAMED = re.compile(r"`([a-z_/]+)::(\w+)")


def _named() -> list[tuple[str, str]]:
    """Module below tests/ and name, of every README."""
    found = {named for page in READMES for named in NAMED.findall(page.read_text(encoding="utf-8"))}
    return sorted((module.removeprefix("tests/"), name) for module, name in found)


def _defined(path: Path) -> set[str]:
    """Test functions, and test cases made by assignment, as Hypothesis' state machines are."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def test_the_page_names_tests() -> None:
    assert len(_named()) > 50


@pytest.mark.parametrize(("module", "name"), _named())
def test_a_named_test_is_there(module: str, name: str) -> None:
    assert name in _defined(TESTS / f"{module}.py")


@pytest.mark.parametrize("heading", ["The gateway's 25 lines", "The worker's 25 lines", "The monitor's 25 lines"])
def test_every_line_has_a_row(heading: str) -> None:
    table = PAGE.read_text().split(f"## {heading}")[1].split("\n## ")[0]
    assert re.findall(r"^\| (\d+) ", table, re.MULTILINE) == [str(number) for number in range(1, 26)]
