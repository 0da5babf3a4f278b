"""Next month's install gives what today's gave: everything that gets installed is pinned exactly."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
RUNTIME: list[str] = PROJECT["dependencies"]
EXTRAS: dict[str, list[str]] = PROJECT.get("optional-dependencies", {})
INSTALLED = {name: lines for name, lines in EXTRAS.items() if name != "bench"}  # benchmarks alone install that one

OURS = ("gateway", "streams", "schemas", "tests")
BROUGHT_ALONG = "# brought along by those above"
NOT_IMPORTED = {
    "cramjam": "the codecs of aiokafka",
    "tzdata": "time zones where the system has none",
    "import-linter": "in CI, and by tests/contract/test_imports.py",
    "mypy": "in CI",
    "pytest-asyncio": "a plugin",
    "pytest-timeout": "a plugin",
    "pytest-xdist": "a plugin",
    "ruff": "in CI",
    "types-psutil": "for mypy",
    "types-pyyaml": "for mypy",
}


def pins(lines: list[str]) -> dict[str, str]:
    """Version by name of the lines that pin one exactly."""
    found: dict[str, str] = {}
    for requirement in map(Requirement, lines):
        exact = re.fullmatch(r"==([^*,]+)", str(requirement.specifier))
        if exact:
            found[canonicalize_name(requirement.name)] = exact[1]
    return found


def closure(lines: list[str]) -> set[str]:
    """All that these requirements bring along on this machine, by walking what is installed."""
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(line), "") for line in lines]
    while waiting:
        requirement, extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": extra}):
            continue
        name = canonicalize_name(requirement.name)
        for wanted in ("", *requirement.extras):
            if (name, wanted) not in seen:
                seen.add((name, wanted))
                needs = distribution(name).requires or []
                waiting += [(Requirement(line), wanted) for line in needs]
    return {name for name, _ in seen}


@pytest.mark.parametrize("group", ["runtime", *EXTRAS])
def test_every_dependency_is_pinned_exactly(group: str) -> None:
    lines = RUNTIME if group == "runtime" else EXTRAS[group]

    assert [line for line in lines if canonicalize_name(Requirement(line).name) not in pins([line])] == []


def test_all_that_the_dependencies_bring_along_is_pinned_too() -> None:
    assert sorted(closure(RUNTIME) - pins(RUNTIME).keys()) == []


@pytest.mark.parametrize("group", INSTALLED)
def test_all_that_an_extra_brings_along_is_pinned_too(group: str) -> None:
    pinned = pins([*RUNTIME, *EXTRAS[group]])

    assert sorted(closure([*RUNTIME, *EXTRAS[group]]) - pinned.keys()) == []


def test_what_is_installed_is_what_is_pinned() -> None:
    pinned = pins([line for lines in (RUNTIME, *INSTALLED.values()) for line in lines])
    installed = {name: _installed(name) for name in pinned}

    assert installed == pinned


def test_nothing_is_pinned_twice() -> None:
    names = [canonicalize_name(Requirement(line).name) for lines in (RUNTIME, *EXTRAS.values()) for line in lines]

    assert sorted({name for name in names if names.count(name) > 1}) == []


def test_the_build_itself_is_pinned() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]

    assert len(pins(build)) == len(build)


@pytest.mark.parametrize(("name", "version"), [("faust-streaming", "0.15.3"), ("aiokafka", "0.14.0")])
def test_the_libraries_whose_inside_we_override_are_those_we_know(name: str, version: str) -> None:
    assert pins(RUNTIME)[name] == _installed(name) == version


def imported(*folders: str) -> set[str]:
    """The distributions that the modules in these folders import by themselves."""
    found: set[str] = set()
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module)
    known = packages_distributions()
    ours = {*OURS, *sys.stdlib_module_names}
    foreign = {module for module in found if module.partition(".")[0] not in ours}
    return {name for module in foreign for name in providers(module, known.get(module.partition(".")[0], ()))}


def providers(module: str, named: Sequence[str]) -> set[str]:
    """The distributions of a module; of a namespace that several share, such as opentelemetry, those that have it."""
    if len(set(named)) > 1:
        begin = module.replace(".", "/")
        named = [name for name in named if any(str(file).startswith(begin) for file in distribution(name).files or ())]
    return {canonicalize_name(name) for name in named}


def chosen(group: str) -> set[str]:
    """The names of a group that stand above those they bring along."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    lines = re.search(rf"^{group} = \[\n(.*?)^\]", text, re.MULTILINE | re.DOTALL)
    assert lines, group
    above = lines[1].partition(BROUGHT_ALONG)[0]
    return {canonicalize_name(Requirement(line).name) for line in re.findall(r'"([^"]+)"', above)}


def test_what_the_product_imports_is_what_it_names_as_its_own() -> None:
    of_the_build = {"setuptools"}

    assert imported("gateway", "streams", "schemas") - of_the_build == chosen("dependencies") - NOT_IMPORTED.keys()


def test_what_tests_import_is_pinned_and_each_tool_of_theirs_is_used() -> None:
    pinned = pins([line for lines in (RUNTIME, *EXTRAS.values()) for line in lines])

    assert sorted(imported("tests") - pinned.keys()) == []
    assert sorted(chosen("dev") - imported("tests") - NOT_IMPORTED.keys()) == []


def _installed(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None
