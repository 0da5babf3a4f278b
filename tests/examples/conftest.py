"""One live system for every example of every language, and the environments of those in Python."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.examples.environments import Environments
from tests.support.examples.stack import Stack, running_stack

PYTHON = Path(__file__).parents[2] / "schemas" / "examples" / "python"


@pytest.fixture(scope="session")
def environments(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environments]:
    """Installs while the system starts."""
    environments = Environments(tmp_path_factory.mktemp("environments"), sorted(PYTHON.glob("requirements-*.txt")))
    yield environments
    environments.close()


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`up --demo` with our own callbacks in it, and a stranger's records on every topic that examples read."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack
