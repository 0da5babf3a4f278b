"""A newcomer finds every endpoint at /api, and a wrong path leads there."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from streams.monitor.app import create_app
from streams.monitor.outcomes.parameters import NAMES
from streams.monitor.settings import MonitorSettings

APP = create_app(MonitorSettings())
CLIENT = TestClient(APP, raise_server_exceptions=False)  # without lifespan: nothing reads Kafka


def test_the_index_lists_every_path_and_no_other() -> None:
    served = {re.sub(r":\w+}", "}", route.path) for route in APP.routes}  # type: ignore[attr-defined]
    listed = {endpoint["path"] for endpoint in CLIENT.get("/api").json()["endpoints"]}

    assert served - listed == {"/api", "/assets"}
    assert listed <= served


def test_the_index_has_the_parameters_that_a_path_takes() -> None:
    taken = {endpoint["path"]: endpoint["parameters"] for endpoint in CLIENT.get("/api").json()["endpoints"]}

    assert taken["/api/lag"] == []
    assert taken["/api/outcomes/sip-lines"] == sorted(NAMES)


def test_the_index_refuses_unknown_parameters_as_others_do() -> None:
    answer = CLIENT.get("/api?x=1")

    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


@pytest.mark.parametrize("path", ["/api/outcomes", "/docs/nothing", "/openapi.yaml", "/api/nothing"])
def test_a_wrong_path_leads_to_the_index(path: str) -> None:
    answer = CLIENT.get(path)

    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert "/api" in answer.json()["detail"]
