"""Chromium, axe from npm, one `up` without traffic of its own, and where pictures are kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.support.browser import chromium
from tests.support.processes.up import Up
from tests.support.toolchains import NODE, build

AXE = Path(__file__).parent / "axe"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's Chromium."""
    with chromium() as launched:
        yield launched


@pytest.fixture(scope="module")
def axe(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The source of axe-core."""
    NODE.require()
    folder = tmp_path_factory.mktemp("axe") / "axe"
    shutil.copytree(AXE, folder)
    build(("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"), folder)
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where pictures for a person go: SCREENSHOTS, which .ci/run sets, or a folder of pytest's."""
    return Path(os.environ.get("SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """A whole system that only the test sends to."""
    running = Up(tmp_path_factory.mktemp("up") / "data")
    try:
        running.wait_until_ready()
        yield running
    finally:
        running.stop()
