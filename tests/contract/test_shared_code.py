"""What tests share is in tests/support: no test imports another test, and nobody a room that is not its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
MODULES = sorted(path for path in TESTS.rglob("*.py") if "__pycache__" not in path.parts)


def imports_of(path: Path) -> Iterator[str]:
    """The modules of tests that a file imports; a name imported from a package counts as a module of it."""
    for node in ast.walk(ast.parse(path.read_text())):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        yield from (name for name in names if name.startswith("tests."))


def room_of(path: Path) -> str:
    return path.relative_to(TESTS).parts[0]


def faults_of(path: Path, imported: str) -> str:
    """Why it may not import that; empty when it may."""
    _, *parts = imported.split(".")
    if parts[-1].startswith("test_") or (len(parts) > 1 and parts[-2].startswith("test_")):
        return f"{imported} is a test: what it shares belongs into tests/support"
    if parts[0] == "unit" != room_of(path):
        return f"{imported} is for unit tests only"
    if room_of(path) == "support" != parts[0]:
        return f"tests/support imports {imported}, which others may not share"
    return ""


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(TESTS)))
def test_tests_share_code_through_support_only(path: Path) -> None:
    assert [fault for imported in imports_of(path) if (fault := faults_of(path, imported))] == []
