"""One live system for every example of every language."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.examples.stack import Stack, running_stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """`up --demo` with our own callbacks in it, and a stranger's records on every topic that examples read."""
    with running_stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack
