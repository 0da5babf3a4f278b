"""A range that anybody writes into the URL costs little, and no instant breaks a page."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from streams.monitor.monitor import Monitor
from streams.monitor.pages.endpoints import VIEWS
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from tests.support.pages import Tags, rendered
from tests.support.panes import PANE_MS, line_workflow, pane
from tests.support.served_monitor import fill_with_calls, served

NAMES = {
    "{group}": "airudder-streams",
    "{topic}": "airudder.callbacks.v1",
    "{partition}": "0",
    "{line}": "line-1",
    "{workflow}": "wf-good",
}
FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"
EXTREMES = {
    "first day": f"from={FIRST}&to=0001-01-02T00:00:00Z",
    "up to the first instant": f"to={FIRST}",
    "last day": f"from=9999-12-31T00:00:00Z&to={LAST}",
    "before there were calls": "from=1969-12-31T00:00:00Z&to=1970-01-03T00:00:00Z",
}
ZONES = ("UTC", "America/New_York", "Pacific/Kiritimati")


def path_of(view: str) -> str:
    for name, value in NAMES.items():
        view = view.replace(name, value)
    return view


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch, served(patch, fill_with_calls) as client:
        yield client


@pytest.mark.parametrize("view", [*VIEWS, "/api/overview"])
@pytest.mark.parametrize("query", [f"from={FIRST}", f"from={FIRST}&to={LAST}", "from=2020-01-01&to=2021-02-06"])
def test_a_range_over_400_days_is_refused(client: TestClient, view: str, query: str) -> None:
    answer = client.get(f"{path_of(view)}?{query}")

    assert answer.status_code == 400
    assert "a range is 400 days at most" in answer.text


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("query", EXTREMES.values(), ids=EXTREMES)
def test_no_instant_breaks_a_page(client: TestClient, view: str, zone: str, query: str) -> None:
    assert client.get(f"{path_of(view)}?{query}&tz={zone}").status_code == 200


@pytest.mark.parametrize("view", sorted(VIEWS.keys() - {"/losses"}))  # which has no range
def test_the_form_of_the_range_keeps_the_filters(client: TestClient, view: str) -> None:
    text = client.get(f"{path_of(view)}?line=line-1&workflow=wf-good&range=1h").text

    assert '<input type="hidden" name="line" value="line-1">' in text
    assert '<input type="hidden" name="workflow" value="wf-good">' in text
    assert 'type="hidden" name="range"' not in text


def test_the_link_of_a_problem_leads_to_a_place_that_is_there() -> None:
    monitor = Monitor(MonitorSettings())
    links = [problem.link for problem in monitor.health().problems]

    assert "/#problems" in links
    assert [
        link for link in links if "#" in link and f'id="{link.partition("#")[2]}"' not in rendered(monitor, "/")
    ] == []


def test_what_is_no_workflow_of_its_own_has_no_link() -> None:
    """A full map counts the rest as `other`, which has no page."""
    now_ms = int(time.time() * 1000)
    start = now_ms - now_ms % PANE_MS
    monitor = Monitor(MonitorSettings())
    monitor.reader._is_caught_up = True
    workflows = {name: line_workflow(50, 40, 40, 10) for name in ("wf-good", "other")}
    counts: dict[str, Any] = {"attempts": 100, "attempt_dispositions": {"answered": 80, "pre_alert_failure": 20}}
    record = pane(start, dimension="sip_line", value="line-1", calls=100, by_workflow=workflows, **counts)
    monitor.reader._store.put(SIP_LINE, record, now_ms)
    monitor.reader._store.put(WORKFLOW, pane(start, value="wf-good"), now_ms)
    pages = rendered(monitor, "/lines"), rendered(monitor, "/lines/line-1", "/lines/{line}", line="line-1")

    for page in map(Tags, pages):
        assert "other" in page.text
        assert [link for link in page.links if link.startswith("/workflows/")] == ["/workflows/wf-good"]
