"""The answers about the past: bounded, none where nobody looked, and a mistake is told its remedy."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from schemas.runtime import instants
from streams.monitor.api.history import ENDPOINTS
from streams.monitor.history.asking import MAX_POINTS
from streams.monitor.history.history import History
from streams.monitor.history.memory import VERDICT, VerdictKey
from streams.monitor.history.names import SERIES
from streams.monitor.problems import EXCEPTION_HANDLERS

NOW_S = int(time.time()) // 60 * 60
FROM = instants.text((NOW_S - 120) * 1000)
TO = instants.text((NOW_S - 60) * 1000)


@pytest.fixture
def history() -> Iterator[History]:
    history = History()
    for age, value in ((120, 1.0), (111, 3.0), (70, 5.0)):
        history.record("lag_seconds:g:t", (NOW_S - age) * 1000, value)
        history.record("rate_in:g:t", (NOW_S - age) * 1000, value)
    history.note(VERDICT, VerdictKey("g", "t", 3).subject, (NOW_S - 100) * 1000, "stop")
    history.note(VERDICT, VerdictKey("g", "t", 12).subject, (NOW_S - 90) * 1000, "")
    history.note(VERDICT, VerdictKey("g", "tt", 3).subject, (NOW_S - 100) * 1000, "stop")
    history.write()
    yield history
    history.close()


@pytest.fixture
def client(history: History) -> Iterator[TestClient]:
    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[Mapping[str, Any]]:
        yield {"monitor": SimpleNamespace(history=history, room_for_answers=asyncio.Semaphore(2))}

    app = Starlette(
        routes=[endpoint.route() for endpoint in ENDPOINTS], exception_handlers=EXCEPTION_HANDLERS, lifespan=lifespan
    )
    with TestClient(app) as client:
        yield client


def test_a_series_has_one_value_for_each_step_and_none_where_nobody_looked(client: TestClient) -> None:
    body = client.get(f"/api/series?name=lag_seconds:g:t&from={FROM}&to={TO}&step=10s").json()
    assert body["values"] == [3.0, None, None, None, None, 5.0]
    assert (body["from"], body["to"], body["step_s"], body["unit"]) == (FROM, TO, 10, "s")
    assert body["kept"] == "memory"
    assert client.get(f"/api/series?name=rate_in:g:t&from={FROM}&to={TO}&step=1m").json()["values"] == [3.0]


def test_without_a_name_the_series_are_listed(client: TestClient) -> None:
    body = client.get("/api/series").json()
    assert body["names"] == ["lag_seconds:g:t", "rate_in:g:t"]
    assert [kind["name"] for kind in body["kinds"]] == [kind.name for kind in SERIES]


def test_without_from_it_is_the_last_day_in_no_more_points_than_a_chart_has(client: TestClient) -> None:
    body = client.get("/api/series?name=lag_seconds").json()
    assert body["step_s"] == 120
    assert 720 <= len(body["values"]) <= 721
    assert set(body["values"]) == {None}


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("series?name=nonsense", "lag_seconds:g:t"),
        ("series?name=lag_seconds:g:other", "lag_seconds:g:t"),
        ("series?name=rate_in", "received_per_s"),
        ("series?name=lag_seconds&step=7s", "multiple of 10 s"),
        ("series?name=lag_seconds&step=0", "multiple of 10 s"),
        ("series?name=lag_seconds&step=x", "10s, 1m"),
        ("series?name=lag_seconds&from=2020-01-01T00:00:00Z&to=2020-01-01T00:00:00Z", "before to"),
        ("series?name=lag_seconds&from=2120-01-01T00:00:00Z", "before now"),
        ("series?name=lag_seconds&from=2000-01-01T00:00:00Z", "400 days"),
        ("series?name=lag_seconds&from=yesterday", "ISO 8601"),
        ("series?name=lag_seconds&resolution=1", "unknown parameter"),
        ("lag/history?group=g", "topic must be given"),
        ("lag/history", "group and topic must be given"),
        ("lag/history?group=g&topic=t&name=x", "unknown parameter"),
    ],
)
def test_a_mistake_is_400_and_says_what_is_right(client: TestClient, query: str, said: str) -> None:
    answer = client.get(f"/api/{query}")
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_the_number_of_points_is_bounded(client: TestClient) -> None:
    begin = instants.text((NOW_S - 30 * 86_400) * 1000)
    answer = client.get(f"/api/series?name=lag_seconds&from={begin}&step=10s")
    assert (answer.status_code, "at least 260 s" in answer.json()["detail"]) == (400, True)
    assert len(client.get(f"/api/series?name=lag_seconds&from={begin}&step=260s").json()["values"]) <= MAX_POINTS + 2


def test_the_lag_of_a_topic_with_its_rates_and_verdicts(client: TestClient) -> None:
    body = client.get(f"/api/lag/history?group=g&topic=t&from={FROM}&to={TO}&step=30s").json()
    assert body["lag_seconds"] == [3.0, 5.0]
    assert body["lag_records"] == [None, None]
    assert body["rate_in"] == [2.0, 5.0]
    assert body["verdicts"] == [
        {"at": instants.text((NOW_S - 100) * 1000), "partition": 3, "verdict": "stop"},
        {"at": instants.text((NOW_S - 90) * 1000), "partition": 12, "verdict": None},
    ]


def test_an_answer_says_why_it_is_not_on_disk(history: History, client: TestClient, tmp_path: Path) -> None:
    assert client.get("/api/series").json()["fault"] is None
    history._set_fault("the disk is full")
    assert "the disk is full" in client.get("/api/series").json()["fault"]
