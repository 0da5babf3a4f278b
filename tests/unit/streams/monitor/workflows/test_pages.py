"""The pages of workflows have the numbers of the API, links that lead on, and a 404 for what is no workflow."""

from __future__ import annotations

from collections.abc import Iterator
from html import unescape
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from schemas.topics import SYNTHETIC_WORKFLOW_ID
from tests.support.pages import Tags, facts_of, resolve
from tests.support.served_monitor import LINES, WORKFLOWS, fill_with_calls, served

PATHS = ["/workflows", *(f"/workflows/{quote(workflow, safe='')}" for workflow in WORKFLOWS)]
RANGES = ["", "?range=1h", "?range=6h&tz=Asia/Jakarta"]


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with pytest.MonkeyPatch.context() as patch, served(patch, fill_with_calls) as client:
        yield client


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", RANGES)
def test_every_number_of_a_page_is_in_the_api(client: TestClient, path: str, query: str) -> None:
    facts = facts_of(client.get(path + query).text)
    answers = {url: client.get(unescape(url)).json() for url, _, _ in facts}

    assert len(facts) >= 20
    assert [(pointer, value) for _, pointer, value in facts] == [
        (pointer, resolve(answers[url], pointer)) for url, pointer, _ in facts
    ]


def test_the_page_has_names_and_links_that_lead_on(client: TestClient) -> None:
    page = Tags(client.get("/workflows?range=1h").text)

    assert all(name in page.text for name in ("Survey", "Reminder <b>", "a/b?c#d"))
    for workflow, name in WORKFLOWS.items():
        link = f"/workflows/{quote(workflow, safe='')}?range=1h"
        assert link in page.links
        assert (name or workflow) in Tags(client.get(link).text).text


def test_the_worst_comes_first(client: TestClient) -> None:
    rows = client.get("/api/workflows").json()["workflows"]

    assert (rows[0]["value"], rows[0]["verdict"]) == ("wf-bad", "fell")
    assert {row["sip_lines"] for row in rows} == {len(LINES)}
    assert all(row["verdict"] in ("steady", "rose") for row in rows[1:])


def test_a_line_filters_its_workflows(client: TestClient) -> None:
    assert len(client.get("/api/workflows", params={"line": "line 3/x"}).json()["workflows"]) == len(WORKFLOWS)
    assert client.get("/api/workflows?line=unknown").json()["workflows"] == []
    assert "No calls in this range" in client.get("/workflows?line=unknown").text


def test_a_workflow_is_found_also_where_it_is_not_among_the_worst(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = client.get("/api/workflows").json()["workflows"][-1]["value"]
    monkeypatch.setattr("streams.monitor.workflows.ranking.MAX_ROWS", 1)
    document = client.get("/workflows", params={"workflow": last}).text

    assert "No calls in this range" not in document
    assert f"/workflows/{quote(last, safe='')}" in "".join(Tags(document).links)
    [row] = client.get("/api/workflows", params={"workflow": last}).json()["workflows"]
    assert row["value"] == last
    assert all(
        resolve(client.get(unescape(url)).json(), pointer) == value for url, pointer, value in facts_of(document)
    )


@pytest.mark.parametrize("workflow", ["nothing", SYNTHETIC_WORKFLOW_ID])
def test_what_is_no_workflow_is_a_page_that_says_so(client: TestClient, workflow: str) -> None:
    page = client.get(f"/workflows/{workflow}")

    assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert '<nav aria-label="Views">' in page.text
    assert client.get(f"/api/workflows/{workflow}").status_code == 404


def test_a_workflow_without_calls_in_the_range_says_so(client: TestClient) -> None:
    page = client.get("/workflows/wf-good?from=2020-01-01T00:00:00Z&to=2020-01-01T01:00:00Z")

    assert page.status_code == 200
    assert "No calls in this range" in page.text


@pytest.mark.parametrize("path", PATHS)
def test_a_page_has_no_inline_style_or_script(client: TestClient, path: str) -> None:
    text = client.get(path).text

    assert " style=" not in text
    assert "<style" not in text
    assert "<script>" not in text
    assert "Reminder <b>" not in text
