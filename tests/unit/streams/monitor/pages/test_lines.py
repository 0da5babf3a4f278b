"""`/lines` and `/api/lines`: the worst first, the same numbers on both, any name; what cannot be compared is said."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from streams.monitor.monitor import Monitor
from streams.monitor.outcomes.store import OutcomeStore
from streams.rules.dimensions import SIP_LINE, WORKFLOW
from tests.support.pages import Tags, facts_of, resolve
from tests.support.panes import NOON_MS, PANE_MS, line_workflow, pane
from tests.support.served_monitor import served

ODD = '"><script>alert(1)</script>'
# Of fifty dials a pane: delivered, and the workflow.
LINES = {
    "well-1": (45, "shared"),
    "well-2": (46, "shared"),
    "half": (20, "shared"),
    "dead": (0, "shared"),
    "alone": (40, "own"),
    ODD: (44, "shared"),
}
TO = "2024-03-11T13:40:00Z"
QUERY = f"window=15m&to={TO}"
PAGE = f"/lines?from=2024-03-11T13:25:00Z&to={TO}"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A monitor without a broker that knows some lines."""

    def known(monitor: Monitor) -> None:
        monitor.reader._is_caught_up = True
        fill(monitor.reader._store)

    with served(monkeypatch, known) as found:
        yield found


def fill(store: OutcomeStore) -> None:
    for line, (delivered, workflow) in LINES.items():
        for start in range(NOON_MS - PANE_MS, NOON_MS + 3 * PANE_MS, PANE_MS):
            put(store, line, start, delivered, workflow)
    put(store, "few", NOON_MS, 4, "shared", dials=5)
    store.put(WORKFLOW, pane(value="shared", workflow_names={"Survey": 3}), NOON_MS)


def put(store: OutcomeStore, line: str, start: int, delivered: int, workflow: str, dials: int = 50) -> None:
    failed = dials - delivered
    counts: dict[str, Any] = {
        "calls": dials,
        "answered": delivered,
        "attempts": dials,
        "answered_duration_s_sum": 30 * delivered,
        "attempt_dispositions": {"answered": delivered, "pre_alert_failure": failed},
        "by_workflow": {workflow: line_workflow(dials, delivered, delivered, failed)},
    }
    store.put(SIP_LINE, pane(start, dimension="sip_line", value=line, **counts), NOON_MS)


def test_the_worst_line_is_first(client: TestClient) -> None:
    answer = client.get(f"/api/lines?{QUERY}").json()

    assert [(row["value"], row["state"]) for row in answer["values"]] == [
        ("dead", "never_rings"),
        ("half", "behind"),
        ("alone", "no_control"),
        ("few", "too_few"),
        (ODD, "ok"),
        ("well-1", "ok"),
        ("well-2", "ok"),
    ]
    assert (answer["window_s"], answer["from"], answer["to"]) == (900, "2024-03-11T13:25:00Z", TO)


def test_a_line_has_its_peers_kpis_and_workflows(client: TestClient) -> None:
    row = client.get(f"/api/lines?{QUERY}&line=half").json()["values"][0]

    assert row["peer"] | {"z": 0} == {
        "control": "peers",
        "z": 0,
        "relative": round((60 / 150) / (409 / 605) - 1, 4),
        "n": 150,
        "control_n": 605,
        "lines": 5,
        "usual": round(409 / 605, 6),
        "band": None,
        "since": None,
    }
    assert row["peer"]["z"] < -6
    assert row["kpis"]["ner"]["value"] == 0.4
    assert row["kpi_samples"]["ner"] == 150
    assert row["workflows"] == [{"value": "shared", "workflow_name": "Survey", "attempts": 150}]
    assert row["ner_by_hour"] == [None] * 23 + [0.4]


def test_a_line_without_peers_has_no_control_group(client: TestClient) -> None:
    row = client.get(f"/api/lines?{QUERY}&line=alone").json()["values"][0]

    assert (row["peer"]["control"], row["peer"]["z"], row["peer"]["lines"]) == ("none", None, 0)
    assert "no control group" in Tags(client.get(f"{PAGE}&line=alone").text).text


def test_parts_follow_one_another(client: TestClient) -> None:
    whole = client.get(f"/api/lines?{QUERY}").json()
    first = client.get(f"/api/lines?{QUERY}&limit=5").json()
    rest = client.get(first["next"]).json()

    assert first["values"] + rest["values"] == whole["values"]
    assert (first["lines"], "next" in rest) == (7, False)


def test_a_workflow_has_its_lines_alone(client: TestClient) -> None:
    assert [row["value"] for row in client.get(f"/api/lines?{QUERY}&workflow=own").json()["values"]] == ["alone"]


@pytest.mark.parametrize(
    "query",
    ["window=7m", "window=2d", "limit=0", "limit=1001", "after=-1", "after=x", "to=never", "bogus=1", "window=all"],
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str) -> None:
    assert client.get(f"/api/lines?{query}").status_code == 400


def test_a_span_of_more_panes_than_can_be_read_is_refused(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streams.monitor.lines.ranking.MAX_PANES", 20)

    assert client.get(f"/api/lines?{QUERY}").status_code == 400
    assert client.get(f"/api/lines?window=5m&to={TO}").status_code == 200


def test_a_page_of_many_lines_shows_a_shorter_span_and_says_so(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streams.monitor.lines.ranking.MAX_PANES", 20)
    page = client.get(PAGE)

    assert page.status_code == 200
    assert "Of a longer range only the last 10 min is shown, for there are many lines" in Tags(page.text).text
    assert all(client.get(path).json()["window_s"] == 600 for path in {path for path, _, _ in facts_of(page.text)})
    monkeypatch.undo()
    assert "longer range" not in client.get(PAGE).text


def test_every_number_of_the_page_is_that_of_the_api(client: TestClient) -> None:
    document = client.get(PAGE).text
    facts = facts_of(document)

    assert len(facts) > 20
    for path, pointer, value in facts:
        assert resolve(client.get(path).json(), pointer) == value, pointer


def test_the_page_names_lines_and_workflows_and_links_to_them(client: TestClient) -> None:
    tags = Tags(client.get(PAGE).text)

    assert [link for link in tags.links if link.startswith("/lines/dead")]
    assert [link for link in tags.links if link.startswith(f"/lines/{quote(ODD, safe='')}")]
    assert "Survey" in tags.text
    assert tags.text.index("never rings") < tags.text.index("behind")
    assert re.search(r"<script>alert", client.get(PAGE).text) is None
    assert " style=" not in client.get(PAGE).text


def test_a_range_without_dials_says_so(client: TestClient) -> None:
    assert "No line had dials in this range." in client.get("/lines").text
