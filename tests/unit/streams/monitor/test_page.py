"""The first page works without scripts, and nothing from outside becomes markup."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.monitor import Monitor
from streams.monitor.page import render_page
from streams.monitor.settings import MonitorSettings
from tests.support.panes import NOON_MS, pane

EVIL = '"><script>alert(1)</script>{x}'


class Tags(HTMLParser):
    """The tags and texts of a document."""

    def __init__(self, document: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(document)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def monitor_with(row: PartitionLag, value: str = "wf") -> Monitor:
    monitor = Monitor(MonitorSettings())
    group = GroupLag(EVIL, "Stable", 1, (row, replace(row, partition=3, verdict="stall")), {})
    monitor.poller._snapshot = LagSnapshot(NOON_MS, (group,), {}, {}, {})
    monitor.reader._is_caught_up = True
    record = pane(value=value, calls=31, answered=1, attempts=40, attempt_dispositions={"answered": 1, "no_answer": 39})
    monitor.reader._store.put("workflow", record, NOON_MS)
    return monitor


ROW = PartitionLag(EVIL, 0, 1, 0, 5, 4, 12.34, "ok")


async def test_names_from_outside_are_text() -> None:
    page = Tags(render_page(monitor_with(ROW, EVIL)))

    assert page.tags.count("script") == 1
    assert page.text.count(EVIL) == 3


async def test_lag_shows_the_sum_the_oldest_and_the_worst_verdict_with_its_partition() -> None:
    page = Tags(render_page(monitor_with(ROW)))

    assert "stall in 3" in page.text
    assert "12.3" in page.text


async def test_a_ratio_is_shown_only_with_enough_samples() -> None:
    page = Tags(render_page(monitor_with(ROW)))

    assert "2 %" in page.text
    assert "answered 1, no answer 39" in page.text


async def test_before_anything_is_known_the_page_says_so() -> None:
    page = Tags(render_page(Monitor(MonitorSettings())))

    assert "Blind: lag not read yet (and 1 more)" in page.text
    assert "table" not in page.tags
