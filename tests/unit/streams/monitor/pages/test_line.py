"""The page of one line: its verdict, the same numbers as the API, any name, and the explanation on request."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from streams.errors import BrokerUnavailableError
from streams.monitor.errors import TooManyReadsError
from streams.monitor.lines.alarms import NeverRings
from streams.monitor.lines.explainer import alarm_since
from streams.monitor.lines.tallies import Dials
from streams.monitor.lines.watch import LineState
from streams.monitor.monitor import Monitor
from streams.monitor.records.dials import DialReader
from streams.monitor.settings import MonitorSettings
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from tests.support.pages import facts_of, resolve
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane
from tests.support.served_monitor import served

# '..' is left out: by its rules a browser makes '/' of '/lines/..'
NAMES = ["LINE_1", "a/b?c#d&e", "line\nbreak", "線_4 é", '"><script>alert(1)</script>', "{{ 7 * 7 }}", "x" * 4000]
END_MS = NOON_MS + 3 * PANE_MS
RANGE = "from=2024-03-11T13:25:00Z&to=2024-03-11T13:40:00Z"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A monitor without a broker that knows some lines: the first of a pair is bad."""

    async def refuse(*_: Any) -> None:
        raise BrokerUnavailableError("Kafka did not answer")

    monkeypatch.setattr(DialReader, "read", refuse)
    with served(monkeypatch, _fill) as found:
        yield found


def _fill(monitor: Monitor) -> None:
    monitor.reader._is_caught_up = True
    for name in NAMES:
        _put(monitor, name, 40, 60)
    _put(monitor, "PEER", 95, 5)
    record = pane(value="wf/1", calls=1, workflow_names={"Check": 1})
    monitor.reader._store.put(WORKFLOW, record, record.window_end_at)


def _put(monitor: Monitor, line: str, delivered: int, failed: int) -> None:
    """Three panes. Each name has a workflow of its own, but the first and its peer share one."""
    workflow = "wf/1" if line in ("LINE_1", "PEER") else f"wf {len(line)}"
    for start in range(NOON_MS, NOON_MS + 3 * PANE_MS, PANE_MS):
        attempts = delivered + failed
        record = pane(
            start,
            dimension="sip_line",
            value=line,
            calls=attempts,
            answered=delivered,
            attempts=attempts,
            ring_types={"normal": attempts},
            hangup_types={"ByCallee": attempts},
            dispositions={"answered": delivered, "pre_alert_failure": failed},
            attempt_dispositions={"answered": delivered, "pre_alert_failure": failed},
            by_workflow={workflow: line_workflow(attempts, delivered, delivered, failed)},
        )
        monitor.reader._store.put(SIP_LINE, record, record.window_end_at)


def facts(client: TestClient, document: str) -> dict[str, tuple[Any, Any]]:
    """What the page says and what the API says, by the place in the API."""
    return {
        f"{path}#{pointer}": (value, resolve(client.get(path).json(), pointer))
        for path, pointer, value in facts_of(document)
    }


def test_the_page_says_how_the_line_does_in_numbers_of_the_api(client: TestClient) -> None:
    document = client.get(f"/lines/LINE_1?{RANGE}").text
    found = facts(client, document)

    assert "Behind its peers: NER 40 %, 95 % on 1 peer line" in document
    assert len(found) >= 5
    assert {place: page for place, (page, _) in found.items()} == {place: api for place, (_, api) in found.items()}
    assert (0.4, 0.4) in found.values()
    assert ">Check</a>" in document


@pytest.mark.parametrize("name", NAMES)
def test_any_name_has_a_page_on_which_it_is_text(client: TestClient, name: str) -> None:
    answer = client.get(f"/lines/{quote(name, safe='')}?{RANGE}")
    links = re.findall(r'href="([^"]*)"', answer.text)

    assert answer.status_code == 200
    assert answer.text.count("<script") == 2
    assert f"/lines/{quote(name, safe='')}?{html.escape(RANGE)}&amp;why=yes#why".replace(":", "%3A") in links
    assert html.escape(name[:60]).replace("&#x27;", "&#39;").replace("&quot;", "&#34;") in answer.text


def test_an_unknown_line_is_a_page_in_the_frame(client: TestClient) -> None:
    answer = client.get("/lines/nobody")

    assert answer.status_code == 404
    assert "no outcomes of sip_line" in answer.text
    assert 'aria-current="page">Lines</a>' in answer.text


def test_the_explanation_comes_by_a_plain_link_and_equals_the_api(client: TestClient) -> None:
    document = client.get(f"/lines/LINE_1?{RANGE}&why=range").text
    found = {place: pair for place, pair in facts(client, document).items() if "/explain?" in place}

    assert "60 % of its dials failed before a phone rang; 5 % of its peers" in html.unescape(document)
    assert "Only windows were compared, for records could not be read: Kafka did not answer" in document
    assert len(found) >= 8
    assert [place for place, (page, api) in found.items() if page != api] == []
    assert "why=" not in re.findall(r'href="(/lag[^"]*)"', document)[0]


def test_a_page_that_must_wait_says_so(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    async def busy(*_: Any) -> None:
        raise TooManyReadsError("records are being read for others; ask again in a moment")

    monkeypatch.setattr(DialReader, "read", busy)
    page, api = client.get(f"/lines/LINE_1?{RANGE}&why=range"), client.get(f"/api/lines/LINE_1/explain?{RANGE}")

    assert (page.status_code, "ask again in a moment" in page.text) == (200, True)
    assert (api.status_code, api.json()["code"], api.headers["retry-after"]) == (503, "too_many_reads", "2")


@pytest.mark.parametrize("query", ["why=bogus", "why=yes&why=yes", "bogus=1", "range=2y"])
def test_a_parameter_that_makes_no_sense_is_a_page_that_says_so(client: TestClient, query: str) -> None:
    assert client.get(f"/lines/LINE_1?{query}").status_code == 400


def test_without_peers_it_says_that_there_is_no_control_group(client: TestClient) -> None:
    document = client.get(f"/lines/{quote(NAMES[3])}?{RANGE}").text

    assert "no control group" in document


async def test_the_explanation_begins_with_the_alarm() -> None:
    monitor, now_ms = Monitor(MonitorSettings()), END_MS
    monitor.reader.as_of_ms = monitor.lines.as_of_ms = now_ms
    monitor.lines.state = LineState(never={"LINE_1": NeverRings("LINE_1", NOON_MS, 300, Dials(90, 90, 0))})

    assert alarm_since(monitor, "LINE_1", now_ms) == NOON_MS
    assert alarm_since(monitor, "PEER", now_ms) is None
    assert alarm_since(monitor, "LINE_1", now_ms + 3_600_000) is None  # what was read an hour ago says nothing of now
