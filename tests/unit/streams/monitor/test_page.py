"""The first page works without scripts, and nothing from outside becomes markup."""

from __future__ import annotations

from dataclasses import replace
from urllib.parse import quote

import pytest

from streams.monitor.lag.tracker import GroupLag, LagSnapshot, PartitionLag
from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.metrics import OutcomeFamilies
from streams.monitor.outcomes.periods import WindowQuery
from streams.monitor.outcomes.views import window_view
from streams.monitor.settings import MonitorSettings
from streams.rules import kpis as rules
from streams.rules.dimensions import WORKFLOW
from streams.rules.kpis import kpis
from tests.support.pages import Tags, rendered
from tests.support.panes import NOON_MS, pane

EVIL = '"><script>alert(1)</script>{x}'


def monitor_with(row: PartitionLag, value: str = "wf") -> Monitor:
    monitor = Monitor(MonitorSettings())
    group = GroupLag(EVIL, "Stable", 1, (row, replace(row, partition=3, verdict="stall")), {})
    monitor.poller._snapshot = LagSnapshot(NOON_MS, (group,), {}, {}, {})
    monitor.reader._is_caught_up = True
    record = pane(value=value, calls=31, answered=1, attempts=40, attempt_dispositions={"answered": 1, "no_answer": 39})
    monitor.reader._store.put(WORKFLOW, record, NOON_MS)
    return monitor


def workflow_page(monitor: Monitor, value: str) -> Tags:
    return Tags(rendered(monitor, "/workflows/any", "/workflows/{workflow}", now_ms=NOW_MS, workflow=value))


NOW_MS = NOON_MS + 1
ROW = PartitionLag(EVIL, 0, 1, 0, 5, 4, 12.34, "ok")


async def test_names_from_outside_are_text() -> None:
    monitor = monitor_with(ROW, EVIL)
    pages = [Tags(rendered(monitor, path, now_ms=NOW_MS)) for path in ("/lag", "/workflows")]

    assert [page.tags.count("script") for page in pages] == [2, 2]
    assert all(EVIL in page.text for page in pages)


@pytest.mark.parametrize("value", [EVIL, "<script>alert(1)</script>", "' onmouseover='x", "{{ 7 * 7 }}", "a/b?c#d&e"])
async def test_a_workflow_id_is_text_whatever_it_holds(value: str) -> None:
    ranking, plain = (Tags(rendered(monitor_with(ROW, one), "/workflows", now_ms=NOW_MS)) for one in (value, "wf"))
    page, plain_page = (workflow_page(monitor_with(ROW, one), one) for one in (value, "wf"))

    assert (ranking.tags, page.tags) == (plain.tags, plain_page.tags)
    assert value in ranking.text
    assert value in page.text
    assert f"/workflows/{quote(value, safe='')}" in ranking.links


async def test_what_a_problem_says_is_text() -> None:
    monitor = Monitor(MonitorSettings())
    monitor.poller._fault.set(EVIL)
    page = Tags(rendered(monitor, "/"))

    assert EVIL in page.text
    assert page.tags.count("script") == 2


async def test_a_value_that_is_empty_or_endless_has_no_link() -> None:
    empty, endless = (
        Tags(rendered(monitor_with(ROW, value), "/workflows", now_ms=NOW_MS)) for value in ("", "x" * 501)
    )

    assert "(none)" in empty.text
    assert not any(link.startswith("/workflows/") for link in empty.links + endless.links)


async def test_every_kpi_of_the_list_has_a_row() -> None:
    names = kpis(pane())[0]
    page = workflow_page(monitor_with(ROW), "wf")

    assert len(names) > 10
    assert [name for name in names if name.replace("_", " ") not in page.text] == []


async def test_a_new_kpi_is_in_the_page_the_api_and_the_metrics(monkeypatch: pytest.MonkeyPatch) -> None:
    proportions = rules._proportions
    monkeypatch.setattr(rules, "_proportions", lambda window: proportions(window) | {"brand_new": (20, 40)})
    monitor = monitor_with(ROW)
    store = monitor.reader.caught_up_store
    outcomes = OutcomeFamilies(300, now_s=lambda: NOON_MS / 1000)
    store.observe(outcomes.observe)
    families = outcomes.refresh(store).families
    [laid] = store.laid(WORKFLOW, "wf", WindowQuery(300))

    assert "brand new" in workflow_page(monitor, "wf").text
    assert "50 %" in workflow_page(monitor, "wf").text
    assert window_view(laid.window(), NOON_MS, store.names)["kpis"]["brand_new"]["value"] == 0.5
    assert "brand_new" in {sample.labels.get("kpi") for family in families for sample in family.samples}


async def test_lag_shows_the_sum_the_oldest_and_the_worst_verdict_with_its_partition() -> None:
    page = Tags(rendered(monitor_with(ROW), "/lag"))

    assert "stall in 3" in page.text
    assert "12 s" in page.text


async def test_a_ratio_is_shown_only_with_enough_samples() -> None:
    page = workflow_page(monitor_with(ROW), "wf")

    assert "2 %" in page.text
    assert "answered 1 2 %no answer 39 98 %" in " ".join(page.text.split()).replace("% no", "%no")


async def test_before_anything_is_known_the_page_says_so() -> None:
    page = Tags(rendered(Monitor(MonitorSettings()), "/"))

    assert "Blind: lag not read yet (and 1 more)" in page.text
    assert "table" not in page.tags


async def test_it_leads_to_the_topics() -> None:
    assert "/docs" in Tags(rendered(Monitor(MonitorSettings()), "/")).links
