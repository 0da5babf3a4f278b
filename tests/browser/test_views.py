"""Every view of the monitor in a real browser, in five states, on a desk and on a phone, light and dark.

SCREENSHOTS names a folder that keeps the pictures for a person.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.states import STATES, State, frozen, views
from tests.support.browser import DESKTOP, PHONE, THEMES, Fact, Look, look
from tests.support.pages import resolve
from tests.support.processes.up import Up
from tests.support.waiting import wait_until_true

SIZES = {"desktop": DESKTOP, "phone": PHONE}
FACTS_AT_LEAST = 5
EQUAL_S = 30.0
LOST_S = 10.0  # six of silence, one until the page looks, and a busy machine
WITHOUT_NUMBERS = frozenset({"docs"})


@pytest.fixture(scope="module", params=STATES, ids=lambda state: state.name)
def state(request: pytest.FixtureRequest, up: Up) -> Iterator[State]:
    """The system in one of the five states."""
    entered: State = request.param
    with entered.enter(up):
        yield entered


@pytest.fixture
def origin(up: Up) -> str:
    return up.url("monitor").rstrip("/")


@pytest.mark.parametrize("size", SIZES)
def test_every_view_is_calm_and_open_to_everybody(
    state: State, up: Up, origin: str, browser: Browser, axe: str, pictures: Path, size: str
) -> None:
    wrong: list[tuple[object, ...]] = []
    for name, path in views(up, has_calls=state.has_calls).items():
        with look(browser, origin, path, SIZES[size]) as seen:
            for theme in THEMES:
                seen.page.emulate_media(color_scheme=theme)
                seen.keep(pictures / state.name.replace(" ", "-"), f"{name}-{size}-{theme}")
                wrong += [(name, theme, fault["id"], fault["nodes"][:3]) for fault in seen.faults(axe)]
            wrong += [(name, "console", error) for error in seen.errors]
            wrong += [(name, "foreign", url) for url in seen.foreign]
            if seen.beyond_the_edge > 0:
                wrong.append((name, "beyond the edge", seen.beyond_the_edge))

    assert wrong == []


def test_the_headline_says_what_is_wrong_on_every_view(state: State, up: Up, origin: str, browser: Browser) -> None:
    """The word of the state, and the very headline of /api/health; the page is asked again while it changes."""
    for path in views(up, has_calls=state.has_calls).values():
        if path == "/docs":
            continue
        seen_and_known: list[tuple[str, str]] = []

        def told(path: str = path, found: list[tuple[str, str]] = seen_and_known) -> bool:
            with look(browser, origin, path, PHONE) as seen:
                found[:] = [(seen.headline, seen.answer("/api/health")["headline"])]
                box = seen.page.locator("#headline").bounding_box()
                assert box is not None, path
                assert box["y"] < PHONE[1], f"{path}: the headline is below the first screen"
            [(shown, known)] = found
            return shown == known and any(word in shown for word in state.headlines)

        wait_until_true(told, EQUAL_S, f"{path} says one of {state.headlines}: {seen_and_known}")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_the_numbers_are_those_of_the_api(
    state: State, up: Up, origin: str, browser: Browser, *, scripts: bool
) -> None:
    """Between a page and the answer a number may change: then both are read again."""
    for name, path in views(up, has_calls=state.has_calls).items():
        if name in WITHOUT_NUMBERS or (state.name == "Kafka frozen" and name in ("lag", "partition")):
            continue
        different: list[tuple[Fact, object]] = []

        def equal(path: str = path, different: list[tuple[Fact, object]] = different) -> bool:
            with look(browser, origin, path, scripts=scripts) as seen:
                different[:] = _different(seen)
                assert not state.has_calls or len(seen.facts) >= FACTS_AT_LEAST, f"{path}: {len(seen.facts)} facts"
                assert seen.page.locator("h1").count() == 1, path
                return not different

        wait_until_true(equal, EQUAL_S, f"the numbers of {path} are those of the API: {different}")


def test_an_open_page_says_so_when_the_monitor_itself_stands_still(up: Up, origin: str, browser: Browser) -> None:
    with look(browser, origin, "/lines") as seen:
        feed = seen.page.locator("#feed")
        wait_until_true(lambda: feed.inner_text() == "live", EQUAL_S, "the page is live")
        with frozen(up.role("streams", "monitor")):
            wait_until_true(lambda: "connection lost" in feed.inner_text(), LOST_S, "the page says that nobody speaks")
            assert "Blind" in seen.headline
        wait_until_true(lambda: feed.inner_text() == "live", EQUAL_S, "the page is live again")


def _different(seen: Look) -> list[tuple[Fact, object]]:
    facts = seen.facts
    answers = {path: seen.answer(path) for path in {fact.path for fact in facts}}
    found = []
    for fact in facts:
        try:
            value = resolve(answers[fact.path], fact.pointer)
        except (KeyError, IndexError, TypeError) as error:
            value = f"{type(error).__name__}: {error}"
        if value != fact.value:
            found.append((fact, value))
    return found
