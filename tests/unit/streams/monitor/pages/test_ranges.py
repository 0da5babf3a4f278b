"""A range that anybody writes into the URL costs little, and no instant breaks a page."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from streams.monitor.pages.endpoints import VIEWS
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
