"""A view of the monitor as text, without a server, and what stands in it."""

from __future__ import annotations

import json
import re
import time
from html import unescape
from html.parser import HTMLParser
from typing import Any

from streams.monitor.monitor import Monitor
from streams.monitor.pages.endpoints import VIEWS
from streams.monitor.pages.frame import PageRequest, render

FACT = re.compile(r'data-fact="([^"]+)" data-value="([^"]*)"')


def rendered(monitor: Monitor, path: str, view: str | None = None, now_ms: int | None = None, **names: str) -> str:
    """The document at this path. view: the path as VIEWS has it, where the path has names. `names`: those.

    Raises: MonitorError, which the endpoint makes a page of.
    """
    asked = PageRequest.read(path, {}, int(time.time() * 1000) if now_ms is None else now_ms)
    build, _ = VIEWS[view or path]
    return render(monitor, asked, build(monitor, asked, names))


class Tags(HTMLParser):
    """The tags, links and texts of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name == "href" and value]

    def handle_data(self, data: str) -> None:
        self.text += data


def facts_of(document: str) -> list[tuple[str, str, Any]]:
    """(path of the API, JSON pointer into its answer, value) of every number that a page marks."""
    return [(*unescape(fact).split("#", 1), json.loads(unescape(value))) for fact, value in FACT.findall(document)]


def resolve(answer: Any, pointer: str) -> Any:
    """The value at a JSON pointer (RFC 6901). Raises: KeyError, IndexError."""
    for part in pointer.split("/")[1:]:
        name = part.replace("~1", "/").replace("~0", "~")
        answer = answer[int(name)] if isinstance(answer, list) else answer[name]
    return answer
