"""A real Chromium, and what one look at a page of the monitor shows: its complaints, its requests, its numbers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Request, sync_playwright

from tests.support.toolchains import lack

CHROMIUM: Final = ("chromium", "chromium-browser", "google-chrome")
DESKTOP: Final = (1440, 900)
PHONE: Final = (390, 844)
THEMES: Final = ("light", "dark")
SETTLED_MS: Final = 30_000

# what axe calls a fault that keeps somebody from using the page
SERIOUS: Final = frozenset({"serious", "critical"})

_FACTS = """() => [...document.querySelectorAll('[data-fact]')].map(
    node => ({fact: node.dataset.fact, value: node.dataset.value, text: node.textContent.trim()}))"""
_AXE = """async () => (await axe.run(document, {resultTypes: ['violations']})).violations.map(
    found => ({id: found.id, impact: found.impact, nodes: found.nodes.map(node => node.html.slice(0, 200))}))"""
_OVERFLOW = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The machine's Chromium without a window. Skips where there is none; fails in CI."""
    program = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if program is None:
        lack("needs Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        # the sandbox needs privileges that a container does not give; only pages of ours are opened
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@dataclass(frozen=True)
class Fact:
    """A number on a page: where the API has it, what the page says it is, and the text that people read."""

    path: str
    pointer: str
    value: Any
    text: str


@dataclass
class Look:
    """One page, opened. `errors`: what the console said; `foreign`: requests to anybody else."""

    page: Page
    origin: str
    errors: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)

    @property
    def facts(self) -> list[Fact]:
        """Every number that the page marks with its place in the API."""
        return [_fact(found) for found in self.page.evaluate(_FACTS)]

    @property
    def headline(self) -> str:
        """The health in one line."""
        return self.page.locator("#headline").inner_text()

    @property
    def beyond_the_edge(self) -> int:
        """By how many pixels the page is wider than its window."""
        return int(self.page.evaluate(_OVERFLOW))

    def faults(self, axe: str) -> list[dict[str, Any]]:
        """axe's serious findings. `axe`: the library's source."""
        # a script element would need the page's leave, which its policy refuses
        self.page.evaluate(axe)
        return [found for found in self.page.evaluate(_AXE) if found["impact"] in SERIOUS]

    def answer(self, path: str) -> Any:
        """What the API says, asked beside the page."""
        answered = self.page.request.get(self.origin + path)
        return answered.json()

    def keep(self, folder: Path, name: str) -> None:
        """Keep a picture of the whole page for a person."""
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png", full_page=True)


@contextmanager
def look(
    browser: Browser, origin: str, path: str, size: tuple[int, int] = DESKTOP, *, scripts: bool = True
) -> Iterator[Look]:
    """Open a page of the monitor at `origin`, without a slash at its end, and close it."""
    width, height = size
    context = browser.new_context(viewport={"width": width, "height": height}, java_script_enabled=scripts)
    try:
        seen = Look(context.new_page(), origin)
        seen.page.on("console", lambda said: seen.errors.append(said.text) if said.type == "error" else None)
        seen.page.on("pageerror", lambda error: seen.errors.append(str(error)))
        seen.page.on("request", lambda request: _note_foreign(seen, request))
        seen.page.goto(origin + path, wait_until="load", timeout=SETTLED_MS)
        yield seen
    finally:
        context.close()


def _fact(found: dict[str, str]) -> Fact:
    path, _, pointer = found["fact"].partition("#")
    return Fact(path, pointer, json.loads(found["value"]), found["text"])


def _note_foreign(seen: Look, request: Request) -> None:
    target = urlsplit(request.url)
    if target.scheme not in ("data", "blob") and f"{target.scheme}://{target.netloc}" != seen.origin:
        seen.foreign.append(request.url)
